"""Conditional writes and reads: what a condition means to the person who asks, and only one creates."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from pathlib import Path

import pytest

from carekeep.audit import What
from tests.web.clinic import Clinic, Json, observation, on_sqlite, records_kept
from tests.web.conftest import Furnished

CONDITION = "identifier=urn:lab|7"


def lab(value: float = 64, patient: str = "ada", number: str = "7", **more: str) -> Json:
    """A heart rate with the number that a laboratory gave it, without an id."""
    made = observation("x", patient, value, "2026-05-01") | {"identifier": [{"system": "urn:lab", "value": number}]}
    del made["id"]
    return made | more


# ------------------------------------------------------------------------------------------------------ create


async def test_create_unless_it_is_there(clinic: Clinic) -> None:
    first = await clinic.ask("POST", "Observation", lab(64), who="physician", headers={"if-none-exist": CONDITION})
    assert (first.status, first.headers["etag"]) == (201, 'W/"1"')
    before = await records_kept(clinic.system.database)
    again = await clinic.ask("POST", "Observation", lab(99), who="physician", headers={"if-none-exist": CONDITION})
    assert (again.status, again.json) == (200, first.json)
    assert again.headers["location"] == first.headers["location"]
    assert again.entry is not None
    assert again.entry.action == "fhir:record:create"
    assert again.entry.what == (What(f"Observation/{first.json['id']}", 1),)
    assert again.entry.patients == ("ada",)
    assert again.entry.query == f"Observation?{CONDITION}"
    assert await records_kept(clinic.system.database) == before


async def test_several_matches_are_refused_and_recorded(clinic: Clinic) -> None:
    before = await records_kept(clinic.system.database)
    for method, headers in (("POST", {"if-none-exist": "patient=ada"}), ("PUT", {}), ("PATCH", {}), ("DELETE", {})):
        path = "Observation" if method == "POST" else "Observation?patient=ada"
        body = None if method == "DELETE" else {"resourceType": "Parameters", "parameter": [REMOVAL]}
        answer = await clinic.ask(method, path, lab() if method in {"POST", "PUT"} else body, headers=headers)
        assert (answer.status, answer.json["issue"][0]["code"]) == (412, "multiple-matches"), (method, answer.body)
        assert answer.entry is not None
        assert (answer.entry.outcome, answer.entry.patients) == ("failed", ("ada",))
    assert await records_kept(clinic.system.database) == before


REMOVAL: Json = {
    "name": "operation",
    "part": [{"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": "Observation.note"}],
}


async def test_what_one_may_not_see_does_not_match(clinic: Clinic) -> None:
    hidden = await clinic.ask("POST", "Observation", lab(patient="bob"))
    assert hidden.status == 201
    made = await clinic.ask("POST", "Observation", lab(), who="physician", headers={"if-none-exist": CONDITION})
    assert made.status == 201
    seen = await clinic.ask("POST", "Observation", lab(), who="physician", headers={"if-none-exist": CONDITION})
    assert (seen.status, seen.json["id"]) == (200, made.json["id"])
    assert (await clinic.ask("POST", "Observation", lab(), headers={"if-none-exist": CONDITION})).status == 412


@on_sqlite
@pytest.mark.parametrize(
    "search", ["", "?", "colour=red", "_count=1", "identifier=", "patient=ada&_sort=date", "%zz=1"]
)
@pytest.mark.parametrize("prefer", ["", "handling=lenient"])
async def test_a_condition_is_understood_as_a_whole_or_refused(clinic: Clinic, search: str, prefer: str) -> None:
    before = await records_kept(clinic.system.database)
    headers = {"if-none-exist": search, "prefer": prefer}
    answer = await clinic.ask("POST", "Observation", lab(), headers=headers)
    assert answer.status == 400, answer.body
    for method in ("PUT", "PATCH", "DELETE"):
        body = None if method == "DELETE" else lab()
        assert (await clinic.ask(method, f"Observation?{search}", body, headers=headers)).status == 400
    assert await records_kept(clinic.system.database) == before


@on_sqlite
async def test_the_type_may_stand_before_the_condition(clinic: Clinic) -> None:
    for search in (f"Observation?{CONDITION}", f"?{CONDITION}", CONDITION):
        await clinic.ask("POST", "Observation", lab(), headers={"if-none-exist": search})
    found = await clinic.ask("GET", f"Observation?{CONDITION}")
    assert len(found.json["entry"]) == 1


# ------------------------------------------------------------------------------------------------------ update


async def test_update_where_nothing_matches_creates(clinic: Clinic) -> None:
    made = await clinic.ask("PUT", f"Observation?{CONDITION}", lab(), who="physician")
    assert (made.status, made.headers["etag"]) == (201, 'W/"1"')
    chosen = await clinic.ask("PUT", "Observation?identifier=urn:lab|8", lab(number="8") | {"id": "mine"})
    assert (chosen.status, chosen.json["id"]) == (201, "mine")
    taken = await clinic.ask("PUT", "Observation?identifier=urn:lab|9", lab(number="9") | {"id": "ada-pulse"})
    assert taken.status == 412


async def test_update_of_the_one_that_matches(clinic: Clinic) -> None:
    made = await clinic.ask("PUT", f"Observation?{CONDITION}", lab(64), who="physician")
    changed = await clinic.ask("PUT", f"Observation?{CONDITION}", lab(65), who="physician")
    assert (changed.status, changed.headers["etag"]) == (200, 'W/"2"')
    assert changed.json["id"] == made.json["id"]
    named = lab(66) | {"id": made.json["id"]}
    assert (await clinic.ask("PUT", f"Observation?{CONDITION}", named)).headers["etag"] == 'W/"3"'
    other = await clinic.ask("PUT", f"Observation?{CONDITION}", lab(66) | {"id": "other"})
    assert (other.status, other.json["issue"][0]["expression"]) == (400, ["Observation.id"])
    stale = await clinic.ask("PUT", f"Observation?{CONDITION}", lab(67), headers={"if-match": 'W/"1"'})
    assert stale.status == 412


async def test_update_only_if_it_is_new(clinic: Clinic) -> None:
    only = {"if-none-match": "*"}
    new = observation("new", "ada", 64, "2026-05-01")
    assert (await clinic.ask("PUT", "Observation/new", new, headers=only)).status == 201
    before = await records_kept(clinic.system.database)
    assert (await clinic.ask("PUT", "Observation/new", new, headers=only)).status == 412
    assert (await clinic.ask("PUT", "Observation/new", new, headers={"if-none-match": 'W/"1"'})).status == 400
    assert await records_kept(clinic.system.database) == before
    assert (await clinic.ask("PUT", f"Observation?{CONDITION}", lab(), headers=only)).status == 201
    assert (await clinic.ask("PUT", f"Observation?{CONDITION}", lab(), headers=only)).status == 412
    await clinic.ask("DELETE", "Observation/new")
    assert (await clinic.ask("PUT", "Observation/new", new, headers=only)).status == 201


# ---------------------------------------------------------------------------------------------- patch, delete


async def test_patch_of_the_one_that_matches(clinic: Clinic) -> None:
    body: Json = {"resourceType": "Parameters", "parameter": [REMOVAL]}
    assert (await clinic.ask("PATCH", f"Observation?{CONDITION}", body)).status == 404
    await clinic.ask("POST", "Observation", lab())
    answer = await clinic.ask("PATCH", f"Observation?{CONDITION}", body, who="physician")
    assert (answer.status, answer.headers["etag"]) == (200, 'W/"2"')


async def test_delete_of_the_one_that_matches(clinic: Clinic) -> None:
    nothing = await clinic.ask("DELETE", f"Observation?{CONDITION}", who="physician")
    assert (nothing.status, nothing.body) == (204, b"")
    made = await clinic.ask("POST", "Observation", lab())
    deleted = await clinic.ask("DELETE", f"Observation?{CONDITION}", who="physician")
    assert (deleted.status, deleted.headers["etag"]) == (204, 'W/"2"')
    assert deleted.entry is not None
    assert What(f"Observation/{made.json['id']}", 2) in deleted.entry.what
    assert (await clinic.ask("GET", f"Observation/{made.json['id']}")).status == 410


async def test_conditions_of_those_who_may_not_search_are_denied(clinic: Clinic) -> None:
    for method in ("PUT", "DELETE"):
        body = lab() if method == "PUT" else None
        answer = await clinic.ask(method, f"Observation?{CONDITION}", body, who="auditor")
        assert answer.status == 403
        assert answer.entry is not None
        assert answer.entry.outcome == "denied"


# ------------------------------------------------------------------------------------------------------- reads


async def test_what_the_client_has_is_not_sent_again_but_is_recorded(clinic: Clinic) -> None:
    read = await clinic.ask("GET", "Observation/ada-pulse", who="physician")
    for headers in (
        {"if-none-match": 'W/"1"'},
        {"if-none-match": '"7", "1"'},
        {"if-none-match": "*"},
        {"if-modified-since": read.headers["last-modified"]},
        {"if-none-match": 'W/"1"', "if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT"},
    ):
        answer = await clinic.ask("GET", "Observation/ada-pulse", who="physician", headers=headers)
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", 'W/"1"'), headers
        assert "content-length" not in answer.headers
        assert answer.entry is not None
        assert (answer.entry.action, answer.entry.what) == ("fhir:record:read", (What("Observation/ada-pulse", 1),))


async def test_what_the_client_does_not_have_is_sent(clinic: Clinic) -> None:
    for headers in (
        {"if-none-match": 'W/"2"'},
        {"if-none-match": "nonsense"},
        {"if-modified-since": "Thu, 01 Jan 2026 00:00:00 GMT"},
        {"if-modified-since": "yesterday"},
        {"if-none-match": 'W/"2"', "if-modified-since": "Fri, 01 Jan 2027 00:00:00 GMT"},
    ):
        answer = await clinic.ask("GET", "Observation/ada-pulse", who="physician", headers=headers)
        assert answer.status == 200, headers
    assert (
        await clinic.ask("GET", "Observation/bob-pulse", who="physician", headers={"if-none-match": "*"})
    ).status == 403


@pytest.mark.parametrize(
    "path",
    [
        "Observation/ada-pulse",
        "Observation/ada-pulse/_history/1",
        "Observation/ada-pulse/_history",
        "Observation?patient=ada",
        "Observation/nothing",
        "metadata",
    ],
)
async def test_head_is_get_without_the_body(clinic: Clinic, path: str) -> None:
    got = await clinic.ask("GET", path, who="physician")
    head = await clinic.ask("HEAD", path, who="physician")
    own = {"x-request-id", "x-ledger-entry"}
    assert (head.status, head.body) == (got.status, b"")
    assert {name: head.headers[name] for name in head.headers if name not in own} == {
        name: got.headers[name] for name in got.headers if name not in own
    }
    if got.entry is not None:
        assert head.entry is not None
        assert (head.entry.action, head.entry.what, head.entry.outcome) == (
            got.entry.action,
            got.entry.what,
            got.entry.outcome,
        )


# -------------------------------------------------------------------------------------------------------- races


async def test_of_fifty_who_create_the_same_at_once_one_does(clinic: Clinic) -> None:
    answers = await asyncio.gather(
        *(
            clinic.ask("POST", "Observation", lab(n), headers={"if-none-exist": f"{CONDITION}&status=final"})
            if n % 2
            else clinic.ask("PUT", f"Observation?{CONDITION}", lab(n) | ({"id": f"mine-{n}"} if n % 4 else {}))
            for n in range(50)
        )
    )
    assert {answer.status for answer in answers} <= {200, 201, 400, 409}
    assert Counter(answer.status for answer in answers)[201] == 1
    found = await clinic.ask("GET", f"Observation?{CONDITION}")
    assert len(found.json["entry"]) == 1


async def test_those_who_create_other_things_do_not_hinder_each_other(clinic: Clinic) -> None:
    answers = await asyncio.gather(
        *(
            clinic.ask("POST", "Observation", lab(number=str(n)), headers={"if-none-exist": f"identifier=urn:lab|{n}"})
            for n in range(50)
        )
    )
    assert {answer.status for answer in answers} == {201}


async def test_two_workers_create_one_record(clinic: Clinic, furnished: tuple[Furnished, str], tmp_path: Path) -> None:
    url = furnished[1]
    module = "tests.web.condition_process"
    command = (sys.executable, "-m", module, str(tmp_path / "home"), url, clinic.tokens["engine"])
    workers = [await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE) for _ in range(2)]
    for worker in workers:
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(worker.communicate(b"go\n") for worker in workers))
    statuses = Counter(status for output, _ in outputs for status in output.split())
    assert statuses == {b"201": 10, b"200": 490}
    for number in range(10):
        found = await clinic.ask("GET", f"Observation?identifier=urn:lab|{number}")
        assert len(found.json["entry"]) == 1
