"""Who sees which sensitive records: the table of docs/labels.md, cell by cell, held against the policies."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.access import Action, Purpose, Relation, Target
from carekeep.access.decision import AccessRequest
from carekeep.access.labelling import ACT_CODE, CONFIDENTIALITY, Rules
from carekeep.access.vocabulary import Agreement
from tests.access.people import DECIDER, PATIENT, PRACTITIONER, SYSTEM, ask

V = f"{CONFIDENTIALITY}|V"


def of(*labels: str) -> Target:
    return Target("Observation", ("p1",), labels)


def act(code: str) -> str:
    return f"{ACT_CODE}|{code}"


# Who asks -> how they ask.
WHO: dict[str, AccessRequest] = {
    "self": ask(PATIENT, Action.READ, purpose=Purpose.PATRQT, relations=[Relation.SELF]),
    "care team": ask(PRACTITIONER, Action.READ, relations=[Relation.CARE_TEAM]),
    "encounter": ask(PRACTITIONER, Action.READ, relations=[Relation.ENCOUNTER]),
    "appointment": ask(PRACTITIONER, Action.READ, relations=[Relation.APPOINTMENT]),
    "encounter, consent": replace(
        ask(PRACTITIONER, Action.READ, relations=[Relation.ENCOUNTER]), consent=Agreement.PERMIT
    ),
    "emergency": ask(PRACTITIONER, Action.READ, purpose=Purpose.ETREAT, break_glass=True),
    "emergency open, not stated": ask(PRACTITIONER, Action.READ, relations=[Relation.ENCOUNTER], break_glass=True),
    "stranger": ask(PRACTITIONER, Action.READ),
    "system": ask(SYSTEM, Action.READ, purpose=Purpose.HOPERAT),
}
# Sensitivity codes -> who of them sees it.
CLOSE = {"self", "care team", "emergency", "system"}
TABLE: list[tuple[str, set[str]]] = [
    (act("ETH"), CLOSE | {"encounter, consent"}),
    (act("ETHUD"), CLOSE | {"encounter, consent"}),
    (act("OPIOIDUD"), CLOSE | {"encounter, consent"}),
    (act("SUD"), CLOSE | {"encounter, consent"}),
    (act("PSYTHPN"), CLOSE | {"encounter, consent"}),
    (V, CLOSE),
    *(
        (act(code), CLOSE | {"encounter", "encounter, consent", "emergency open, not stated"})
        for code in (
            "PSY",
            "MH",
            "BH",
            "DVD",
            "COGN",
            "HIV",
            "SEX",
            "STD",
            "SDV",
            "GDIS",
            "SICKLE",
            "SCA",
            "SPI",
            "TBOO",
        )
    ),
    (f"{CONFIDENTIALITY}|R", set(WHO) - {"stranger"}),
    ("http://example.org|anything", set(WHO) - {"stranger"}),
]


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize(("label", "seen_by"), TABLE, ids=[label.partition("|")[2] for label, _ in TABLE])
@pytest.mark.parametrize("action", [Action.READ, Action.VREAD, Action.HISTORY])
def test_who_sees_what(label: str, seen_by: set[str], who: str, action: Action) -> None:
    request = replace(WHO[who], action=action, target=of(label))
    assert DECIDER.decide(request).permitted == (who in seen_by)


def test_every_sensitivity_of_the_rules_has_its_line() -> None:
    """A category whose labels no policy knows would protect nothing."""
    known = {label for label, _ in TABLE}
    assert {act(code) for each in Rules.bundled().categories for code in each.sensitivities} <= known


@pytest.mark.parametrize("label", [label for label, seen in TABLE if "encounter" not in seen and label != V])
def test_who_finds_something_out_can_write_it_down_and_not_change_it(label: str) -> None:
    request = replace(WHO["encounter"], target=of(label))
    assert DECIDER.decide(replace(request, action=Action.CREATE)).permitted
    assert not DECIDER.decide(replace(request, action=Action.UPDATE)).permitted


labels = st.lists(st.sampled_from([label for label, _ in TABLE]), max_size=4).map(tuple)
requests = st.sampled_from(list(WHO.values()))


@given(requests, labels, labels)
def test_more_labels_never_show_more(request_: AccessRequest, some: tuple[str, ...], more: tuple[str, ...]) -> None:
    with_more = DECIDER.decide(replace(request_, target=of(*some, *more)))
    assert not with_more.permitted or DECIDER.decide(replace(request_, target=of(*some))).permitted


def test_the_reason_says_nothing_of_what_the_record_is_about() -> None:
    told = {
        DECIDER.decide(replace(WHO["appointment"], target=of(label))).reason
        for label, seen in TABLE
        if "appointment" not in seen
    }
    assert len(told) == 1
