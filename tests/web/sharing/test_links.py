"""Links that patients hand on: what the server keeps, who opens them, and how they end."""

import asyncio
import json
import os
from typing import Any

import pytest

from carekeep.access import Action
from carekeep.storage import Change
from carekeep.web.sharing.tickets import LIFETIME_MS
from tests.web.clinic import Answer, Clinic, Json, on_sqlite
from tests.web.sharing.viewer import Viewer, encrypt, to_text

DAY_S = 86_400
FILE = b'{"resourceType": "Bundle", "type": "document"}'


def file(key: bytes, content: bytes = FILE, nonce: bytes | None = None, **header: str) -> Json:
    return {"content_type": "application/fhir+json", "jwe": encrypt(key, content, nonce=nonce, **header)}


async def make(clinic: Clinic, key: bytes, /, *, who: str = "ada", **more: Any) -> Answer:
    body = {"label": "My summary", "files": [file(key)]} | more
    return await clinic.ask("POST", "/links", body, who=who)


async def made(clinic: Clinic, key: bytes, **more: Any) -> Json:
    answer = await make(clinic, key, **more)
    assert answer.status == 201, answer.body
    return answer.json


def shlink(facts: Json, key: bytes) -> str:
    payload = {name: facts[name] for name in ("url", "flag", "label", "exp")} | {"key": to_text(key)}
    return "shlink:/" + to_text(json.dumps(payload).encode())


async def last_entry(clinic: Clinic, answer: Any) -> Any:
    return await clinic.entry(answer.headers["x-ledger-entry"])


FLAGS: tuple[tuple[str, Json], ...] = (
    ("", {}),
    ("L", {}),
    ("U", {}),
    ("P", {"passcode": "a long walk"}),
    ("LP", {"passcode": "a long walk"}),
)


@on_sqlite
async def test_a_viewer_of_somebody_else_opens_it(clinic: Clinic) -> None:
    key = os.urandom(32)
    for flag, more in FLAGS:
        facts = await made(clinic, key, flag=flag, **more)
        assert len(facts["url"]) <= 128
        for most in ({}, {"embeddedLengthMax": 10}, {"embeddedLengthMax": 10_000}):
            asked = {} if "U" in flag else most
            assert await Viewer(clinic.client).read(shlink(facts, key), **more, **asked) == [FILE], flag
    listed = (await clinic.ask("GET", "/links", who="ada")).json["links"]
    assert [(each["opened"], each["state"], each["wrong_passcodes"]) for each in listed] == [(3, "open", 0)] * 5
    assert not any("url" in each for each in listed)


async def test_each_opening_is_a_disclosure(clinic: Clinic) -> None:
    key = os.urandom(32)
    read = await clinic.ask("GET", "Patient/ada/$summary", who="ada")
    facts = await made(clinic, key, made_from=read.headers["x-ledger-entry"])
    answer = await Viewer(clinic.client, "Dr. Wang, Riverside").manifest(facts["url"])
    entry = await last_entry(clinic, answer)
    assert (entry.action, entry.outcome, entry.purpose) == ("access:link:open", "permitted", "PATRQT")
    assert (entry.recipient, entry.patients) == ("Dr. Wang, Riverside", ("ada",))
    assert {each.reference for each in entry.what} >= {"Patient/ada", "Condition/ada-asthma"}
    assert answer.headers["access-control-allow-origin"] == "*"


