"""Browser sessions: over when idle, at their end, or when they are ended; and never the cookie from before."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from carekeep.encryption import Keyring, Tampered
from carekeep.identity import (
    Account,
    BrowserSession,
    BrowserSessionRefused,
    IdentityError,
    SignedIn,
    StartedSession,
    browser_sessions,
)
from carekeep.identity.user_agents import agent_in_words
from carekeep.storage import Change, Conflict, Row
from tests.encryption.keys import opened_key_file
from tests.identity.people import Office

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"


async def start(office: Office, account: Account, assurance: int = 2) -> StartedSession:
    signed_in = SignedIn(account, assurance, ("pwd", "otp", "mfa"))
    prepared = office.browser_sessions.prepare_start(signed_in, address="192.0.2.7", user_agent=FIREFOX)
    await office.database.commit(prepared.steps)
    return prepared.value


async def reason(office: Office, started: StartedSession) -> str:
    with pytest.raises(BrowserSessionRefused, match=r"^Sign in again\.$") as refused:
        await office.browser_sessions.authenticate(started.cookie.reveal_text())
    return refused.value.reason


async def look(office: Office, started: StartedSession) -> BrowserSession:
    return await office.browser_sessions.authenticate(started.cookie.reveal_text())


async def elsewhere(office: Office, folder: Path) -> Office:
    keyring = await Keyring.open(office.database, opened_key_file(folder), create=False)
    return Office(office.database, keyring, office.now)


async def test_a_session_says_who_and_how(office: Office, tmp_path: Path) -> None:
    made = await office.practitioner()
    started = await start(office, made)
    for process in (office, await elsewhere(office, tmp_path)):
        assert await look(process, started) == started.session
    session = started.session
    assert (session.account, session.assurance, session.methods) == (made, 2, ("pwd", "otp", "mfa"))
    assert (session.address, session.agent, session.device) == ("192.0.2.7", "Firefox on Linux", None)
    assert (session.created_ms, session.authenticated_ms, session.last_seen_ms) == (office.now,) * 3
    assert session.end_ms == office.now + 24 * HOUR_MS
    assert session.hash == hashlib.sha256(started.cookie.reveal()).digest()


@pytest.mark.parametrize(("assurance", "idle"), [(1, 60), (2, 60), (3, 15)])
async def test_an_idle_session_is_over(office: Office, assurance: int, idle: int) -> None:
    started = await start(office, await office.practitioner(), assurance)
    office.now += idle * MINUTE_MS - 1
    await look(office, started)
    office.now += idle * MINUTE_MS - 1
    await look(office, started)
    office.now += idle * MINUTE_MS
    assert await reason(office, started) == "the browser's session is over"


@pytest.mark.parametrize(("assurance", "hours"), [(1, 24), (2, 24), (3, 12)])
async def test_a_session_that_is_used_all_the_time_is_over_too(office: Office, assurance: int, hours: int) -> None:
    started = await start(office, await office.practitioner(), assurance)
    for _ in range(hours * 6 - 1):
        office.now += 10 * MINUTE_MS
        await look(office, started)
    office.now += 10 * MINUTE_MS
    assert await reason(office, started) == "the browser's session is over"
    assert await office.browser_sessions.of_account(started.session.account.id) == ()


async def test_use_is_written_down_at_most_each_minute(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    started = await start(office, await office.practitioner())
    commits: list[int] = []
    commit = office.database.commit

    async def counted(steps: list[Change]) -> None:
        commits.append(office.now)
        await commit(steps)

    monkeypatch.setattr(office.database, "commit", counted)
    begin = office.now
    for _ in range(180):
        office.now += 1000
        await look(office, started)
    assert [now - begin for now in commits] == [60_000, 120_000, 180_000]
    [session] = await office.browser_sessions.of_account(started.session.account.id)
    assert session.last_seen_ms == office.now


async def test_what_another_worker_saw_counts(office: Office, tmp_path: Path) -> None:
    started = await start(office, await office.practitioner())
    await look(office, started)
    other = await elsewhere(office, tmp_path)
    other.now += 50 * MINUTE_MS
    await look(other, started)
    office.now += 70 * MINUTE_MS
    assert (await look(office, started)).last_seen_ms == office.now


async def test_a_step_up_makes_a_new_cookie_for_the_same_session(office: Office) -> None:
    """Session fixation: whoever planted the cookie from before has nothing."""
    made = await office.practitioner()
    started = await start(office, made, 1)
    office.now += HOUR_MS - 1
    proof = SignedIn(made, 3, ("hwk", "user", "mfa"))
    prepared = office.browser_sessions.prepare_step_up(started.session, proof, address="192.0.2.8")
    assert (await look(office, started)).assurance == 1  # nothing is committed
    twin = office.browser_sessions.prepare_step_up(started.session, proof, address="192.0.2.8")
    await office.database.commit(prepared.steps)
    with pytest.raises(Conflict):
        await office.database.commit(twin.steps)
    assert await reason(office, started) == "unknown or ended browser's session"
    stronger = await look(office, prepared.value)
    assert (stronger.id, stronger.created_ms) == (started.session.id, started.session.created_ms)
    assert (stronger.assurance, stronger.methods, stronger.address) == (3, ("hwk", "user", "mfa"), "192.0.2.8")
    assert (stronger.authenticated_ms, stronger.end_ms) == (office.now, office.now + 12 * HOUR_MS)
    assert {(pin.key, bool(pin.digest)) for pin in prepared.pins} == {
        (started.session.hash.hex(), False),
        (stronger.hash.hex(), True),
    }


async def test_nobody_else_steps_up(office: Office) -> None:
    made, other = await office.practitioner(), await office.practitioner("bruno")
    session = (await start(office, made)).session
    for account in (other, replace(made, disabled=True)):
        with pytest.raises(IdentityError):
            office.browser_sessions.prepare_step_up(session, SignedIn(account, 2, ("pwd",)), address=None)


async def test_every_sign_in_is_another_session(office: Office) -> None:
    made = await office.practitioner()
    one, two = await start(office, made), await start(office, made)
    assert one.session.id != two.session.id
    assert one.cookie != two.cookie


async def test_sessions_are_listed_and_ended(office: Office, tmp_path: Path) -> None:
    made, other = await office.practitioner(), await office.practitioner("bruno")
    mine, lost, third = [await start(office, made) for _ in range(3)]
    stays = await start(office, other)
    far = await elsewhere(office, tmp_path)
    for process in (office, far):
        for started in (mine, lost, third, stays):
            await look(process, started)
    assert {session.id for session in await office.browser_sessions.of_account(made.id)} == {
        started.session.id for started in (mine, lost, third)
    }
    ended = await office.browser_sessions.prepare_end(lost.session)
    assert [(pin.table, pin.key, pin.digest) for pin in ended.pins] == [
        ("browser_session", lost.session.hash.hex(), b"")
    ]
    await office.database.commit(ended.steps)
    assert await reason(office, lost) == "unknown or ended browser's session"
    await look(far, lost)  # until it hears of generation "accounts"
    assert await office.database.fetch("SELECT n FROM generation WHERE topic = 'accounts'") == [(1,)]
    far.browser_sessions.forget_cached()
    assert await reason(far, lost) == "unknown or ended browser's session"
    others = await office.browser_sessions.prepare_end_all(made.id, but=mine.session)
    await office.database.commit(others.steps)
    assert others.value == 1
    assert [session.id for session in await office.browser_sessions.of_account(made.id)] == [mine.session.id]
    everything = await office.browser_sessions.prepare_end_all(made.id)
    await office.database.commit(everything.steps)
    assert await reason(office, mine) == "unknown or ended browser's session"
    await look(office, stays)
    assert (await office.browser_sessions.prepare_end_all(made.id)).steps == ()


async def test_tokens_of_a_session_end_with_it(office: Office) -> None:
    made = await office.practitioner()
    session = (await start(office, made)).session
    parent = bytes.fromhex(session.id)
    issued = office.tokens.prepare_issue(made, 2, 60_000, parent=parent)
    await office.database.commit(issued.steps)
    tokens = await office.tokens.prepare_revoke_under(parent)
    await office.database.commit((*(await office.browser_sessions.prepare_end(session)).steps, *tokens.steps))
    assert tokens.value == 1
    assert await office.tokens.sessions(made.id) == ()


async def test_a_session_read_before_its_end_is_not_kept(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    started = await start(office, await office.practitioner())
    fetch_one = office.database.fetch_one

    async def overtaken(sql: str, params: tuple[bytes]) -> Row | None:
        row = await fetch_one(sql, params)
        monkeypatch.undo()
        await office.database.commit((await office.browser_sessions.prepare_end(started.session)).steps)
        office.browser_sessions.forget_cached()
        return row

    monkeypatch.setattr(office.database, "fetch_one", overtaken)
    await look(office, started)
    assert await reason(office, started) == "unknown or ended browser's session"


async def test_a_disabled_account_has_no_session(office: Office) -> None:
    made = await office.practitioner()
    started = await start(office, made)
    await look(office, started)
    await office.disable(made)
    office.browser_sessions.forget_cached()
    assert await reason(office, started) == "disabled account"
    for account in (replace(made, disabled=True), await office.app()):
        with pytest.raises(IdentityError):
            office.browser_sessions.prepare_start(SignedIn(account, 1, ("pwd",)), address=None)


@pytest.mark.parametrize("cookie", ["", "x" * 42, "x" * 44, "é" * 43, "x" * 43 + "\n", "x" * 1_000_000])
async def test_what_is_no_cookie(office: Office, cookie: str) -> None:
    with pytest.raises(BrowserSessionRefused) as refused:
        await office.browser_sessions.authenticate(cookie)
    assert refused.value.reason == "malformed session cookie"


async def test_the_cache_is_bounded(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_sessions, "_CACHED", 2)
    made = await office.practitioner()
    for started in [await start(office, made) for _ in range(4)]:
        await look(office, started)
    assert len(office.browser_sessions._cached) == 2  # noqa: SLF001


async def test_purging(office: Office) -> None:
    made = await office.practitioner()
    await start(office, made, 3)
    stays = await start(office, made)
    office.now += 20 * MINUTE_MS
    purged = await office.browser_sessions.prepare_purge(office.now)
    await office.database.commit(purged.steps)
    assert (purged.value, len(purged.pins)) == (1, 1)
    await look(office, stays)


async def test_rows_are_sealed_and_pinned_and_stay_so_while_they_are_used(office: Office) -> None:
    started = await start(office, await office.practitioner())
    [(_, _, _, _, sealed)] = await office.database.fetch("SELECT * FROM browser_session")
    office.now += 30 * MINUTE_MS
    await look(office, started)
    assert [pinned async for pinned in office.browser_sessions.pinned_rows()] == [(started.session.hash.hex(), sealed)]
    for mark in (started.cookie.reveal(), b"192.0.2", b"Firefox"):
        assert mark not in sealed
    shown = f"{started!r}"
    assert started.cookie.reveal_text() not in shown
    assert started.session.hash.hex() not in shown
    assert "Marked" not in shown
    assert [finding async for finding in office.browser_sessions.verify()] == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE browser_session SET account = (SELECT id FROM account WHERE id <> account)",
        "UPDATE browser_session SET sealed = hash",
    ],
)
async def test_a_row_that_was_changed_is_found(office: Office, sql: str) -> None:
    started = await start(office, await office.practitioner())
    await office.practitioner("bruno")
    await office.database.commit([Change(sql, ((),), expect=1)])
    with pytest.raises(Tampered):
        await look(office, started)
    [finding] = [finding async for finding in office.browser_sessions.verify()]
    assert finding.where == f"browser_session/{started.session.hash.hex()}"


async def test_whoever_moves_the_idle_time_does_not_move_the_end(office: Office) -> None:
    started = await start(office, await office.practitioner())
    far = office.now + 10**12
    await office.database.commit([Change("UPDATE browser_session SET expires_ms = $1", ((far,),), expect=1)])
    office.now += 24 * HOUR_MS
    assert await reason(office, started) == "the browser's session is over"


async def test_a_session_without_its_account_is_found(office: Office) -> None:
    started = await start(office, await office.practitioner())
    await office.database.commit([Change("DELETE FROM account", ((),), expect=1)])
    assert await reason(office, started) == "unknown or ended browser's session"
    [finding] = [finding async for finding in office.browser_sessions.verify()]
    assert "does not exist" in finding.what


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0", "Edge on Windows"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/26.0 Safari/605.1.15", "Safari on macOS"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) CriOS/142.0 Safari/604.1", "Chrome on iPhone"),
        ("Mozilla/5.0 (Linux; Android 16) Chrome/142.0 Mobile Safari/537.36", "Chrome on Android"),
        ("curl/8.15", "Unknown browser"),
        ("<script>Linux", "Unknown browser on Linux"),
        ("", "Unknown browser"),
        ("x" * 100_000 + "Firefox/1", "Unknown browser"),
    ],
    ids=range(9),
)
def test_a_browser_in_words(agent: str, words: str) -> None:
    assert agent_in_words(agent) == words
