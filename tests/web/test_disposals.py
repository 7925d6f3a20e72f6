"""Records that go: by two administrators, never before their time, never under a hold, and with a certificate."""

import asyncio
import hashlib
import json

import pytest

from carekeep.identity import Kind
from carekeep.records.disposal import Ground, Signatory
from carekeep.records.holding import Held
from carekeep.storage import Change, Conflict
from tests.web.admins import ask, new_account, sign_in, two_administrators
from tests.web.clinic import Answer, Clinic, Json, on_sqlite

REASON = "on the list of due records of this month"
YEAR_MS = 366 * 86_400_000


async def later(clinic: Clinic, years: int = 11) -> None:
    """All of bob's records are due by then."""
    clinic.time.now_ms += years * YEAR_MS
    await two_administrators(clinic)
    await sign_in(clinic, "engine", 1)


async def propose(clinic: Clinic, patient: str = "bob", who: str = "administrator", **more: str) -> Answer:
    return await ask(clinic, "POST", "/admin/disposals", {"patient": patient, "reason": REASON} | more, who=who)


async def approve(clinic: Clinic, proposed: Answer, who: str = "deputy") -> Answer:
    return await ask(clinic, "POST", f"/admin/disposals/{proposed.json['id']}/approve", who=who)


async def hold(clinic: Clinic, patient: str = "bob") -> Answer:
    placed = await ask(clinic, "POST", "/admin/holds", {"patient": patient, "reason": "court order 17/2026"})
    assert placed.status == 201, placed.body
    return placed


async def is_gone(clinic: Clinic, patient: str = "bob") -> bool:
    clinic.system.services.keyring.forget_cached()
    return (await clinic.ask("GET", f"Observation/{patient}-pulse")).status == 410


async def test_two_administrators_dispose_of_what_is_due_and_a_certificate_stays(clinic: Clinic) -> None:
    await later(clinic)
    proposed = await propose(clinic)
    assert (proposed.status, proposed.json["state"], await is_gone(clinic)) == (201, "proposed", False)
    done = await approve(clinic, proposed)
    assert done.status == 200, done.body
    assert await is_gone(clinic)
    certificate = json.loads(done.json["certificate"])
    assert certificate["records"] == {"Condition": 1, "Observation": 2, "Patient": 1}
    assert (certificate["rule"]["id"], certificate["rule"]["law"]) == ("cautious.adults", certificate["rule"]["law"])
    assert certificate["proposed"]["account"] == clinic.accounts["administrator"].id.hex()
    assert certificate["approved"]["account"] == clinic.accounts["deputy"].id.hex()
    for secret in ('"bob"', "Lindqvist", "Robin", REASON):
        assert secret not in done.json["certificate"]
    assert done.entry is not None
    digest = hashlib.sha256(done.json["certificate"].encode()).hexdigest()
    assert f"certificate sha256:{digest}" in (done.entry.query or "")
    assert done.entry.patients == ("bob",)
    disposals = clinic.system.services.disposals
    kept = await ask(clinic, "GET", f"/admin/disposals/{proposed.json['id']}")
    assert kept.json["certificate"] == done.json["certificate"]
    assert (kept.json["patient"], kept.json["reason"]) == (None, None)
    assert [each.id.hex() for each in await disposals.of_patient("bob")] == [proposed.json["id"]]
    assert certificate["patient_digest"] == disposals.digest_of("bob")
    assert (await propose(clinic)).status == 422  # of who is forgotten, nothing can be proposed
    assert [finding async for finding in disposals.verify()] == []


@on_sqlite
async def test_one_administrator_is_not_two(clinic: Clinic) -> None:
    """Not alone, not with a second account, not when the first one's account was the thief's, not twice at once."""
    await later(clinic)
    proposed = await propose(clinic)
    assert (await approve(clinic, proposed, "administrator")).status == 422
    for login in ("one", "other"):
        await new_account(clinic, login, Kind.ADMINISTRATOR, "Practitioner/physician")
        await sign_in(clinic, login)
    rejected = await ask(clinic, "POST", f"/admin/disposals/{proposed.json['id']}/reject", who="deputy")
    assert rejected.status == 200
    assert (await approve(clinic, proposed)).status == 422
    by_one = await propose(clinic, who="one")
    assert (await approve(clinic, by_one, "other")).status == 422
    gone = await ask(clinic, "POST", f"/admin/accounts/{clinic.accounts['one'].id.hex()}/disable")
    assert gone.status == 200
    assert (await approve(clinic, by_one)).status == 422
    assert not await is_gone(clinic)


