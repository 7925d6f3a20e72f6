"""Transaction and batch Bundles: entries, order, references, answers."""

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.fhir import (
    BundleEntry,
    BundleRefused,
    EntryResponse,
    conditional_references,
    entry_issues,
    parse_bundle,
    processing_order,
    response_bundle,
    rewrite_references,
    validate,
)
from tests.fhir.resources import SYNTHEA, Json

UUID = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
BASIC: Json = {"resourceType": "Basic", "code": {"text": "x"}}


def bundle(*entries: Json, kind: str = "transaction") -> Json:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def request(method: str, url: str, resource: Json | None = None, **more: Any) -> Json:
    entry: Json = {"request": {"method": method, "url": url, **more}}
    return entry if resource is None else {**entry, "resource": resource}


def refused(source: Json) -> set[tuple[str, str]]:
    with pytest.raises(BundleRefused) as error:
        parse_bundle(source)
    return {(issue.code, issue.expression) for issue in error.value.issues}


def test_entries_are_read() -> None:
    parsed = parse_bundle(
        bundle(
            {**request("POST", "Basic", BASIC, ifNoneExist="identifier=1"), "fullUrl": UUID},
            request("PUT", "Basic/a", {**BASIC, "id": "a"}, ifMatch='W/"2"'),
            request("PUT", "Basic?identifier=urn:x|1", BASIC),
            request("DELETE", "Basic/b"),
            request("DELETE", "Basic?code=x"),
            request("PATCH", "Basic/c", {"resourceType": "Parameters"}),
            request("GET", "Basic/d", ifNoneMatch='W/"1"'),
            request("GET", "Basic/d/_history/3"),
            request("HEAD", "Basic/d/_history?_count=1"),
            request("GET", "Patient?name=x&_count=2"),
        )
    )
    assert parsed.kind == "transaction"
    seen = [(e.method, e.type, e.id, e.search, e.history, e.version) for e in parsed.entries]
    assert seen == [
        ("POST", "Basic", None, None, False, None),
        ("PUT", "Basic", "a", None, False, None),
        ("PUT", "Basic", None, "identifier=urn:x|1", False, None),
        ("DELETE", "Basic", "b", None, False, None),
        ("DELETE", "Basic", None, "code=x", False, None),
        ("PATCH", "Basic", "c", None, False, None),
        ("GET", "Basic", "d", None, False, None),
        ("GET", "Basic", "d", None, True, "3"),
        ("HEAD", "Basic", "d", "_count=1", True, None),
        ("GET", "Patient", None, "name=x&_count=2", False, None),
    ]
    first, second = parsed.entries[:2]
    assert (first.full_url, first.if_none_exist, second.if_match) == (UUID, "identifier=1", 'W/"2"')
    assert [entry.position for entry in parsed.entries] == list(range(10))
    assert [e.position for e in processing_order(parsed.entries)] == [3, 4, 0, 1, 2, 5, 6, 7, 8, 9]


REQUEST = "Bundle.entry[0].request"
RESOURCE = "Bundle.entry[0].resource"


