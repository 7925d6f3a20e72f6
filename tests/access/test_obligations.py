"""Minimum necessary: obligations are read strictly, add up as they should, and leave nothing of what they omit."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.access import PolicyFile, PolicyRefused
from carekeep.access.obligations import ObligationRefused, Obligations
from carekeep.access.policy_text import bundled_schema, read_policies, read_schema

SCHEMA = read_schema(bundled_schema())
NAMELESS = Obligations.parse("omit Patient.name, Patient.identifier", "a")
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "p",
    "text": {"status": "generated", "div": "<div>Ann Roe</div>"},
    "name": [{"family": "Roe"}],
    "_name": [{"id": "n"}],
    "identifier": [{"value": "7"}],
    "birthDate": "1950-01-01",
    "link": [{"other": {"reference": "Patient/q", "display": "Ann Roe"}, "type": "seealso"}],
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o",
    "status": "final",
    "code": {"coding": [{"system": "s", "code": "c", "display": "Weight"}], "text": "Weight"},
    "subject": {"reference": "Patient/p", "display": "Ann Roe", "identifier": {"value": "7"}},
    "performer": [{"reference": "Practitioner/d", "display": "Dr. D"}, {"display": "Ann Roe"}],
    "contained": [PATIENT],
    "component": [{"code": {"text": "x"}, "valueString": "v", "interpretation": [{"text": "i"}]}],
}


@pytest.mark.parametrize(
    ("text", "omit", "labels", "summary"),
    [
        ("omit Patient.name", {"Patient.name"}, None, False),
        (" omit Patient.name,*.text ; summary", {"Patient.name", "*.text"}, None, True),
        ("only-labels N, http://s|R", set(), {"N", "http://s|R"}, False),
        ("only-labels N, L; only-labels L", set(), {"L"}, False),
        ("omit Observation.component.value", {"Observation.component.value"}, None, False),
    ],
)
def test_an_obligation_is_read(text: str, omit: set[str], labels: set[str] | None, summary: bool) -> None:
    assert Obligations.parse(text) == Obligations(
        frozenset(omit), None if labels is None else frozenset(labels), summary
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "@obligation has"),
        ("hide Patient.name", "@obligation has"),
        ("summary please", "@obligation has"),
        ("omit ", "no element like"),
        ("omit Patient", "no element like"),
        ("omit Patient.name;", "@obligation has"),
        ("omit patient.name", "no element like"),
        ("omit Human.name", "no resource type Human"),
        ("omit Patient.nmae", "Patient has no element nmae"),
        ("omit *.id", "every record keeps its id"),
        ("omit Patient.meta", "every record keeps its meta"),
        ("omit Observation.status", "must be there"),
        ("omit Patient.active", "changes the meaning"),
        ("only-labels ", "takes codes"),
        ("only-labels a b", "takes codes"),
        ("x" * 5_000, "longer than"),
        ("omit " + ",".join(f"Patient.name.a{n}" for n in range(201)), "more than 200"),
    ],
)
def test_what_cannot_be_held_is_refused(text: str, message: str) -> None:
    with pytest.raises(ObligationRefused, match=message):
        Obligations.parse(text)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ('forbid (principal, action == Action::"fhir:record:read", resource);', "a forbid has no @obligation"),
        ("permit (principal, action, resource);", "name their actions"),
        ('permit (principal, action == Action::"fhir:record:update", resource);', "name their actions"),
        ('permit (principal, action == Action::"fhir:record:read", resource);', "Patient has no element nmae"),
    ],
)
def test_a_policy_with_an_obligation_that_cannot_be_held_is_refused_with_its_line(policy: str, message: str) -> None:
    text = f'\n@id("x") @title("t") @reason("r") @law("l") @obligation("omit Patient.nmae")\n{policy}'
    with pytest.raises(PolicyRefused, match=rf"rules\.cedar, line 2: x: .*{message}"):
        read_policies([PolicyFile("rules.cedar", text)], SCHEMA)


def test_what_is_left_out_is_nowhere_in_what_is_left() -> None:
    before = copy.deepcopy(OBSERVATION)
    left = NAMELESS.narrowed(OBSERVATION)
    assert before == OBSERVATION
    assert "Roe" not in str(left)
    assert "'7'" not in str(left)
    assert left["subject"] == {"reference": "Patient/p"}
    assert left["performer"][0]["display"] == "Dr. D"
    assert left["code"] == OBSERVATION["code"]
    assert left["contained"][0]["birthDate"] == "1950-01-01"
    assert "SUBSETTED" in [tag["code"] for tag in left["meta"]["tag"]]


def test_parts_of_elements_and_choices_are_left_out() -> None:
    left = Obligations.parse("omit Observation.component.value").narrowed(OBSERVATION)
    assert left["component"] == [{"code": {"text": "x"}, "interpretation": [{"text": "i"}]}]


def test_what_has_nothing_to_leave_out_is_not_marked() -> None:
    resource = {"resourceType": "Medication", "id": "m", "status": "active"}
    assert NAMELESS.narrowed(resource) is resource


def test_a_summary_is_marked_once() -> None:
    left = Obligations.parse("summary; omit Patient.name").narrowed(PATIENT)
    assert "name" not in left
    assert [tag["code"] for tag in left["meta"]["tag"]] == ["SUBSETTED"]


def test_labels_that_are_not_named_are_not_shown() -> None:
    only = Obligations.parse("only-labels N, http://s|X")
    shown = [(), ("http://c|N",), ("http://s|X",), ("http://c|N", "http://s|X")]
    hidden = [("http://c|R",), ("http://t|X",), ("http://c|N", "http://c|R"), ("nonsense",)]
    assert [only.shows(labels) for labels in (*shown, *hidden)] == [True] * 4 + [False] * 4


obligations = st.builds(
    Obligations,
    omit=st.frozensets(st.sampled_from(["Patient.name", "Patient.telecom", "*.text"])),
    labels=st.none() | st.frozensets(st.sampled_from("NLR")),
    summary=st.booleans(),
)


@given(st.lists(obligations, min_size=1, max_size=4))
def test_all_hold_together(several: list[Obligations]) -> None:
    together = Obligations.together(several)
    assert together is not None
    for each in several:
        assert each.omit <= together.omit
        assert each.summary <= together.summary
        assert all(each.shows((f"c|{code}",)) for code in "NLR" if together.shows((f"c|{code}",)))
    assert Obligations.together(reversed(several)) == together


@given(st.lists(st.none() | obligations, max_size=4))
def test_one_permit_without_lifts_them_all(several: list[Obligations | None]) -> None:
    assert Obligations.together([*several, None]) is None


def test_nothing_obliges_to_nothing() -> None:
    assert Obligations.together([]) is None
