"""Bearer tokens: good until they expire, are revoked, or their account is disabled; kept as hashes."""

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carekeep.encryption import Keyring, Tampered
from carekeep.identity import IdentityError, Kind, TokenRefused, tokens
from carekeep.identity.token_rows import token_hash
from carekeep.storage import Change, Conflict, Row
from tests.encryption.keys import opened_key_file
from tests.identity.people import Office

HOUR_MS = 3600 * 1000


async def reason(office: Office, bearer: str) -> str:
    with pytest.raises(TokenRefused, match=r"The access token is not valid\.") as refused:
        await office.tokens.authenticate(bearer)
    return refused.value.reason


async def elsewhere(office: Office, folder: Path) -> Office:
    """Another process, which has just heard of the accounts."""
    keyring = await Keyring.open(office.database, opened_key_file(folder), create=False)
    return Office(office.database, keyring, office.now)


async def test_a_token_says_who_holds_it(office: Office, tmp_path: Path) -> None:
    made = await office.practitioner(totp=True)
    prepared = office.tokens.prepare_issue(made, 2)
    issued = prepared.value
    with pytest.raises(TokenRefused):
        await office.tokens.authenticate(issued.secret.reveal_text())  # not committed
    await office.database.commit(prepared.steps)
    for process in (office, await elsewhere(office, tmp_path)):
        assert await process.tokens.authenticate(issued.secret.reveal_text()) == issued.principal
    principal = issued.principal
    assert (principal.account_id, principal.kind, principal.name) == (made.id.hex(), Kind.PRACTITIONER, made.name)
    assert (principal.fhir_user, principal.app, principal.grants) == ("Practitioner/p-1", None, frozenset())
    assert (principal.assurance, principal.authenticated_ms) == (2, office.now)
    assert issued.expires_ms == office.now + 12 * HOUR_MS


async def test_an_app_is_itself(office: Office) -> None:
    bearer, _ = await office.issue(await office.app(), 90 * 24 * HOUR_MS)
    principal = await office.tokens.authenticate(bearer)
    assert (principal.kind, principal.app, principal.grants) == (Kind.APP, "lab-import", frozenset({"system"}))


async def test_a_token_expires(office: Office) -> None:
    bearer, _ = await office.issue(await office.practitioner(), 1000)
    office.now += 999
    await office.tokens.authenticate(bearer)
    office.now += 1
    assert await reason(office, bearer) == "expired token"
    office.tokens.forget_cached()
    assert await reason(office, bearer) == "expired token"


async def test_sign_out_ends_one_session_here_at_once_and_elsewhere_when_told(office: Office, tmp_path: Path) -> None:
    made = await office.practitioner()
    (one, session), (two, _) = await office.issue(made), await office.issue(made)
    other = await elsewhere(office, tmp_path)
    for process in (office, other):
        await process.tokens.authenticate(one)
    revoked = await office.tokens.prepare_revoke(session)
    await office.tokens.authenticate(one)  # not committed
    await office.database.commit(revoked.steps)
    assert await reason(office, one) == "unknown or revoked token"
    other.tokens.forget_cached()
    assert await reason(other, one) == "unknown or revoked token"
    for process in (office, other):
        await process.tokens.authenticate(two)
    assert [(pin.table, pin.key, pin.digest) for pin in revoked.pins] == [("access_token", session, b"")]
    assert await office.database.fetch("SELECT n FROM generation WHERE topic = 'accounts'") == [(1,)]
    assert (await office.tokens.prepare_revoke(session)).steps == ()
    assert (await office.tokens.prepare_revoke("not a session")).steps == ()


