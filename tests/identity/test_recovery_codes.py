"""Recovery codes: a second factor once each, and worth nothing in the database."""

import re

import pytest

from carekeep.encryption import Secret
from carekeep.identity import Account, SignInRefused
from carekeep.identity.recovery_codes import code_digest, new_codes
from carekeep.storage import Conflict
from tests.identity.people import PASSWORD, Office


async def with_codes(office: Office, account: Account) -> list[str]:
    prepared = office.accounts.prepare_recovery_codes(account)
    await office.database.commit(prepared.steps)
    return [code.reveal_text() for code in prepared.value.codes]


async def sign_in(office: Office, code: str) -> int | None:
    verified = await office.sign_in.verify("amelie", PASSWORD, code)
    await office.database.commit(verified.steps)
    assert (verified.value.assurance, verified.value.methods) == (2, ("pwd", "otp", "mfa"))
    return verified.value.recovery_codes_left


async def refused(office: Office, code: str) -> None:
    with pytest.raises(SignInRefused) as refusal:
        await office.sign_in.verify("amelie", PASSWORD, code)
    assert refusal.value.reason == "wrong or used code"


async def test_each_code_is_good_once(office: Office) -> None:
    codes = await with_codes(office, await office.practitioner(totp=True))
    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"([A-Z2-7]{4}-){3}[A-Z2-7]{4}", code) for code in codes)
    assert [await sign_in(office, code) for code in codes] == list(range(9, -1, -1))
    for code in codes[:3]:
        await refused(office, code)


@pytest.mark.parametrize("typed", ["ABCDEFGH", "abcd efgh", " ab-cd-ef gh "])
def test_as_people_type_them(office: Office, typed: str) -> None:
    tagger = office.keyring.index
    plain = code_digest(tagger, b"", Secret("ABCD-EFGH-ABCD-EFGH"))
    assert plain is not None
    assert code_digest(tagger, b"", Secret(typed + typed)) == plain


def test_digits_that_are_no_part_of_a_code_are_taken_for_letters(office: Office) -> None:
    tagger = office.keyring.index
    assert code_digest(tagger, b"", Secret("O1B2-3456-7AAA-AAAA")) == code_digest(
        tagger, b"", Secret("oi82 3456 7aaa aaaa")
    )


async def test_one_code_used_by_two_at_once(office: Office) -> None:
    codes = await with_codes(office, await office.practitioner(totp=True))
    first = await office.sign_in.verify("amelie", PASSWORD, codes[0])
    second = await office.sign_in.verify("amelie", PASSWORD, codes[0])
    await office.database.commit(first.steps)
    with pytest.raises(Conflict):
        await office.database.commit(second.steps)


async def test_new_codes_end_the_old_ones(office: Office) -> None:
    made = await office.practitioner(totp=True)
    old = await with_codes(office, made)
    kept = await office.accounts.get(made.id)
    assert kept is not None
    new = await with_codes(office, kept)
    await refused(office, old[0])
    assert await sign_in(office, new[0]) == 9


async def test_a_code_is_of_its_account(office: Office) -> None:
    await office.practitioner(totp=True)
    codes = await with_codes(office, await office.practitioner("bruno", totp=True))
    await refused(office, codes[0])
    one, other = [code_digest(office.keyring.index, account, Secret(codes[0])) for account in (b"1", b"2")]
    assert one != other  # so that equal rows do not tell of equal codes, nor a digest moved elsewhere open anything


async def test_a_code_does_not_replace_the_password(office: Office) -> None:
    codes = await with_codes(office, await office.practitioner(totp=True))
    with pytest.raises(SignInRefused) as refusal:
        await office.sign_in.verify("amelie", Secret("not the password at all"), codes[0])
    assert refusal.value.reason == "wrong password"
    assert await sign_in(office, codes[0]) == 9


async def test_without_one_time_codes_it_makes_a_second_factor_too(office: Office) -> None:
    codes = await with_codes(office, await office.practitioner())
    assert await sign_in(office, codes[0]) == 9


async def test_nothing_shows_a_code(office: Office) -> None:
    made = await office.practitioner(totp=True)
    prepared = office.accounts.prepare_recovery_codes(made)
    code = prepared.value.codes[0].reveal_text()
    shown = f"{prepared!r} {prepared.value} {prepared.value.account.credentials!r}"
    assert code not in shown
    assert code not in repr(prepared.value.account.credentials.recovery_codes)


def test_codes_have_eighty_random_bits() -> None:
    asked: list[int] = []

    def random(length: int) -> bytes:
        asked.append(length)
        return bytes(length)

    assert [code.reveal_text() for code in new_codes(random)] == ["AAAA-AAAA-AAAA-AAAA"] * 10
    assert asked == [10] * 10


@pytest.mark.parametrize(
    "text", ["", "123456", "AAAA-AAAA-AAAA-AAA", "AAAA-AAAA-AAAA-AAAA-A", "é" * 16, "9" * 16, "A" * 9999]
)
async def test_what_is_no_recovery_code(office: Office, text: str) -> None:
    assert code_digest(office.keyring.index, b"", Secret(text)) is None
