"""$meta, $meta-add and $meta-delete: an update like any other."""

from collections.abc import Sequence

import pytest

from carekeep.audit import What
from tests.web.clinic import Clinic, on_sqlite
from tests.web.operations.charts import Json, parameters

RESTRICTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
TAG = {"system": "https://example.org/tags", "code": "seen", "display": "Seen"}
PROFILE = "https://example.org/StructureDefinition/pulse"
RECORD = "Observation/ada-pulse"


def change(**lists: Sequence[object]) -> Json:
    """The argument of a change."""
    return parameters(meta__valueMeta=lists)


async def test_meta_is_added_and_taken_away_in_new_versions(clinic: Clinic) -> None:
    body = change(security=[RESTRICTED], tag=[TAG], profile=[PROFILE])
    added = await clinic.ask("POST", f"{RECORD}/$meta-add", body, who="physician")
    assert (added.status, added.headers["etag"]) == (200, 'W/"2"')
    assert added.entry is not None
    assert (added.entry.action, added.entry.what) == ("fhir:record:update", (What(RECORD, 2),))
    read = await clinic.ask("GET", f"{RECORD}/$meta", who="physician")
    assert read.json == added.json
    (returned,) = read.json["parameter"]
    assert returned["name"] == "return"
    assert returned["valueMeta"]["versionId"] == "2"
    assert (returned["valueMeta"]["security"], returned["valueMeta"]["tag"]) == ([RESTRICTED], [TAG])
    assert read.entry is not None
    assert (read.entry.action, read.entry.query) == ("fhir:record:read", f"{RECORD}/$meta")
    without = change(tag=[{"system": TAG["system"], "code": "seen"}], profile=[PROFILE])
    taken = await clinic.ask("POST", f"{RECORD}/$meta-delete", without, who="physician")
    stored = (await clinic.ask("GET", RECORD)).json
    assert taken.json["parameter"][0]["valueMeta"] == stored["meta"]
    assert stored["meta"].keys() == {"versionId", "lastUpdated", "security"}
    assert stored["valueQuantity"]["value"] == 72


@on_sqlite
async def test_what_is_there_is_not_added_twice(clinic: Clinic) -> None:
    await clinic.ask("POST", f"{RECORD}/$meta-add", change(tag=[TAG]))
    answer = await clinic.ask("POST", f"{RECORD}/$meta-add", change(tag=[TAG]))
    assert answer.json["parameter"][0]["valueMeta"]["tag"] == [TAG]


@on_sqlite
async def test_version_and_time_cannot_be_given(clinic: Clinic) -> None:
    body = parameters(meta__valueMeta={"versionId": "9", "lastUpdated": "2001-01-01T00:00:00Z", "tag": [TAG]})
    answer = await clinic.ask("POST", f"{RECORD}/$meta-add", body)
    assert answer.json["parameter"][0]["valueMeta"]["versionId"] == "2"


@on_sqlite
@pytest.mark.parametrize("operation", ["$meta-add", "$meta-delete"])
@pytest.mark.parametrize(("record", "who"), [("Observation/bob-pulse", "physician"), (RECORD, "ada")])
async def test_who_may_not_update_may_not_change_labels(clinic: Clinic, operation: str, record: str, who: str) -> None:
    answer = await clinic.ask("POST", f"{record}/{operation}", change(security=[RESTRICTED]), who=who)
    assert answer.status == 403
    assert answer.entry is not None
    assert answer.entry.outcome == "denied"
    assert (await clinic.ask("GET", record)).headers["etag"] == 'W/"1"'


@on_sqlite
async def test_if_match_is_kept(clinic: Clinic) -> None:
    await clinic.ask("POST", f"{RECORD}/$meta-add", change(tag=[TAG]))
    late = await clinic.ask("POST", f"{RECORD}/$meta-add", change(profile=[PROFILE]), headers={"if-match": 'W/"1"'})
    assert late.status == 412
    right = await clinic.ask("POST", f"{RECORD}/$meta-add", change(profile=[PROFILE]), headers={"if-match": 'W/"2"'})
    assert right.status == 200


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", f"{RECORD}/$meta-add", parameters(), 400),
        ("POST", f"{RECORD}/$meta-add", parameters(meta__valueString="x"), 400),
        ("POST", f"{RECORD}/$meta-add", change(tag=[{"code": 7}]), 422),
        ("POST", f"{RECORD}/$meta-add", {"resourceType": "Patient"}, 400),
        ("GET", f"{RECORD}/$meta-add", None, 405),
        ("POST", f"{RECORD}/$meta", parameters(), 405),
        ("GET", "Observation/nothing/$meta", None, 404),
        ("POST", "Observation/nothing/$meta-add", change(tag=[TAG]), 404),
        ("GET", "Observation/$meta", None, 404),
        ("GET", "$meta", None, 404),
    ],
)
async def test_what_it_takes(clinic: Clinic, method: str, path: str, body: Json | None, status: int) -> None:
    if body == {"resourceType": "Parameters", "parameter": []}:
        body = {"resourceType": "Parameters"}
    assert (await clinic.ask(method, path, body)).status == status


@on_sqlite
async def test_of_a_deleted_record_there_is_none(clinic: Clinic) -> None:
    await clinic.ask("DELETE", RECORD)
    assert (await clinic.ask("GET", f"{RECORD}/$meta")).status == 410
    assert (await clinic.ask("POST", f"{RECORD}/$meta-add", change(tag=[TAG]))).status == 410