@pytest.mark.parametrize(
    ("entry", "code", "where"),
    [
        (request("FETCH", "Basic"), "code-invalid", f"{REQUEST}.method"),
        ({"request": {"url": "Basic"}}, "required", f"{REQUEST}.method"),
        ({"request": {"method": "GET"}}, "required", f"{REQUEST}.url"),
        ({"request": "GET Basic"}, "structure", REQUEST),
        ({"resource": BASIC}, "invariant", "Bundle"),
        ({}, "invariant", "Bundle.entry[0]"),
        ("x", "structure", "Bundle.entry[0]"),
        (request("GET", "Basic", unknown=1), "structure", f"{REQUEST}.unknown"),
        (request("GET", "Nothing/1"), "not-supported", f"{REQUEST}.url"),
        (request("GET", "/Basic/1"), "not-supported", f"{REQUEST}.url"),
        (request("GET", "../Basic/1"), "not-supported", f"{REQUEST}.url"),
        (request("GET", "Basic/a/b"), "not-supported", f"{REQUEST}.url"),
        (request("GET", "Basic", BASIC), "structure", RESOURCE),
        (request("DELETE", "Basic/1", BASIC), "structure", RESOURCE),
        (request("DELETE", "Basic"), "value", f"{REQUEST}.url"),
        (request("DELETE", "Basic?"), "value", f"{REQUEST}.url"),
        (request("DELETE", "Basic/1/_history/2"), "value", f"{REQUEST}.url"),
        (request("POST", "Basic"), "required", RESOURCE),
        (request("POST", "Basic", [1]), "structure", RESOURCE),  # type: ignore[arg-type]
        (request("POST", "Basic/1", BASIC), "value", f"{REQUEST}.url"),
        (request("POST", "Basic?x=1", BASIC), "value", f"{REQUEST}.url"),
        (request("POST", "Patient", BASIC), "value", f"{RESOURCE}.resourceType"),
        (request("PUT", "Basic", BASIC), "value", f"{REQUEST}.url"),
        (request("PUT", "Basic/1", BASIC), "value", f"{RESOURCE}.id"),
        (request("PUT", "Basic/1", {**BASIC, "id": "2"}), "value", f"{RESOURCE}.id"),
        (request("PUT", "Basic/1?x=1", {**BASIC, "id": "1"}), "value", f"{REQUEST}.url"),
        (request("PUT", "Basic/1", {**BASIC, "id": "1"}, ifNoneExist="x"), "value", f"{REQUEST}.ifNoneExist"),
        (request("PATCH", "Basic/1", BASIC), "value", RESOURCE),
    ],
)
def test_a_wrong_entry_refuses_a_transaction(entry: Any, code: str, where: str) -> None:
    assert (code, where) in refused(bundle(entry))


def test_a_wrong_entry_of_a_batch_fails_alone() -> None:
    parsed = parse_bundle(bundle(request("GET", "Nothing/1"), request("GET", "Basic/1"), kind="batch"))
    assert [len(entry.issues) for entry in parsed.entries] == [1, 0]


@pytest.mark.parametrize(
    ("source", "code", "where"),
    [
        ({"resourceType": "Bundle"}, "required", "Bundle.type"),
        ({"resourceType": "Bundle", "type": "collection"}, "value", "Bundle.type"),
        ({"resourceType": "Bundle", "type": "batch", "entry": {}}, "structure", "Bundle.entry"),
        ({"resourceType": "Patient", "type": "batch"}, "structure", "Bundle"),
        (bundle(*[request("GET", "Basic/1")] * 10_001), "too-costly", "Bundle.entry"),
        (
            bundle(
                {**request("GET", "Basic/1"), "fullUrl": "urn:x"}, {**request("GET", "Basic/2"), "fullUrl": "urn:x"}
            ),
            "invariant",
            "Bundle",
        ),
        (
            bundle(request("DELETE", "Basic/1"), request("PUT", "Basic/1", {**BASIC, "id": "1"})),
            "duplicate",
            "Bundle.entry[1].request.url",
        ),
    ],
)
def test_a_wrong_envelope_is_refused(source: Json, code: str, where: str) -> None:
    assert (code, where) in refused(source)


def test_an_empty_batch_is_fine() -> None:
    assert parse_bundle({"resourceType": "Bundle", "type": "batch"}).entries == ()


def test_resources_are_validated_one_by_one() -> None:
    entry = BundleEntry(3, "POST", "Patient", resource={"resourceType": "Patient", "name": [{"text": 1}], "active": 1})
    assert [issue.expression for issue in entry_issues(entry)] == [
        "Bundle.entry[3].resource.name[0].text",
        "Bundle.entry[3].resource.active",
    ]
    nothing = BundleEntry(1, "POST", "Patient", resource={"resourceType": "Patien"})
    assert [issue.expression for issue in entry_issues(nothing)] == ["Bundle.entry[1].resource.resourceType"]
    assert entry_issues(BundleEntry(0, "GET", "Patient", "1")) == ()