@on_sqlite
async def test_the_server_never_sees_the_key(clinic: Clinic, caplog: pytest.LogCaptureFixture) -> None:
    """The bytes of every table, every entry, and the log, after a whole journey."""
    key, secret = os.urandom(32), b"Lindqvist-marker-of-a-plain-text"
    facts = await made(clinic, key, flag="LP", passcode="a long walk", files=[file(key, secret)])
    viewer = Viewer(clinic.client)
    assert await viewer.read(shlink(facts, key), passcode="a long walk", embeddedLengthMax=1) == [secret]
    await viewer.manifest(facts["url"], passcode="another walk")
    await clinic.ask("PUT", f"/links/{facts['id']}/files", {"files": [file(key, b"new")]}, who="ada")
    await clinic.integrate()
    database, ledger = clinic.system.database, clinic.system.services.ledger
    kept = b"".join(
        [
            repr(await database.fetch(f"SELECT * FROM {table}")).encode()  # noqa: S608
            for table in ("shared_link", "shared_file", "ledger_entry", "ledger_pending", "seen")
        ]
    )
    kept += b"".join([repr(ledger.open(sealed.leaf)).encode() async for sealed in ledger.entries()])
    kept += caplog.text.encode()
    url_secret = facts["url"].rpartition("/")[2].encode()
    for sought in (key, key.hex().encode(), to_text(key).encode(), repr(key).encode()[2:-1]):
        assert sought not in kept
    for sought in (secret, url_secret, b"a long walk", b"another walk", b"My summary", b"eyJhbGciOiJkaXIi"):
        assert sought not in kept


@on_sqlite
async def test_a_request_with_a_key_in_it_is_refused(clinic: Clinic) -> None:
    key = os.urandom(32)
    for name in ("key", "shlink", "link"):
        answer = await make(clinic, key, **{name: to_text(key)})
        assert answer.status == 400
        assert to_text(key).encode() not in answer.body


@on_sqlite
async def test_the_sixth_passcode_finds_nothing_right_or_wrong(clinic: Clinic) -> None:
    key = os.urandom(32)
    facts = await made(clinic, key, flag="P", passcode="correct horse")
    viewer = Viewer(clinic.client)
    left = []
    for number in range(5):
        answer = await viewer.manifest(facts["url"], passcode=f"guess number {number}")
        assert answer.status_code == 401
        left.append(answer.json()["remainingAttempts"])
        if number == 1:  # the right one costs nothing, and gives nothing back
            assert (await viewer.manifest(facts["url"], passcode="correct horse")).status_code == 200
    assert left == [4, 3, 2, 1, 0]
    over = await viewer.manifest(facts["url"], passcode="correct horse")
    unknown = await viewer.manifest(facts["url"][:-1] + ("A" if facts["url"][-1] != "A" else "B"))
    assert (over.status_code, over.content) == (404, unknown.content)
    listed = (await clinic.ask("GET", "/links", who="ada")).json["links"]
    assert listed[0]["state"] == "ended by wrong passcodes"
    assert (await last_entry(clinic, over)).reason == "ended by wrong passcodes"


async def test_guesses_at_once_are_no_more_than_guesses_one_by_one(clinic: Clinic) -> None:
    key = os.urandom(32)
    facts = await made(clinic, key, flag="P", passcode="correct horse")
    viewer = Viewer(clinic.client)
    answers = await asyncio.gather(*(viewer.manifest(facts["url"], passcode=f"guess {n:02}") for n in range(20)))
    assert sorted(answer.status_code for answer in answers) == [401] * 5 + [404] * 15
    assert (await viewer.manifest(facts["url"], passcode="correct horse")).status_code == 404


