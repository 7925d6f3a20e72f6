"""Create, read, vread, update, delete, history: what a client relies on, and what the ledger says of it."""

import re

import pytest

from carekeep.audit import What
from tests.web.clinic import Clinic, Json, care_team, observation, on_sqlite, records_kept


async def test_create_gives_an_id_a_version_and_a_location(clinic: Clinic) -> None:
    answer = await clinic.ask("POST", "Observation", observation("ignored", "ada", 64, "2026-05-01"), who="physician")
    assert answer.status == 201
    id_ = answer.json["id"]
    assert id_ != "ignored"
    assert answer.headers["location"] == f"https://records.example.org/fhir/Observation/{id_}/_history/1"
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.json["meta"]["versionId"] == "1"
    assert answer.entry is not None
    assert answer.entry.action == "fhir:record:create"
    assert answer.entry.outcome == "permitted"
    assert answer.entry.what == (What(f"Observation/{id_}", 1),)
    assert answer.entry.patients == ("ada",)
    assert answer.entry.policies == ("care.write",)
    assert answer.entry.agent.who == "Practitioner/physician"
    assert answer.entry.purpose == "TREAT"


async def test_read_gives_what_was_written(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Observation/ada-pulse", who="physician")
    assert answer.status == 200
    assert answer.json["valueQuantity"]["value"] == 72
    assert answer.headers["etag"] == 'W/"1"'
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"
    assert re.fullmatch(r"\w{3}, \d\d \w{3} 2026 \d\d:\d\d:\d\d GMT", answer.headers["last-modified"])
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.what) == ("fhir:record:read", (What("Observation/ada-pulse", 1),))


async def test_decimals_keep_their_digits(clinic: Clinic) -> None:
    body = b"""{"resourceType": "Observation", "id": "exact", "status": "final", "code": {"text": "x"},
                "subject": {"reference": "Patient/ada"}, "valueQuantity": {"value": 1.10}}"""
    assert (await clinic.ask("PUT", "Observation/exact", body)).status == 201
    assert b'"value":1.10' in (await clinic.ask("GET", "Observation/exact")).body


async def test_update_makes_the_next_version_and_keeps_the_last(clinic: Clinic) -> None:
    changed = observation("ada-pulse", "ada", 75, "2026-03-01")
    answer = await clinic.ask("PUT", "Observation/ada-pulse", changed, who="physician", headers={"if-match": 'W/"1"'})
    assert (answer.status, answer.headers["etag"]) == (200, 'W/"2"')
    assert answer.entry is not None
    assert answer.entry.what == (What("Observation/ada-pulse", 2),)
    old = await clinic.ask("GET", "Observation/ada-pulse/_history/1", who="physician")
    new = await clinic.ask("GET", "Observation/ada-pulse/_history/2", who="physician")
    assert [each.json["valueQuantity"]["value"] for each in (old, new)] == [72, 75]
    assert old.entry is not None
    assert (old.entry.action, old.entry.what) == ("fhir:record:vread", (What("Observation/ada-pulse", 1),))


async def test_update_of_another_version_than_the_current_is_refused(clinic: Clinic) -> None:
    changed = observation("ada-pulse", "ada", 75, "2026-03-01")
    answer = await clinic.ask("PUT", "Observation/ada-pulse", changed, headers={"if-match": 'W/"7"'})
    assert answer.status == 412
    assert (await clinic.ask("GET", "Observation/ada-pulse")).headers["etag"] == 'W/"1"'


@on_sqlite
@pytest.mark.parametrize("match", ["*", 'W/"x"', "1.5", '"1", "2"', "-1"])
async def test_odd_if_match_is_refused(clinic: Clinic, match: str) -> None:
    changed = observation("ada-pulse", "ada", 75, "2026-03-01")
    answer = await clinic.ask("PUT", "Observation/ada-pulse", changed, headers={"if-match": match})
    assert answer.status == 400


async def test_deleted_is_gone_but_its_history_is_not(clinic: Clinic) -> None:
    deleted = await clinic.ask("DELETE", "Observation/ada-pulse", who="physician")
    assert (deleted.status, deleted.body, deleted.headers["etag"]) == (204, b"", 'W/"2"')
    assert deleted.entry is not None
    assert (deleted.entry.action, deleted.entry.policies) == ("fhir:record:delete", ("care.delete",))
    read = await clinic.ask("GET", "Observation/ada-pulse", who="physician")
    assert (read.status, read.json["issue"][0]["code"]) == (410, "deleted")
    assert (await clinic.ask("GET", "Observation/ada-pulse/_history/1", who="physician")).status == 200
    assert (await clinic.ask("DELETE", "Observation/ada-pulse", who="physician")).status == 204
    again = await clinic.put(observation("ada-pulse", "ada", 70, "2026-03-01"))
    assert (again.status, again.headers["etag"]) == (201, 'W/"3"')


