"""What a guest may do: read and search the one record, and nothing else, whatever else is true."""

import itertools

from carekeep.access import Action, Purpose, Relation, Target
from tests.access.people import DECIDER, Person, ask

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality|"
GUEST = Person("guest", None, "9e" * 16)
SENSITIVE = Person("guest", None, "9e" * 16, grants=frozenset({"sensitive"}))
CARE = frozenset({Purpose.TREAT, Purpose.COC})
PURPOSES = (*CARE, Purpose.ETREAT, Purpose.PATRQT)
RELATIONS = ((), (Relation.GUEST,), (Relation.SELF, Relation.CARE_TEAM, Relation.OWNER))


def test_a_guest_reads_and_searches_and_nothing_else() -> None:
    for action, purpose, relation in itertools.product(Action, PURPOSES, RELATIONS):
        decision = DECIDER.decide(ask(GUEST, action, purpose=purpose, relations=relation))
        reads = action is Action.READ and purpose in CARE and Relation.GUEST in relation
        searches = action is Action.SEARCH and purpose in CARE
        assert decision.permitted == (reads or searches or action is Action.CAPABILITY_READ), (
            action,
            purpose,
            relation,
        )


def test_break_glass_and_what_belongs_to_nobody_are_not_for_guests() -> None:
    for action in (Action.READ, Action.BREAK_GLASS, Action.CREATE):
        emergency = ask(GUEST, action, purpose=Purpose.ETREAT, relations=[Relation.GUEST], break_glass=True)
        assert not DECIDER.decide(emergency).permitted
    assert not DECIDER.decide(ask(GUEST, Action.READ, Target("Practitioner"))).permitted
    assert not DECIDER.decide(ask(GUEST, Action.READ, Target("Group", ("ada",)), relations=[Relation.GUEST])).permitted


def test_restricted_records_take_an_invitation_to_them_and_very_restricted_ones_are_for_none() -> None:
    for code, guest, sensitive in (("N", True, True), ("R", False, True), ("V", False, False)):
        target = Target("Observation", ("ada",), (CONFIDENTIALITY + code,))
        found = [
            DECIDER.decide(ask(who, Action.READ, target, relations=[Relation.GUEST])).permitted
            for who in (GUEST, SENSITIVE)
        ]
        assert found == [guest, sensitive], code