async def test_it_is_approved_once_and_in_time(clinic: Clinic) -> None:
    await later(clinic)
    proposed = await propose(clinic)
    assert (await propose(clinic, who="deputy")).status == 422  # there is one already
    clinic.time.now_ms += 8 * 86_400_000
    for login in ("administrator", "deputy"):
        await sign_in(clinic, login)
    assert (await approve(clinic, proposed)).status == 422
    anew = await propose(clinic)
    both = await asyncio.gather(approve(clinic, anew), approve(clinic, anew))
    first, second = sorted(each.status for each in both)
    assert first == 200
    assert second in {409, 410, 422}  # it depends on how far the second one was


@on_sqlite
async def test_nothing_goes_before_its_time(clinic: Clinic) -> None:
    await two_administrators(clinic)
    early = await propose(clinic)
    assert (early.status, "kept until 2036-" in early.said) == (422, True)
    clinic.time.now_ms += 11 * YEAR_MS
    for login in ("administrator", "deputy", "engine"):
        await sign_in(clinic, login)
    proposed = await propose(clinic)
    visit = {"resourceType": "Encounter", "id": "back", "status": "in-progress", "class": {"code": "AMB"}}
    assert (await clinic.put(visit | {"subject": {"reference": "Patient/bob"}})).status == 201
    refused = await approve(clinic, proposed)
    assert (refused.status, "Care is not over" in refused.said) == (422, True)
    assert not await is_gone(clinic)


@on_sqlite
async def test_a_record_that_comes_between_keeps_everything(clinic: Clinic) -> None:
    await later(clinic)
    proposed = await propose(clinic)
    services = clinic.system.services
    disposal = await services.disposals.get(bytes.fromhex(proposed.json["id"]))
    assert disposal is not None
    one, other = (clinic.accounts[login].id.hex() for login in ("administrator", "deputy"))
    ready = await services.disposals.prepare_approve(disposal, Signatory(one, "One"), Signatory(other, "Other"))
    note = {"resourceType": "Condition", "id": "late", "subject": {"reference": "Patient/bob"}}
    assert (await clinic.put(note)).status == 201
    with pytest.raises(Conflict):
        await clinic.record("too late", ready)
    assert not await is_gone(clinic)


@on_sqlite
async def test_who_may_ask_for_erasure_is_erased_by_two_as_well(clinic: Clinic) -> None:
    await two_administrators(clinic)
    proposed = await propose(clinic, ground="erasure")
    assert (await approve(clinic, proposed, "administrator")).status == 422
    done = await approve(clinic, proposed)
    certificate = json.loads(done.json["certificate"])
    assert (certificate["ground"], certificate["rule"], "GDPR" in certificate["why"]) == ("erasure", None, True)
    assert await is_gone(clinic)


@on_sqlite
async def test_a_hold_stops_everything_that_would_destroy_the_key(clinic: Clinic) -> None:
    await later(clinic)
    proposed = await propose(clinic)
    placed = await hold(clinic)
    assert (await approve(clinic, proposed)).status == 422
    services = clinic.system.services
    with pytest.raises(Held):
        await services.vault.prepare_forget("bob")
    assert (await propose(clinic, ground="erasure")).status == 422
    shown = (await ask(clinic, "GET", "/admin/holds")).json["holds"]
    assert [(each["patient"], each["reason"]) for each in shown] == [("bob", "court order 17/2026")]
    lift = f"/admin/holds/{placed.json['id']}/lift"
    assert (await ask(clinic, "POST", lift, {"reason": "short"})).status == 422
    assert (await ask(clinic, "POST", lift, {"reason": "the case was closed"})).status == 200
    assert (await ask(clinic, "POST", lift, {"reason": "the case was closed"})).status == 422
    assert (await approve(clinic, proposed)).status == 200
    assert [finding async for finding in services.holds.verify()] == []


