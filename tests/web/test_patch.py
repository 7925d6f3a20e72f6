"""PATCH of a record: both formats, decided like every change, valid as a whole or refused."""

import json
from typing import Any

import pytest

from carekeep.audit import What
from tests.fhir.patch.fhirpath_patch_cases import operation, parameters
from tests.web.clinic import Answer, Clinic, Json, on_sqlite, records_kept

JSON_PATCH = "application/json-patch+json"
PULSE = "Observation/ada-pulse"


async def patch(clinic: Clinic, path: str, operations: Any, *, who: str = "physician", **headers: str) -> Answer:
    """A JSON Patch."""
    given = {"content-type": JSON_PATCH, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return await clinic.ask("PATCH", path, json.dumps(operations).encode(), who=who, headers=given)


async def test_a_json_patch_makes_the_next_version(clinic: Clinic) -> None:
    answer = await patch(clinic, PULSE, [{"op": "replace", "path": "/valueQuantity/value", "value": 75}])
    assert (answer.status, answer.headers["etag"]) == (200, 'W/"2"')
    assert answer.json["valueQuantity"]["value"] == 75
    assert answer.json["status"] == "final"
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.policies) == ("fhir:record:update", ("care.write",))
    assert answer.entry.what == (What(PULSE, 2),)
    found = await clinic.ask("GET", "Observation?patient=ada&value-quantity=75")
    assert [entry["resource"]["id"] for entry in found.json["entry"]] == ["ada-pulse"]


async def test_a_fhirpath_patch_makes_the_next_version(clinic: Clinic) -> None:
    body = parameters(
        operation("replace", "Observation.value.value", value={"valueDecimal": 76}),
        operation("add", "Observation", name="note", value={"valueAnnotation": {"text": "after a walk"}}),
    )
    answer = await clinic.ask("PATCH", PULSE, body, who="physician")
    assert answer.status == 200, answer.body
    assert answer.json["valueQuantity"]["value"] == 76
    assert answer.json["note"] == [{"text": "after a walk"}]
    assert (await clinic.ask("GET", PULSE)).json == answer.json


async def test_if_match_is_honoured(clinic: Clinic) -> None:
    change = [{"op": "replace", "path": "/valueQuantity/value", "value": 75}]
    assert (await patch(clinic, PULSE, change, if_match='W/"7"')).status == 412
    assert (await patch(clinic, PULSE, change, if_match='W/"1"')).status == 200
    assert (await patch(clinic, PULSE, change, if_match='W/"1"')).status == 412


async def test_the_preference_for_less_is_honoured(clinic: Clinic) -> None:
    change = [{"op": "replace", "path": "/valueQuantity/value", "value": 75}]
    answer = await patch(clinic, PULSE, change, prefer="return=minimal")
    assert (answer.status, answer.body, answer.headers["etag"]) == (200, b"", 'W/"2"')
    answer = await patch(clinic, PULSE, change, prefer="return=OperationOutcome")
    assert (answer.json["resourceType"], answer.json["issue"][0]["severity"]) == ("OperationOutcome", "information")


@on_sqlite
@pytest.mark.parametrize(
    ("operations", "status", "where"),
    [
        ([{"op": "remove", "path": "/code"}], 422, "Observation.code"),
        ([{"op": "replace", "path": "/status", "value": "perhaps"}], 422, "Observation.status"),
        ([{"op": "add", "path": "/weather", "value": "rain"}], 422, "Observation"),
        ([{"op": "add", "path": "/valueString", "value": "high"}], 422, "Observation.value"),
        ([{"op": "remove", "path": "/note"}], 422, "patch[0].path"),
        ([{"op": "test", "path": "/status", "value": "amended"}], 422, "patch[0]"),
        ([{"op": "replace", "path": "/id", "value": "other"}], 422, "patch"),
        ([{"op": "replace", "path": "/resourceType", "value": "Condition"}], 422, "patch"),
        ([{"op": "replace", "path": "/meta/versionId", "value": "9"}], 422, "patch"),
        ([{"op": "test", "path": "/status", "value": "final"}, {"op": "erase", "path": "/note"}], 400, "patch[1].op"),
        ([{"op": "add", "path": "note", "value": 1}], 400, "patch[0].path"),
        ([], 400, "patch"),
    ],
)
async def test_a_json_patch_that_cannot_be_done_leaves_nothing(
    clinic: Clinic, operations: list[Json], status: int, where: str
) -> None:
    before = await records_kept(clinic.system.database)
    answer = await patch(clinic, PULSE, operations)
    assert answer.status == status, answer.body
    places = [place for issue in answer.json["issue"] for place in issue.get("expression", [])]
    assert any(place.startswith(where) for place in places), places
    assert await records_kept(clinic.system.database) == before


