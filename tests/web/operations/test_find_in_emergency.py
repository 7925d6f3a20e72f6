"""Who is this person? What a clinician finds of a stranger in an emergency, how often, and what stays of it."""

import asyncio

from carekeep.identity import Kind
from carekeep.web.fhir.operations.find_in_emergency import MOST_IN_AN_HOUR, MOST_MATCHES
from tests.web.admins import ask, new_account, sign_in
from tests.web.clinic import Answer, Clinic, Json, on_sqlite

REASON = "Unconscious after a fall, a card with a name in the pocket."
BOB = {"name": "Lindqvist", "birthdate": "1970-02-28"}
HOUR_MS = 3_600_000


async def find(clinic: Clinic, who: str | None = "emergency", **given: str) -> Answer:
    rows = [{"name": name, "valueString": value} for name, value in ({"reason": REASON} | given).items()]
    body: Json = {"resourceType": "Parameters", "parameter": rows}
    return await clinic.ask("POST", "Patient/$find-in-emergency", body, who=who)


@on_sqlite
async def test_a_stranger_is_found_by_name_and_birth_date_and_no_more_is_shown(clinic: Clinic) -> None:
    found = await find(clinic, **BOB)
    assert found.status == 200, found.body
    (entry,) = found.json["entry"]
    assert entry["resource"].keys() == {"resourceType", "id", "meta", "name", "birthDate"}
    assert (entry["resource"]["id"], found.json["total"]) == ("bob", 1)
    assert found.entry is not None
    assert (found.entry.action, found.entry.purpose, found.entry.patients) == (
        "fhir:type:find-in-emergency",
        "ETREAT",
        ("bob",),
    )
    assert "Lindqvist" in (found.entry.query or "")
    assert REASON not in repr(found.entry)
    (review,) = (await ask(clinic, "GET", "/reviews", who="auditor")).json["reviews"]
    shown = (await ask(clinic, "GET", f"/reviews/{review['id']}", who="auditor")).json
    assert (shown["kind"], shown["patient"], shown["found"], shown["reason"]) == ("search", "bob", 1, REASON)
    # What was found is found, not opened.
    assert (await clinic.ask("GET", "Patient/bob", who="emergency")).status == 403


@on_sqlite
async def test_by_identifier_and_nobody_is_an_answer_too(clinic: Clinic) -> None:
    eve: Json = {"resourceType": "Patient", "id": "eve", "identifier": [{"system": "urn:mrn", "value": "17"}]}
    assert (await clinic.put(eve)).status == 201
    assert [each["resource"]["id"] for each in (await find(clinic, identifier="urn:mrn|17")).json["entry"]] == ["eve"]
    nobody = await find(clinic, name="Nobody", birthdate="1970-02-28")
    assert (nobody.status, nobody.json["total"], "entry" in nobody.json) == (200, 0, False)


REFUSED: tuple[tuple[dict[str, str], int], ...] = (
    ({"name": "Lindqvist"}, 400),
    ({"birthdate": "1970-02-28"}, 400),
    ({"name": "Lindqvist", "birthdate": "1970"}, 400),
    ({"name": "Lindqvist", "birthdate": "gt1970-01-1"}, 400),
    ({"name": "Lindqvist", "birthdate": "gt1900-01"}, 400),
    ({"name": "  ", "birthdate": "1970-02-28"}, 400),
    ({**BOB, "gender": "male"}, 400),
    ({**BOB, "reason": "because"}, 422),
    ({**BOB, "reason": "..........."}, 422),
)


@on_sqlite
async def test_what_would_list_people_is_refused(clinic: Clinic) -> None:
    for given, status in REFUSED:
        assert (await find(clinic, **given)).status == status, given


@on_sqlite
async def test_nobody_else_finds_strangers(clinic: Clinic) -> None:
    for who in ("ada", "administrator", "auditor", "engine", "app"):
        refused = await find(clinic, who, **BOB)
        assert refused.status == 403, who
        assert b"bob" not in refused.body
    assert (await find(clinic, None, **BOB)).status == 401
    assert (await clinic.ask("GET", "Patient/$find-in-emergency?name=x", who="emergency")).status in {400, 405}


@on_sqlite
async def test_too_many_matches_are_shown_to_nobody(clinic: Clinic) -> None:
    for number in range(MOST_MATCHES + 1):
        twin = {"resourceType": "Patient", "id": f"t{number}", "name": [{"family": "Same"}], "birthDate": "1970-02-28"}
        assert (await clinic.put(twin)).status == 201
    many = await find(clinic, name="Same", birthdate="1970-02-28")
    assert (many.status, b"t1" in many.body) == (422, False)


async def test_it_can_be_done_twenty_times_in_an_hour_by_each_and_not_faster_at_once(clinic: Clinic) -> None:
    for _ in range(MOST_IN_AN_HOUR - 1):
        assert (await find(clinic, **BOB)).status == 200
    at_once = await asyncio.gather(*(find(clinic, **BOB) for _ in range(3)))
    assert sorted(each.status for each in at_once) == [200, 429, 429]
    refused = next(each for each in at_once if each.status == 429)
    assert int(refused.headers["retry-after"]) <= HOUR_MS // 1000 + 1
    assert refused.entry is not None
    assert refused.entry.outcome == "denied"
    await new_account(clinic, "colleague", Kind.PRACTITIONER, "Practitioner/colleague")
    await sign_in(clinic, "colleague", 1)
    assert (await find(clinic, "colleague", **BOB)).status == 200
    clinic.time.now_ms += HOUR_MS
    assert (await find(clinic, **BOB)).status == 200
