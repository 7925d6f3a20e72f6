"""What other policies would have answered: counted, grouped, with examples, and what cannot be replayed is said."""

from carekeep.access import Action, PolicyFile, Purpose, Relation
from carekeep.access.bundles import Replay
from carekeep.access.decision import visible
from carekeep.access.policy_text import bundled_schema, read_policies, read_schema
from carekeep.access.rules import Rules
from carekeep.access.seen import encode_seen
from tests.access.people import DECIDER, PATIENT, PRACTITIONER, ask

FORBID = """
@id("strict") @title("t") @reason("r") @law("l")
forbid (principal is Practitioner, action == Action::"fhir:record:read", resource is PatientRecord);
"""
SUMMARY = """
@id("summed") @title("t") @reason("r") @law("l") @obligation("summary")
permit (principal is Patient, action == Action::"fhir:record:read", resource is PatientRecord)
when { context.purpose == Purpose::"COC" && context.relations.contains(Relation::"self") };
"""
SCHEMA = read_schema(bundled_schema())
CARE = encode_seen(visible(ask(PRACTITIONER, Action.READ, relations=[Relation.CARE_TEAM])))
STRANGER = encode_seen(visible(ask(PRACTITIONER, Action.READ)))
OWN = encode_seen(visible(ask(PATIENT, Action.READ, purpose=Purpose.COC, relations=[Relation.SELF])))


def with_more(text: str) -> Rules:
    return Rules((*DECIDER.policies, *read_policies([PolicyFile("more.cedar", text)], SCHEMA)))


def test_decisions_that_would_change_are_grouped_and_counted() -> None:
    replay = Replay(DECIDER.rules, with_more(FORBID))
    for number in range(7):
        replay.add(f"e{number}", (CARE,), permitted=True, decided=True)
    replay.add("e7", (STRANGER,), permitted=False, decided=True)
    (difference,) = replay.differences
    assert (difference.count, difference.was, difference.now) == (7, "permitted", "denied by strict")
    assert difference.examples == ["e0", "e1", "e2", "e3", "e4"]
    assert len(difference.accounts) == 1
    assert (replay.entries, replay.changed, replay.same, replay.unreadable) == (8, 7, 1, 0)


def test_what_was_denied_and_would_be_permitted_with_parts_left_out_is_told() -> None:
    replay = Replay(DECIDER.rules, with_more(SUMMARY))
    replay.add("e", (OWN,), permitted=False, decided=True)
    assert [(each.was, each.now) for each in replay.differences] == [("denied", "permitted by summed")]
    back = Replay(with_more(SUMMARY), with_more(SUMMARY.replace('"summary"', '"omit Patient.name"')))
    back.add("e", (OWN,), permitted=True, decided=True)
    assert [each.now for each in back.differences] == ["permitted by summed, left out: Patient.name"]


def test_the_real_answer_counts_not_what_policies_of_today_say() -> None:
    replay = Replay(DECIDER.rules, DECIDER.rules)
    replay.add("e", (CARE,), permitted=False, decided=True)
    assert [(each.was, each.now) for each in replay.differences] == [("denied", "permitted by care.read")]


def test_what_cannot_be_replayed_is_counted() -> None:
    replay = Replay(DECIDER.rules, with_more(FORBID))
    replay.add("old", (), permitted=True, decided=True)
    replay.add("newer", ('{"kind":"robot"}', CARE.replace("TREAT", "FUN")), permitted=True, decided=True)
    replay.add("no decision", (), permitted=True, decided=False)
    assert (replay.entries, replay.unreadable, replay.changed) == (3, 3, 0)