async def test_history_is_newest_first_and_comes_in_pages(clinic: Clinic) -> None:
    for value in (73, 74, 75):
        await clinic.put(observation("ada-pulse", "ada", value, "2026-03-01"))
    await clinic.ask("DELETE", "Observation/ada-pulse")
    first = await clinic.ask("GET", "Observation/ada-pulse/_history?_count=2", who="physician")
    assert [entry["request"]["method"] for entry in first.json["entry"]] == ["DELETE", "PUT"]
    assert "resource" not in first.json["entry"][0]
    assert first.entry is not None
    assert [what.version for what in first.entry.what] == [5, 4]
    following = next(link["url"] for link in first.json["link"] if link["relation"] == "next")
    second = await clinic.ask("GET", following.removeprefix("https://records.example.org"), who="physician")
    assert [entry["resource"]["meta"]["versionId"] for entry in second.json["entry"]] == ["3", "2"]
    last = next(link["url"] for link in second.json["link"] if link["relation"] == "next")
    third = await clinic.ask("GET", last.removeprefix("https://records.example.org"), who="physician")
    assert [entry["response"]["status"] for entry in third.json["entry"]] == ["201"]
    assert {link["relation"] for link in third.json["link"]} == {"self"}


async def test_preference_for_less(clinic: Clinic) -> None:
    changed = observation("ada-pulse", "ada", 75, "2026-03-01")
    answer = await clinic.ask("PUT", "Observation/ada-pulse", changed, headers={"prefer": "return=minimal"})
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["etag"] == 'W/"2"'


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "Observation/nothing", 404, "not-found"),
        ("GET", "Observation/ada-pulse/_history/9", 404, "not-found"),
        ("GET", "Observation/ada-pulse/_history/x", 404, "not-found"),
        ("GET", "Vibration/ada-pulse", 404, "not-supported"),
        ("GET", "Observation/with space", 404, "not-found"),
        ("GET", "Observation/" + "x" * 65, 404, "not-found"),
        ("PATCH", "Observation/ada-pulse", 415, "not-supported"),
        ("DELETE", "Observation", 400, "invalid"),
        ("GET", "Observation/ada-pulse/$everything/x/y", 404, "not-found"),
    ],
)
async def test_what_is_not_there_is_said(clinic: Clinic, method: str, path: str, status: int, code: str) -> None:
    answer = await clinic.ask(method, path)
    assert (answer.status, answer.json["issue"][0]["code"]) == (status, code)