async def test_a_hold_and_the_end_at_once_never_both_happen(clinic: Clinic) -> None:
    services = clinic.system.services
    forget = await services.vault.prepare_forget("bob")
    placed = await services.holds.prepare_place("bob", "somebody", "court order 17/2026")
    await clinic.record("a hold", placed)
    with pytest.raises(Conflict):
        await clinic.record("the end", forget)
    lifted = await services.holds.prepare_lift(placed.value, "somebody", "the case was closed")
    await clinic.record("lifted", lifted)
    late = await services.holds.prepare_place("bob", "somebody", "court order 17/2026")
    await clinic.record("the end", await services.vault.prepare_forget("bob"))
    with pytest.raises(Conflict):
        await clinic.record("too late", late)
    assert await services.holds.get(placed.value.id) is None


@on_sqlite
async def test_who_writes_in_the_database_lifts_no_hold(clinic: Clinic) -> None:
    await two_administrators(clinic)
    await hold(clinic)
    services = clinic.system.services
    await services.database.commit([Change("UPDATE legal_hold SET lifted_ms = 1", [()], expect=1)])
    with pytest.raises(Held):
        await services.vault.prepare_forget("bob")
    assert len([finding async for finding in services.holds.verify()]) == 1


ROUTES = (
    ("GET", "/admin/holds"),
    ("POST", "/admin/holds"),
    ("POST", f"/admin/holds/{'0' * 32}/lift"),
    ("GET", "/admin/disposals"),
    ("POST", "/admin/disposals"),
    ("GET", f"/admin/disposals/{'0' * 32}"),
    ("POST", f"/admin/disposals/{'0' * 32}/approve"),
)


@on_sqlite
async def test_nobody_else_holds_or_disposes(clinic: Clinic) -> None:
    for who in ("physician", "bob", "auditor", "engine", "app", None):
        for method, path in ROUTES:
            refused = await ask(clinic, method, path, {"patient": "bob", "reason": REASON}, who=who)
            assert refused.status == (401 if who is None else 403), (who, method, path)


@on_sqlite
async def test_to_approve_takes_a_sign_in_of_this_quarter(clinic: Clinic) -> None:
    await two_administrators(clinic)
    proposed = await propose(clinic, ground="erasure")
    clinic.time.now_ms += 20 * 60_000
    assert (await ask(clinic, "GET", "/admin/disposals", who="deputy")).status == 200
    assert (await approve(clinic, proposed)).status == 401


BAD_PROPOSALS: tuple[tuple[Json, int], ...] = (
    ({"patient": "nobody", "reason": REASON}, 422),
    ({"patient": "x" * 65, "reason": REASON}, 400),
    ({"patient": "bob", "reason": "short"}, 422),
    ({"patient": "bob", "reason": "a bell \x07 in a reason"}, 422),
    ({"patient": "bob", "reason": REASON, "ground": "whim"}, 400),
    ({"reason": REASON}, 400),
)


@on_sqlite
async def test_bad_proposals(clinic: Clinic) -> None:
    await later(clinic)
    for body, status in BAD_PROPOSALS:
        assert (await ask(clinic, "POST", "/admin/disposals", body)).status == status, body


@on_sqlite
async def test_nothing_of_a_patient_stands_in_the_rows(clinic: Clinic) -> None:
    await two_administrators(clinic)
    await hold(clinic)
    await propose(clinic, "ada", ground="erasure")
    services = clinic.system.services
    (disposal,) = await services.disposals.newest()
    assert (disposal.ground, "ada" in repr(disposal)) == (Ground.ERASURE, False)
    for sql in ("SELECT sealed FROM legal_hold", "SELECT sealed FROM disposal", "SELECT about FROM disposal"):
        ((content,),) = await services.database.fetch(sql)
        assert not any(secret in content for secret in (b"bob", b"ada", b"court", REASON.encode()))