async def test_a_token_read_before_its_revocation_is_not_kept(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read by a request that is still on its way when another process has revoked it, and told us so."""
    bearer, session = await office.issue(await office.practitioner())
    other = await elsewhere(office, tmp_path)
    fetch_one = office.database.fetch_one

    async def overtaken(sql: str, params: tuple[bytes]) -> Row | None:
        row = await fetch_one(sql, params)
        monkeypatch.undo()
        await office.database.commit((await other.tokens.prepare_revoke(session)).steps)
        office.tokens.forget_cached()
        return row

    monkeypatch.setattr(office.database, "fetch_one", overtaken)
    await office.tokens.authenticate(bearer)
    assert await reason(office, bearer) == "unknown or revoked token"


async def test_every_session_of_one_account_ends(office: Office) -> None:
    made, other = await office.practitioner(), await office.practitioner("bruno")
    bearers = [(await office.issue(made))[0] for _ in range(3)]
    stays, _ = await office.issue(other)
    for bearer in (*bearers, stays):
        await office.tokens.authenticate(bearer)
    prepared, twin = await office.tokens.prepare_revoke_all(made.id), await office.tokens.prepare_revoke_all(made.id)
    assert (prepared.value, len(prepared.pins)) == (3, 3)
    await office.database.commit(prepared.steps)
    with pytest.raises(Conflict):
        await office.database.commit(twin.steps)
    assert {await reason(office, bearer) for bearer in bearers} == {"unknown or revoked token"}
    await office.tokens.authenticate(stays)
    assert (await office.tokens.prepare_revoke_all(made.id)).steps == ()


async def test_a_disabled_account_is_refused(office: Office) -> None:
    made = await office.practitioner()
    bearer, _ = await office.issue(made)
    await office.tokens.authenticate(bearer)
    await office.disable(made)
    office.tokens.forget_cached()
    assert await reason(office, bearer) == "disabled account"
    kept = await office.accounts.get(made.id)
    assert kept is not None
    with pytest.raises(IdentityError, match="disabled"):
        office.tokens.prepare_issue(kept, 1)


async def test_a_changed_account_is_seen_changed(office: Office) -> None:
    made = await office.practitioner()
    bearer, _ = await office.issue(made)
    await office.tokens.authenticate(bearer)
    await office.database.commit(office.accounts.prepare_change(replace(made, name="Other")).steps)
    office.tokens.forget_cached()
    assert (await office.tokens.authenticate(bearer)).name == "Other"


async def test_verified_tokens_are_cached_in_bounds(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_CACHED", 2)
    made = await office.practitioner()
    bearers = [(await office.issue(made))[0] for _ in range(4)]
    for bearer in bearers:
        await office.tokens.authenticate(bearer)
    assert len(office.tokens._cached) == 2  # noqa: SLF001
    last = await office.tokens.authenticate(bearers[3])
    assert await office.tokens.authenticate(bearers[3]) is last
    assert await office.tokens.authenticate(bearers[0]) is not await office.tokens.authenticate(bearers[3])


@pytest.mark.parametrize(
    ("assurance", "lifetime_ms"),
    [(0, 1), (4, 1), (1, 0), (1, -1), (1, 31 * 24 * HOUR_MS), (3, 12 * HOUR_MS + 1)],
)
async def test_what_is_not_issued(office: Office, assurance: int, lifetime_ms: int) -> None:
    with pytest.raises(IdentityError):
        office.tokens.prepare_issue(await office.practitioner(), assurance, lifetime_ms)


async def test_level_two_lasts_a_day(office: Office) -> None:
    made = await office.practitioner(totp=True)
    office.tokens.prepare_issue(made, 2, 24 * HOUR_MS)
    with pytest.raises(IdentityError, match="too long"):
        office.tokens.prepare_issue(made, 2, 24 * HOUR_MS + 1)


async def test_sessions_are_listed(office: Office) -> None:
    made = await office.practitioner()
    _, short = await office.issue(made, 1000)
    _, long = await office.issue(made, 2000)
    await office.issue(await office.practitioner("bruno"))
    assert [listed.session for listed in await office.tokens.sessions(made.id)] == [long, short]
    office.now += 1000
    [listed] = await office.tokens.sessions(made.id)
    assert (listed.session, listed.expires_ms, listed.assurance) == (long, office.now + 1000, 1)


async def test_expired_tokens_are_purged(office: Office) -> None:
    made = await office.practitioner()
    _, old = await office.issue(made, 1000)
    stays, _ = await office.issue(made, 5000)
    office.now += 2000
    purge = await office.tokens.prepare_purge(office.now)
    await office.database.commit(purge.steps)
    assert (purge.value, [pin.key for pin in purge.pins]) == (1, [old])
    await office.tokens.authenticate(stays)
    assert await office.database.fetch_one("SELECT count(*) FROM access_token") == (1,)


async def test_only_the_hash_is_kept(office: Office) -> None:
    bearer, session = await office.issue(await office.practitioner())
    assert re.fullmatch(r"ck_[A-Za-z0-9_-]{43}", bearer)
    assert session == hashlib.sha256(bearer.encode()).hexdigest()
    [row] = await office.database.fetch("SELECT * FROM access_token")
    kept = b"".join(value for value in row if isinstance(value, bytes))
    assert bearer[3:].encode() not in kept
    assert base64.urlsafe_b64decode(bearer[3:] + "=") not in kept
    rows = [pinned async for pinned in office.tokens.pinned_rows()]
    assert rows == [(session, row[3])]


async def test_nothing_shows_a_token_or_a_name(office: Office) -> None:
    prepared = office.tokens.prepare_issue(await office.practitioner(), 1)
    bearer = prepared.value.secret.reveal_text()
    shown = f"{prepared.value!r} {prepared.value}"
    for mark in (bearer, bearer[3:], "Marked", "p-1"):
        assert mark not in shown


@given(st.one_of(st.text(max_size=60), st.binary(max_size=32).map(lambda raw: "ck_" + base64.b64encode(raw).decode())))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_not_a_token_is_refused_before_any_lookup(bearer: str) -> None:
    try:
        assert len(token_hash(bearer)) == 32
    except TokenRefused:
        assert not re.fullmatch(r"ck_[A-Za-z0-9_-]{43}", bearer)


@pytest.mark.parametrize(
    "bearer", ["", "ck_", "ck_" + "A" * 42, "ck_" + "A" * 44, "ck_" + "A" * 43 + "\n", "x" * 1_000_000]
)
async def test_malformed_tokens(office: Office, bearer: str) -> None:
    assert await reason(office, bearer) == "malformed token"


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE access_token SET expires_ms = expires_ms + 1",
        "UPDATE access_token SET account = (SELECT id FROM account WHERE id <> account)",
        "UPDATE access_token SET sealed = hash",
    ],
)
async def test_a_row_that_was_changed_is_found(office: Office, sql: str) -> None:
    bearer, session = await office.issue(await office.practitioner())
    await office.practitioner("bruno")
    assert [finding async for finding in office.tokens.verify()] == []
    await office.database.commit([Change(sql, ((),), expect=1)])
    with pytest.raises(Tampered):
        await office.tokens.authenticate(bearer)
    assert [finding.where async for finding in office.tokens.verify()] == [f"access_token/{session}"]


async def test_a_token_without_its_account_is_found(office: Office) -> None:
    bearer, session = await office.issue(await office.practitioner())
    await office.database.commit([Change("DELETE FROM account", ((),), expect=1)])
    assert await reason(office, bearer) == "unknown or revoked token"
    [finding] = [finding async for finding in office.tokens.verify()]
    assert (finding.where, "does not exist" in finding.what) == (f"access_token/{session}", True)
