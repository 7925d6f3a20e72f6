"""How much chance is in what nobody may guess: 256 bits are drawn for it, and each of them shows in it."""

from collections.abc import Callable

import pytest

from carekeep.identity.apps.grant import new_handle, new_refresh_token
from carekeep.identity.apps.tickets import new_secret
from carekeep.identity.browser_session_rows import new_cookie
from carekeep.identity.invitations import Invitations
from carekeep.identity.token_rows import new_token
from tests.identity.people import Office

BITS = 256
Random = Callable[[int], bytes]


def refresh_token(random: Random) -> str:
    handle, _ = new_handle(random)
    return new_refresh_token(handle, bytes)[0].reveal_text()


def next_refresh_token(random: Random) -> str:
    return new_refresh_token(bytes(32), random)[0].reveal_text()


MADE: dict[str, Callable[[Random], str]] = {
    "access token": new_token,
    "cookie of a session": new_cookie,
    "first refresh token": refresh_token,
    "next refresh token": next_refresh_token,
    "authorization code, launch, pushed request": lambda random: new_secret(random).reveal_text(),
}


def one_bit(bit: int) -> Random:
    """Chance that gives the same each time: nothing but zeros and this bit."""
    return lambda count: (1 << bit).to_bytes(BITS // 8, "big")[-count:]


@pytest.mark.parametrize("what", MADE)
def test_secrets_have_256_random_bits(what: str) -> None:
    assert len({MADE[what](one_bit(bit)) for bit in range(BITS)}) == BITS


async def test_an_invitation_has_as_many(office: Office) -> None:
    account = await office.app()
    secrets = set()
    for bit in range(BITS):
        invitations = Invitations(office.database, office.keyring, office.clock, one_bit(bit))
        prepared = await invitations.prepare_device_code(account, account.id.hex())
        secrets.add(prepared.value.secret.reveal_text())
    assert len(secrets) == BITS