REWRITING: Json = {
    "resourceType": "DocumentReference",
    "status": "current",
    "identifier": [{"system": UUID, "value": UUID}],
    "text": {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{UUID}</div>'},
    "contained": [{"resourceType": "Basic", "id": "b", "subject": {"reference": UUID}, "code": {"text": UUID}}],
    "subject": {"reference": UUID, "display": UUID},
    "author": [{"reference": "Practitioner?identifier=1"}, {"reference": "#b"}, {"reference": "Practitioner/x"}],
    "extension": [{"url": "urn:x", "valueReference": {"reference": UUID}}, {"url": "urn:y", "valueString": UUID}],
    "content": [{"attachment": {"url": UUID, "title": UUID}}],
}
TARGETS = {
    UUID: "Patient/1",
    "Practitioner?identifier=1": "Practitioner/2",
    "https://a.example/fhir/Practitioner/x": "Practitioner/3",
}


def test_references_are_rewritten_where_they_are_references() -> None:
    before = copy.deepcopy(REWRITING)
    after = rewrite_references(REWRITING, TARGETS, "https://a.example/fhir/DocumentReference/9")
    assert before == REWRITING
    assert after["identifier"] == [{"system": "Patient/1", "value": UUID}]
    assert after["text"] == before["text"]
    assert after["contained"][0]["subject"]["reference"] == "Patient/1"
    assert after["contained"][0]["code"]["text"] == UUID
    assert after["subject"] == {"reference": "Patient/1", "display": UUID}
    assert [author["reference"] for author in after["author"]] == ["Practitioner/2", "#b", "Practitioner/3"]
    assert after["extension"][0]["valueReference"]["reference"] == "Patient/1"
    assert after["extension"][1]["valueString"] == UUID
    assert after["content"][0]["attachment"] == {"url": "Patient/1", "title": UUID}


def test_relative_references_mean_nothing_beside_a_urn() -> None:
    after = rewrite_references(REWRITING, TARGETS, UUID)
    assert after["author"][2]["reference"] == "Practitioner/x"


def test_what_does_not_change_is_shared() -> None:
    assert rewrite_references(REWRITING, {}) is REWRITING
    assert rewrite_references(REWRITING, TARGETS)["text"] is REWRITING["text"]


def test_conditional_references_are_listed_once() -> None:
    other = {
        **REWRITING,
        "authenticator": {"reference": "Practitioner?identifier=1"},
        "custodian": {"reference": "Organization?name=x"},
    }
    assert conditional_references(other) == ("Practitioner?identifier=1", "Organization?name=x")
    assert conditional_references(BASIC) == ()


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.just(UUID),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resourceType",
                    "reference",
                    "subject",
                    "contained",
                    "extension",
                    "valueReference",
                    "content",
                    "request",
                    "url",
                ]
            ),
            inner,
        )
    ),
    max_leaves=12,
)


@given(ANY_JSON)
def test_rewriting_leaves_alone_what_is_not_fhir(value: Any) -> None:
    resource = {"resourceType": "DocumentReference", "subject": value, "content": value, "contained": value}
    assert rewrite_references(resource, {}) == resource
    conditional_references(resource)


@given(ANY_JSON, st.sampled_from(["transaction", "batch"]))
def test_any_entry_is_answered(value: Any, kind: str) -> None:
    for source in (bundle(value, kind=kind), {"resourceType": "Bundle", "type": kind, "entry": value}):
        with suppress(BundleRefused):
            assert parse_bundle(source).kind == kind


def test_the_answer_is_a_valid_bundle() -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-found"}]}
    answer = response_bundle(
        "batch",
        [
            EntryResponse("201 Created", "Basic/1/_history/1", 'W/"1"', "2026-11-24T10:00:00Z"),
            EntryResponse("200 OK", resource=BASIC, full_url="https://localhost/fhir/Basic/1"),
            EntryResponse("404 Not Found", outcome=outcome),
        ],
    )
    assert validate(answer) == ()
    assert [entry["response"]["status"][:3] for entry in answer["entry"]] == ["201", "200", "404"]
    assert validate(response_bundle("transaction", [])) == ()


@pytest.mark.parametrize("file", SYNTHEA, ids=lambda file: file.stem)
def test_synthea_transactions_are_read_and_rewritten(file: Path) -> None:
    parsed = parse_bundle(json.loads(file.read_bytes()))
    ids = {entry.full_url: f"{entry.type}/n{entry.position}" for entry in parsed.entries if entry.full_url}
    for entry in parsed.entries:
        after = rewrite_references(entry.resource or {}, ids, entry.full_url)
        assert "urn:uuid:" not in {str(s)[:9] for s in _references(after)}
        assert validate(after) == ()


def _references(value: Any) -> list[Any]:
    if isinstance(value, dict):
        here = [value["reference"]] if "reference" in value else []
        return here + [found for item in value.values() for found in _references(item)]
    return [found for item in value for found in _references(item)] if isinstance(value, list) else []