@on_sqlite
@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        (parameters(operation("delete", "Observation.code")), 422, "Observation.code"),
        (parameters(operation("replace", "Observation.note", value={"valueString": "x"})), 422, "Parameters.parameter"),
        (parameters(operation("delete", "Observation.subject.resolve()")), 400, "Parameters.parameter[0]"),
        (parameters({"name": "other", "valueString": "x"}), 400, "Parameters.parameter[0].name"),
        ({"resourceType": "Parameters", "parameter": [{"valueString": "x"}]}, 400, "Parameters.parameter[0].name"),
        ({"resourceType": "Patient", "id": "ada"}, 400, ""),
        (b'{"resourceType": "Parameters", "parameter": [', 400, ""),
        (b"[]", 400, ""),
    ],
)  # fmt: skip
async def test_a_fhirpath_patch_that_cannot_be_done_leaves_nothing(
    clinic: Clinic, body: Json | bytes, status: int, where: str
) -> None:
    before = await records_kept(clinic.system.database)
    answer = await clinic.ask("PATCH", PULSE, body, who="physician")
    assert answer.status == status, answer.body
    places = [place for issue in answer.json["issue"] for place in issue.get("expression", [])]
    assert any(place.startswith(where) for place in places or [""]), places
    assert await records_kept(clinic.system.database) == before


@on_sqlite
@pytest.mark.parametrize(
    "kind", ["text/plain", "application/xml", "application/fhir+xml", "", "application/merge-patch+json"]
)
async def test_other_formats_of_patches_are_refused(clinic: Clinic, kind: str) -> None:
    answer = await clinic.ask("PATCH", PULSE, b"[]", headers={"content-type": kind})
    assert answer.status == 415


@on_sqlite
async def test_a_broken_json_patch_is_refused(clinic: Clinic) -> None:
    for body in (b"[", b"{}", b'"x"', b"\xff", b'[{"op":"add","op":"remove"}]', b"[" * 1000):
        answer = await clinic.ask("PATCH", PULSE, body, headers={"content-type": JSON_PATCH})
        assert (answer.status, answer.json["issue"][0]["code"]) == (400, "structure"), answer.body


async def test_what_is_not_there_or_gone_cannot_be_patched(clinic: Clinic) -> None:
    change = [{"op": "replace", "path": "/status", "value": "amended"}]
    missing = await patch(clinic, "Observation/nothing", change)
    assert missing.status == 404
    assert missing.entry is not None
    assert missing.entry.outcome == "failed"
    await clinic.ask("DELETE", PULSE)
    deleted = await patch(clinic, PULSE, change)
    assert (deleted.status, deleted.json["issue"][0]["code"]) == (410, "deleted")


async def test_a_patch_is_decided_on_the_record_before_and_after(clinic: Clinic) -> None:
    before = await records_kept(clinic.system.database)
    foreign = await patch(clinic, "Observation/bob-pulse", [{"op": "replace", "path": "/status", "value": "amended"}])
    given = await patch(clinic, PULSE, [{"op": "replace", "path": "/subject/reference", "value": "Patient/bob"}])
    assert [foreign.status, given.status] == [403, 403]
    assert [each.entry.outcome for each in (foreign, given) if each.entry] == ["denied", "denied"]
    assert await records_kept(clinic.system.database) == before


async def test_nobody_patches_audit_events(clinic: Clinic) -> None:
    assert (await patch(clinic, "AuditEvent/x", [{"op": "remove", "path": "/note"}], who="engine")).status == 405


async def test_the_statement_names_the_formats(clinic: Clinic) -> None:
    statement = (await clinic.ask("GET", "metadata", who=None)).json
    assert statement["patchFormat"] == ["application/fhir+json", JSON_PATCH]
    resources = {each["type"]: each for each in statement["rest"][0]["resource"]}
    assert {"code": "patch"} in resources["Observation"]["interaction"]
    assert {"code": "patch"} not in resources["AuditEvent"]["interaction"]