async def test_uses_at_once_are_no_more_than_there_are(clinic: Clinic) -> None:
    key = os.urandom(32)
    facts = await made(clinic, key, uses=3)
    viewer = Viewer(clinic.client)
    answers = await asyncio.gather(*(viewer.manifest(facts["url"]) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [404] * 7
    assert (await clinic.ask("GET", "/links", who="ada")).json["links"][0]["state"] == "used up"


@on_sqlite
async def test_without_a_passcode_none_is_counted(clinic: Clinic) -> None:
    facts = await made(clinic, os.urandom(32), flag="P", passcode="correct horse")
    for _ in range(7):
        answer = await Viewer(clinic.client).manifest(facts["url"])
        assert (answer.status_code, answer.json()) == (401, {"remainingAttempts": 5})


@on_sqlite
async def test_every_end_looks_the_same(clinic: Clinic) -> None:
    key, viewer = os.urandom(32), Viewer(clinic.client)
    ended, direct, late = [await made(clinic, key, flag=flag) for flag in ("", "U", "")]
    assert (await clinic.ask("DELETE", f"/links/{ended['id']}", who="ada")).status == 204
    clinic.time.now_ms += 8 * DAY_S * 1000
    for facts in (ended, direct, late, {"url": "/shl/" + "A" * 43}, {"url": "/shl/nothing"}):
        for answer in (
            await viewer.manifest(facts["url"]),
            await clinic.client.get(facts["url"], params={"recipient": "me"}),
            await clinic.client.get(facts["url"] + "/file", params={"ticket": "A" * 54}),
        ):
            assert (answer.status_code, b"leads nowhere" in answer.content) == (404, True)
    entry = await last_entry(clinic, await viewer.manifest(late["url"]))
    assert (entry.outcome, entry.reason, entry.patients) == ("denied", "expired", ("ada",))


@on_sqlite
async def test_a_location_is_good_once_and_not_for_long(clinic: Clinic) -> None:
    key = os.urandom(32)
    facts = await made(clinic, key, files=[file(key), file(key, b"second")])
    first, second = [
        each["location"]
        for each in (await Viewer(clinic.client).manifest(facts["url"], embeddedLengthMax=0)).json()["files"]
    ]
    assert (await clinic.client.get(first)).status_code == 200
    assert (await clinic.client.get(first)).status_code == 404
    assert (await clinic.client.get(second[:-2] + ("AA" if second[-2:] != "AA" else "BB"))).status_code == 404
    clinic.time.now_ms += LIFETIME_MS
    assert (await clinic.client.get(second)).status_code == 404


@on_sqlite
async def test_a_long_term_link_leads_to_newer_files_and_no_other_does(clinic: Clinic) -> None:
    key = os.urandom(32)
    lasting, fixed = await made(clinic, key, flag="L"), await made(clinic, key)
    old = (await Viewer(clinic.client).manifest(lasting["url"], embeddedLengthMax=0)).json()["files"][0]["location"]
    newer = {"files": [file(key, b"newer"), file(key, b"more")]}
    assert (await clinic.ask("PUT", f"/links/{lasting['id']}/files", newer, who="ada")).status == 200
    assert (await clinic.ask("PUT", f"/links/{fixed['id']}/files", newer, who="ada")).status == 422
    again = await clinic.ask("PUT", f"/links/{lasting['id']}/files", newer, who="ada")
    assert (again.status, "initialization vector" in again.said) == (422, True)
    assert await Viewer(clinic.client).read(shlink(lasting, key)) == [b"newer", b"more"]
    assert (await clinic.client.get(old)).status_code == 404


REFUSED: tuple[tuple[str, Json, int], ...] = (
    ("a label that is too long", {"label": "x" * 81}, 422),
    ("flags in another order", {"flag": "PL", "passcode": "correct horse"}, 422),
    ("a direct file with a passcode", {"flag": "PU", "passcode": "correct horse"}, 422),
    ("a flag that nobody knows", {"flag": "X"}, 422),
    ("P without a passcode", {"flag": "P"}, 422),
    ("a passcode without P", {"passcode": "correct horse"}, 422),
    ("a short passcode", {"flag": "P", "passcode": "12345"}, 422),
    ("an end in the past", {"exp": 1}, 422),
    ("an end in two years", {"exp": 1_793_880_000 + 800 * DAY_S}, 422),
    ("an end that is no number", {"exp": "tomorrow"}, 400),
    ("too many uses", {"uses": 1001}, 422),
    ("no file", {"files": []}, 422),
    ("six files", {"files": [file(bytes(32)) for _ in range(6)]}, 422),
    ("two direct files", {"flag": "U", "files": [file(bytes(32)), file(bytes(32))]}, 422),
    ("a file that is not encrypted", {"files": [{"content_type": "application/fhir+json", "jwe": "{}"}]}, 422),
    ("an encrypted key in it", {"files": [file(bytes(32), alg="A256KW")]}, 422),
    ("another cipher", {"files": [file(bytes(32), enc="A128CBC-HS256")]}, 422),
    ("another compression", {"files": [file(bytes(32), zip="BR")]}, 422),
    ("another type than it says", {"files": [file(bytes(32), cty="text/html")]}, 422),
    ("a type that is none of them", {"files": [file(bytes(32), cty="a") | {"content_type": "text/html"}]}, 422),
    ("one vector for two files", {"files": [file(bytes(32), nonce=bytes(12)), file(bytes(32), nonce=bytes(12))]}, 422),
    ("an entry that is not there", {"made_from": "00" * 16}, 422),
    ("an entry that is none", {"made_from": "no entry"}, 422),
)


@on_sqlite
async def test_what_cannot_be_shared(clinic: Clinic) -> None:
    for title, more, status in REFUSED:
        answer = await make(clinic, bytes(32), **more)
        assert answer.status == status, (title, answer.body)
        assert answer.entry is not None, title
    others = await clinic.ask("GET", "Patient/bob/$summary", who="bob")
    assert (await make(clinic, bytes(32), made_from=others.headers["x-ledger-entry"])).status == 422


@on_sqlite
async def test_only_patients_share_and_only_their_own(clinic: Clinic) -> None:
    key = os.urandom(32)
    facts = await made(clinic, key)
    for who in ("physician", "emergency", "administrator", "auditor", "engine", "app", "bob"):
        assert (await make(clinic, key, who=who, patient="ada")).status == 403, who
        assert (await clinic.ask("GET", "/links?patient=ada", who=who)).status == 403, who
        ended = await clinic.ask("DELETE", f"/links/{facts['id']}", who=who)
        assert (ended.status, ended.entry is not None and ended.entry.action) == (404, Action.LINK_MANAGE), who
    assert await Viewer(clinic.client).read(shlink(facts, key)) == [FILE]


@on_sqlite
async def test_it_is_forgotten_with_the_patient(clinic: Clinic) -> None:
    key = os.urandom(32)
    facts = await made(clinic, key)
    services = clinic.system.services
    forgotten = await services.keyring.prepare_destroy(services.keyring.scope_of("ada"))
    await clinic.record("ada is forgotten", forgotten)
    assert (await Viewer(clinic.client).manifest(facts["url"])).status_code == 404
    assert [finding async for finding in services.sharing.links.verify()] == []


@on_sqlite
async def test_a_row_under_another_patient_opens_nowhere(clinic: Clinic) -> None:
    facts = await made(clinic, os.urandom(32))
    scope = clinic.system.keyring.scope_of("bob")
    await clinic.system.database.commit([Change("UPDATE shared_link SET scope = $1", [(scope,)], expect=1)])
    assert (await Viewer(clinic.client).manifest(facts["url"])).status_code == 500
    assert [finding async for finding in clinic.system.services.sharing.links.verify()]


@on_sqlite
async def test_a_long_life_without_a_passcode_is_asked_about(clinic: Clinic) -> None:
    body: Json = {"exp": clinic.time() // 1000 + 90 * DAY_S, "files": [file(bytes(32))]}
    asked = await make(clinic, bytes(32), **body)
    assert (asked.status, [each["code"] for each in asked.json["questions"]]) == (428, ["long-and-open"])
    yes = {"confirmation": asked.json["confirmation"]}
    other = await make(clinic, bytes(32), **body | {"files": [file(bytes(32))]} | yes)
    assert other.status == 428
    clinic.time.now_ms += 5_000
    done = await make(clinic, bytes(32), **body | yes)
    assert (done.status, done.entry is not None and done.entry.query) == (
        201,
        f"link {done.json['id']} was made, flags none, 1 files; asked again (long-and-open) and confirmed",
    )


@on_sqlite
async def test_a_flood_is_answered_with_429(clinic: Clinic) -> None:
    answers = [await clinic.client.get("/shl/nothing?recipient=x") for _ in range(61)]
    assert [answer.status_code for answer in answers[-2:]] == [404, 429]
    assert int(answers[-1].headers["retry-after"]) <= 60
    clinic.time.now_ms += 60_000
    assert (await clinic.client.get("/shl/nothing?recipient=x")).status_code == 404
