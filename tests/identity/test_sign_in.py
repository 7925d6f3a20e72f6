"""Signing in: the right person once, and for everybody else the same work and the same answer."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from carekeep.encryption import Secret, verify_password
from carekeep.identity import SignInRefused, sign_in
from carekeep.storage import Conflict
from tests.identity.people import PASSWORD, STEP_MS, Office

WRONG = Secret("seventeen swans sink")


async def refusal(office: Office, login: str, password: Secret, code: str | None = None) -> SignInRefused:
    with pytest.raises(SignInRefused) as refused:
        await office.sign_in.verify(login, password, code)
    return refused.value


async def test_with_a_password(office: Office) -> None:
    made = await office.practitioner()
    verified = await office.sign_in.verify("AMELIE", PASSWORD, None)
    assert (verified.value, verified.steps, verified.pins) == (made, (), ())
    assert verified.value.assurance == 1


async def test_with_a_code_that_is_good_once(office: Office) -> None:
    made = await office.practitioner(totp=True)
    verified = await office.sign_in.verify("amelie", PASSWORD, office.code())
    twin = await office.sign_in.verify("amelie", PASSWORD, office.code())
    await office.database.commit(verified.steps)
    with pytest.raises(Conflict):
        await office.database.commit(twin.steps)
    assert verified.value.assurance == 2
    assert await office.accounts.get(made.id) == verified.value
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


async def test_a_flood_is_checked_two_at_a_time_in_threads(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    running, most, finished = 0, 0, 0
    to_thread, pair = asyncio.to_thread, asyncio.Event()

    async def counted(work: Callable[..., object], *arguments: Any) -> object:
        nonlocal running, most, finished
        if work is not verify_password:
            return await to_thread(work, *arguments)
        running += 1
        most = max(most, running)
        if running == 2:
            pair.set()
        await asyncio.wait_for(pair.wait(), 30)  # the first one until there is a second
        answer = await to_thread(work, *arguments)
        running -= 1
        finished += 1
        return answer

    monkeypatch.setattr(asyncio, "to_thread", counted)
    await asyncio.gather(*(refusal(office, "nobody", WRONG) for _ in range(10)))
    assert (most, finished) == (2, 10)
