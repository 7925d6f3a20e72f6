"""What labels a resource comes to have, whatever its writer says."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.access.labelling import ACT_CODE, CONFIDENTIALITY, is_assigned, labels_assigned
from carekeep.fhir import labels_of, validate
from carekeep.fhir.documents import high_water_mark
from tests.access.labelling.labels import ICD, LABELLING, SNOMED, Json, coded, label, labelled_by_hand, short

OPIOID = coded((ICD, "F11.20"))
PLAIN = coded((ICD, "I10"))
PART2 = {"OPIOIDUD", "R", "NORDSCLCD"}


def test_labels_say_the_law_and_are_valid() -> None:
    labelled = LABELLING.labelled({**OPIOID, "clinicalStatus": {"coding": [CLINICAL]}})
    assert [issue for issue in validate(labelled) if issue.severity == "error"] == []
    for each in labelled["meta"]["security"]:
        basis, classifier = each["extension"]
        assert basis["valueCoding"]["code"] == "42CFRPart2"
        assert classifier["valueContributor"]["name"] == "Carekeep labelling rules"


CLINICAL = {"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}
HIV = {"coding": [{"system": SNOMED, "code": "86406008"}]}
PSYCHIATRY = {"coding": [{"system": SNOMED, "code": "394587001"}]}

# Wherever the code stands; a reviewer adds a line.
PLACES: list[tuple[Json, set[str]]] = [
    ({"resourceType": "Encounter", "serviceType": PSYCHIATRY}, {"PSY", "R"}),
    ({"resourceType": "Encounter", "type": [PSYCHIATRY]}, {"PSY", "R"}),
    ({"resourceType": "Appointment", "specialty": [PSYCHIATRY]}, {"PSY", "R"}),
    ({"resourceType": "MedicationRequest", "reasonCode": [HIV]}, {"HIV", "R"}),
    ({"resourceType": "Observation", "component": [{"code": {}, "valueCodeableConcept": HIV}]}, {"HIV", "R"}),
    ({"resourceType": "DocumentReference", "type": HIV}, {"HIV", "R"}),
    ({"resourceType": "DocumentReference", "content": [{"format": HIV["coding"][0]}]}, {"HIV", "R"}),
    ({"resourceType": "Observation", "extension": [{"url": "x", "valueCodeableConcept": HIV}]}, {"HIV", "R"}),
    (
        {"resourceType": "Observation", "contained": [{"resourceType": "Condition", "id": "c", "code": HIV}]},
        {"HIV", "R"},
    ),
    (
        {"resourceType": "QuestionnaireResponse", "item": [{"answer": [{"valueCoding": HIV["coding"][0]}]}]},
        {"HIV", "R"},
    ),
    ({"resourceType": "Bundle", "type": "document", "entry": [{"resource": OPIOID}]}, PART2),
    ({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": labelled_by_hand(PLAIN, "V")}]}, {"V"}),
    ({"resourceType": "Medication", "code": {"coding": [{"system": ICD, "code": "F11.20"}]}}, PART2),
    ({"resourceType": "Consent", "provision": {"code": [HIV]}}, {"HIV", "R"}),
    # What describes no patient is not labelled, nor is what only speaks of the system.
    ({"resourceType": "PractitionerRole", "specialty": [PSYCHIATRY]}, set()),
    ({"resourceType": "ValueSet", "expansion": {"contains": [HIV["coding"][0]]}}, set()),
    ({"resourceType": "Observation", "meta": {"tag": HIV["coding"]}}, set()),
    ({"resourceType": "Observation", "identifier": [{"system": SNOMED, "value": "86406008"}]}, set()),
]


@pytest.mark.parametrize(("resource", "labels"), PLACES)
def test_a_code_counts_wherever_it_stands(resource: Json, labels: set[str]) -> None:
    assert short(LABELLING.labelled(resource)) == labels


def without(resource: Json, *codes: str) -> Json:
    security = [each for each in resource["meta"]["security"] if each["code"] not in codes]
    return {**resource, "meta": {"security": security}}


LABELLED = LABELLING.labelled(OPIOID)
OURS = LABELLED["meta"]["security"]
STRIPPED = [{name: each[name] for name in ("system", "code")} for each in OURS]


def with_labels(resource: Json, *labels: Json) -> Json:
    return {**resource, "meta": {"security": list(labels)}}


# What a client sends for a record, and the labels that it has then.
SENT: list[tuple[str, Json, set[str]]] = [
    ("takes one away", without(LABELLED, "OPIOIDUD"), PART2),
    ("takes all away", {**OPIOID, "meta": {"security": []}}, PART2),
    ("takes meta away", OPIOID, PART2),
    ("makes it normal", labelled_by_hand(OPIOID, "N"), PART2),
    ("makes it unrestricted, beside ours", with_labels(OPIOID, label("U"), *OURS), PART2),
    ("strips the basis", {**OPIOID, "meta": {"security": STRIPPED}}, PART2),
    ("makes it very restricted", labelled_by_hand(OPIOID, "V"), {"OPIOIDUD", "V", "NORDSCLCD"}),
    ("adds its own", labelled_by_hand(OPIOID, "SDV"), PART2 | {"SDV"}),
    ("has its own where rules say nothing", labelled_by_hand(PLAIN, "HIV", "R"), {"HIV", "R"}),
    ("takes the code away, and sends the labels back", {**PLAIN, "meta": LABELLED["meta"]}, set()),
    ("takes the code away, with a label of its own", with_labels(PLAIN, *OURS, label("SDV")), {"SDV"}),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "labels"), [each[1:] for each in SENT], ids=[each[0] for each in SENT])
def test_a_writer_adds_labels_and_takes_none_of_ours_away(sent: Json, labels: set[str]) -> None:
    kept = LABELLING.labelled(sent)
    assert short(kept) == labels
    ours = {each["code"] for each in kept.get("meta", {}).get("security", []) if is_assigned(each)}
    assert ours == {each["code"] for each in LABELLING.assigned(sent)} - ({"R"} if "V" in labels else set())


def test_the_basis_that_a_client_strips_is_put_back() -> None:
    kept = LABELLING.labelled({**OPIOID, "meta": {"security": STRIPPED}})
    assert labels_assigned(kept) == LABELLED["meta"]["security"]


def test_what_has_nothing_sensitive_is_not_touched() -> None:
    assert LABELLING.labelled(PLAIN) is PLAIN
    assert LABELLING.labelled(LABELLED) is LABELLED


codes = st.sampled_from(
    [(ICD, "F11.20"), (ICD, "F10.1"), (ICD, "B20"), (ICD, "I10"), (SNOMED, "394587001"), (SNOMED, "1")]
)
written = st.lists(
    st.sampled_from(["U", "N", "R", "V", "HIV", "SDV", "OPIOIDUD", "NORDSCLCD", "X"]).map(label), max_size=6
)


@given(st.lists(codes, max_size=4), written, st.lists(codes, max_size=2))
def test_labelling_is_idempotent_and_never_weaker_than_the_rules(
    pairs: list[tuple[str, str]], security: list[Json], before: list[tuple[str, str]]
) -> None:
    echoed = LABELLING.assigned(coded(*before))
    resource = {**coded(*pairs), "meta": {"security": [*security, *echoed]}}
    once = LABELLING.labelled(resource)
    assert LABELLING.labelled(once) == once
    assigned = {(each["system"], each["code"]) for each in LABELLING.assigned(resource)}
    has = {(each["system"], each["code"]) for each in once.get("meta", {}).get("security", [])}
    missing = assigned - has
    assert missing <= {(CONFIDENTIALITY, "R")}
    assert not missing or (CONFIDENTIALITY, "V") in has
    own = {(each["system"], each["code"]) for each in security if each["system"] == ACT_CODE}
    assert own <= has


@given(st.lists(st.lists(codes, max_size=2), max_size=5))
def test_the_mark_of_a_bundle_is_the_highest_of_its_entries(charts: list[list[tuple[str, str]]]) -> None:
    entries = [LABELLING.labelled(coded(*pairs)) for pairs in charts]
    union = {each for entry in entries for each in labels_of(entry)}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": entry} for entry in entries]}
    assert set(labels_of(LABELLING.labelled(bundle))) == union
    mark = {"meta": {"security": high_water_mark(entries)}}
    assert set(labels_of(mark)) == union


names = st.sampled_from(["system", "code", "meta", "security", "entry", "resource", "resourceType", "extension", "x"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(SNOMED) | st.just("86406008"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(["meta", "entry", "code", "contained", "system"]), values, max_size=4),
    st.sampled_from(["Bundle", "Basic"]),
)
def test_what_is_no_valid_resource_does_no_harm(rest: dict[str, Any], type_: str) -> None:
    """Imports are labelled before they are validated."""
    LABELLING.labelled({"resourceType": type_, **rest})


def test_contained_resources_that_name_each_other_end_the_walk() -> None:
    ring = [
        {"resourceType": "Condition", "id": "a", "code": HIV, "evidence": [{"detail": [{"reference": "#b"}]}]},
        {"resourceType": "Condition", "id": "b", "evidence": [{"detail": [{"reference": "#a"}]}]},
    ]
    assert short(LABELLING.labelled({**PLAIN, "contained": ring})) == {"HIV", "R"}


def test_a_code_does_not_hide_among_a_hundred_thousand() -> None:
    crowd = [{"system": SNOMED, "code": str(number)} for number in range(100_000)]
    nested: Any = {"coding": [*crowd, HIV["coding"][0]]}
    for _ in range(500):
        nested = {"x": [nested]}
    assert short(LABELLING.labelled({**PLAIN, "note": nested})) == {"HIV", "R"}
