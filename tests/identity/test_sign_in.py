"""Signing in: the right person once, and for everybody else the same work and the same answer."""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from carekeep.encryption import Secret, at_low_priority, verify_password
from carekeep.encryption.low_priority import NICENESS
from carekeep.identity import SignedIn, SignIn, SignInRefused, SignInThrottled, sign_in
from carekeep.identity.sign_in_line import PACE_S
from carekeep.storage import Conflict
from tests.encryption.keys import CHEAP
from tests.identity.people import PASSWORD, STEP_MS, Office

WRONG = Secret("seventeen swans sink")


async def refusal(office: Office, login: str, password: Secret, code: str | None = None) -> SignInRefused:
    with pytest.raises(SignInRefused) as refused:
        await office.sign_in.verify(login, password, code)
    return refused.value


async def test_with_a_password(office: Office) -> None:
    made = await office.practitioner()
    verified = await office.sign_in.verify("AMELIE", PASSWORD, None)
    assert verified.value == SignedIn(made, 1, ("pwd",))
    assert verified.pins == ()


async def test_with_a_code_that_is_good_once(office: Office) -> None:
    made = await office.practitioner(totp=True)
    verified = await office.sign_in.verify("amelie", PASSWORD, office.code())
    twin = await office.sign_in.verify("amelie", PASSWORD, office.code())
    await office.database.commit(verified.steps)
    with pytest.raises(Conflict):
        await office.database.commit(twin.steps)
    assert (verified.value.assurance, verified.value.methods) == (2, ("pwd", "otp", "mfa"))
    assert await office.accounts.get(made.id) == verified.value.account
    assert [pin.key for pin in verified.pins] == [made.id.hex()]
    again = await refusal(office, "amelie", PASSWORD, office.code())
    assert again.reason == "wrong or used code"
    office.now += STEP_MS
    await office.database.commit((await office.sign_in.verify("amelie", PASSWORD, office.code())).steps)


async def test_every_refusal_looks_the_same_and_the_ledger_knows_why(office: Office) -> None:
    made = await office.practitioner(totp=True)
    gone = await office.practitioner("bruno")
    await office.disable(gone)
    app = await office.app()
    refusals = {
        "no account has this login": (await refusal(office, "nobody", PASSWORD), None),
        "wrong password": (await refusal(office, "amelie", WRONG, office.code()), made),
        "no code": (await refusal(office, "amelie", PASSWORD), made),
        "wrong or used code": (await refusal(office, "amelie", PASSWORD, "000000"), made),
        "the account is disabled": (await refusal(office, "bruno", PASSWORD), gone),
        "the account has no password": (await refusal(office, "lab-import", PASSWORD), app),
    }
    for reason, (refused, account) in refusals.items():
        assert refused.reason == reason
        assert refused.account_id == (account.id.hex() if account else None)
    assert len({str(refused) for refused, _ in refusals.values()}) == 1


@pytest.mark.parametrize(
    ("login", "password"),
    [
        ("amelie", PASSWORD),
        ("amelie", WRONG),
        ("nobody", PASSWORD),
        ("bruno", PASSWORD),
        ("lab-import", PASSWORD),
        ("amelie", Secret("x" * 100_000)),
        ("amelie", Secret(b"\xff\xfe")),
        ("\ud800" * 10_000, PASSWORD),
    ],
    ids=["right", "wrong", "unknown", "disabled", "app", "long", "not text", "strange login"],
)
async def test_the_same_work_is_done(
    office: Office, monkeypatch: pytest.MonkeyPatch, login: str, password: Secret
) -> None:
    await office.practitioner()
    await office.disable(await office.practitioner("bruno"))
    await office.app()
    worked: list[tuple[list[str], int]] = []

    def counted(password: Secret, phc: str) -> bool:
        worked.append((phc.split("$")[1:4], len(password.reveal())))
        return verify_password(password, phc)

    monkeypatch.setattr(sign_in, "verify_password", counted)
    with suppress(SignInRefused):
        await office.sign_in.verify(login, password, None)
    [(costs, length)] = worked
    assert costs == ["argon2id", "v=19", "m=8,t=1,p=1"]
    assert length <= 1024


async def test_a_flood_is_checked_one_at_a_time_by_threads_that_give_way(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard, most, ran = threading.Lock(), 0, set[tuple[int, int]]()

    def counted(password: Secret, phc: str) -> bool:
        nonlocal most
        here = threading.get_native_id()
        ran.add((here, os.getpriority(os.PRIO_PROCESS, here)))
        alone = guard.acquire(blocking=False)
        most = max(most, 1 if alone else 2)
        answer = verify_password(password, phc)
        if alone:
            guard.release()
        return answer

    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    monkeypatch.setattr(sign_in, "verify_password", counted)
    refused = await asyncio.gather(*(refusal(office, f"nobody-{number}", WRONG) for number in range(10)))
    assert {each.reason for each in refused} == {"no account has this login"}
    assert most == 1
    assert {niceness for _, niceness in ran} == {max(mine, NICENESS)}
    assert threading.get_native_id() not in {thread for thread, _ in ran}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine, "only those threads step back"


async def test_a_browser_that_is_known_does_not_wait_with_strangers(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.practitioner()
    cookie = office.known_browsers.issue("amelie").reveal_text()
    held = asyncio.Event()

    async def slow_for_strangers(work: Callable[..., bool], password: Secret, phc: str) -> bool:
        if password.reveal() == WRONG.reveal():
            await held.wait()
        return await at_low_priority(work, password, phc)

    monkeypatch.setattr(sign_in, "at_low_priority", slow_for_strangers)
    strangers = [asyncio.create_task(refusal(office, f"nobody-{number}", WRONG)) for number in range(5)]
    verified = await office.sign_in.verify("amelie", PASSWORD, None, known_browser=cookie)
    assert verified.value.account.login == "amelie"
    assert not any(stranger.done() for stranger in strangers)
    held.set()
    await asyncio.gather(*strangers)


async def test_a_refusal_without_a_check_is_held_up(office: Office) -> None:
    """Else a flood of tries that the throttle refuses would be answered, and asked again, as fast as the server can."""
    await office.practitioner()
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    office.sign_in = SignIn(office.accounts, office.throttle, office.clock, cost=CHEAP, pause=pause)
    checked = [await refusal(office, "amelie", WRONG) for _ in range(5)]
    assert not any(isinstance(each, SignInThrottled) for each in checked)
    assert pauses == []
    throttled = await refusal(office, "amelie", WRONG)
    assert isinstance(throttled, SignInThrottled)
    assert throttled.account_id is not None
    assert pauses == [PACE_S]