async def test_reads_of_nothing_are_in_the_ledger(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Observation/nothing", who="physician")
    assert answer.entry is not None
    assert answer.entry.outcome == "failed"
    assert answer.entry.agent.who == "Practitioner/physician"


async def test_a_body_of_another_type_or_id_is_refused(clinic: Clinic) -> None:
    body = observation("one", "ada", 75, "2026-03-01")
    before = await records_kept(clinic.system.database)
    other_type = await clinic.ask("PUT", "Condition/one", body)
    other_id = await clinic.ask("PUT", "Observation/two", body)
    assert [(each.status, each.json["issue"][0]["expression"]) for each in (other_type, other_id)] == [
        (400, ["Condition.resourceType"]),
        (400, ["Observation.id"]),
    ]
    assert await records_kept(clinic.system.database) == before


async def test_nobody_writes_audit_events(clinic: Clinic) -> None:
    answer = await clinic.ask("PUT", "AuditEvent/x", {"resourceType": "AuditEvent", "id": "x"})
    assert answer.status == 405


async def test_denied_is_said_with_its_policy_and_is_in_the_ledger(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Observation/bob-pulse", who="physician")
    assert (answer.status, answer.json["issue"][0]["code"]) == (403, "forbidden")
    assert answer.entry is not None
    assert answer.entry.outcome == "denied"
    assert answer.entry.what == (What("Observation/bob-pulse", 1),)
    assert answer.entry.patients == ("bob",)
    assert answer.entry.reason
    assert answer.entry.reason in answer.said


async def test_a_version_that_does_not_match_tells_nothing_to_who_may_not_see(clinic: Clinic) -> None:
    changed = observation("bob-pulse", "bob", 1, "2026-03-01")
    for method, body in (("PUT", changed), ("DELETE", None)):
        answer = await clinic.ask(method, "Observation/bob-pulse", body, who="physician", headers={"if-match": 'W/"9"'})
        assert answer.status == 403
        assert answer.entry is not None
        assert answer.entry.outcome == "denied"


async def test_writes_that_are_denied_leave_nothing(clinic: Clinic) -> None:
    before = await records_kept(clinic.system.database)
    created = await clinic.ask("POST", "Observation", observation("x", "bob", 1, "2026-05-01"), who="physician")
    updated = await clinic.ask(
        "PUT", "Observation/bob-pulse", observation("bob-pulse", "bob", 1, "2026-05-01"), who="physician"
    )
    deleted = await clinic.ask("DELETE", "Observation/bob-pulse", who="physician")
    assert [each.status for each in (created, updated, deleted)] == [403] * 3
    assert [each.entry.outcome for each in (created, updated, deleted) if each.entry] == ["denied"] * 3
    assert await records_kept(clinic.system.database) == before


async def test_a_record_cannot_be_moved_out_of_sight(clinic: Clinic) -> None:
    stolen = observation("bob-pulse", "ada", 88, "2026-04-01")  # bob's record, claimed for the physician's patient
    assert (await clinic.ask("PUT", "Observation/bob-pulse", stolen, who="physician")).status == 403
    given = observation("ada-pulse", "bob", 88, "2026-04-01")
    assert (await clinic.ask("PUT", "Observation/ada-pulse", given, who="physician")).status == 403


async def test_a_record_that_moves_keeps_its_history(clinic: Clinic) -> None:
    moved = await clinic.put(observation("ada-pulse", "bob", 99, "2026-04-01"))
    assert moved.status == 200
    assert (await clinic.ask("GET", "Observation/ada-pulse", who="bob")).status == 200
    assert (await clinic.ask("GET", "Observation/ada-pulse", who="ada")).status == 403
    assert (await clinic.ask("GET", "Observation/ada-pulse/_history/1", who="ada")).status == 200
    assert (await clinic.ask("GET", "Observation/ada-pulse/_history/1", who="bob")).status == 403
    assert len((await clinic.ask("GET", "Observation/ada-pulse/_history", who="bob")).json["entry"]) == 1
    assert len((await clinic.ask("GET", "Observation/ada-pulse/_history")).json["entry"]) == 2


async def test_leaving_the_care_team_counts_at_once(clinic: Clinic) -> None:
    assert (await clinic.ask("GET", "Observation/ada-pulse", who="physician")).status == 200
    await clinic.put(care_team("ada", status="inactive"))
    assert (await clinic.ask("GET", "Observation/ada-pulse", who="physician")).status == 403


async def test_the_capability_statement_is_open_and_lists_what_is_there(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "metadata", who=None)
    assert answer.status == 200
    resources = {each["type"]: each for each in answer.json["rest"][0]["resource"]}
    assert {"code": "create"} in resources["Observation"]["interaction"]
    assert {"code": "create"} not in resources["AuditEvent"]["interaction"]


async def test_every_answer_carries_the_security_headers(clinic: Clinic) -> None:
    for path in ("Observation/ada-pulse", "/healthz", "/ledger/key", "/nothing", "metadata"):
        headers = (await clinic.ask("GET", path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "max-age=31536000" in headers["strict-transport-security"]


async def test_the_request_id_is_kept_if_it_is_one(clinic: Clinic) -> None:
    kept = await clinic.ask("GET", "Patient/ada", headers={"x-request-id": "visit-7.a"})
    made = await clinic.ask("GET", "Patient/ada", headers={"x-request-id": "Mrs Moreau's pulse"})
    assert kept.headers["x-request-id"] == "visit-7.a"
    assert kept.entry is not None
    assert kept.entry.request_id == "visit-7.a"
    assert "Moreau" not in made.headers["x-request-id"]


@on_sqlite
@pytest.mark.parametrize("accept", ["text/html", "application/fhir+xml", "image/*"])
async def test_what_cannot_be_written_is_not_acceptable(clinic: Clinic, accept: str) -> None:
    assert (await clinic.ask("GET", "Patient/ada", headers={"accept": accept})).status == 406


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "Observation", {"resourceType": "Observation", "status": "no such status"}, 422),
        ("POST", "Observation", b"{", 400),
        ("GET", "Observation?no-such-parameter=1", None, 400),
        ("PUT", "Observation/ada-pulse", observation("other", "ada", 70, "2026-03-01"), 400),
    ],
)
async def test_what_could_not_be_done_has_its_entry_too(
    clinic: Clinic, method: str, path: str, body: Json | bytes | None, status: int
) -> None:
    answer = await clinic.ask(method, path, body, who="physician")
    assert answer.status == status
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.outcome) == ("fhir:request:refuse", "failed")
    assert answer.entry.reason == f"answered with {status}"
    assert answer.entry.agent.who == "Practitioner/physician"
