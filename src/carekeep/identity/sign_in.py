"""Signing in with a password and, where the account has one, a one-time code."""

import asyncio
import os
from collections.abc import Callable

from carekeep.encryption import (
    RFC_9106_SECOND,
    Argon2Cost,
    Secret,
    new_totp_key,
    totp_counter,
    unmatched_hash,
    verify_password,
)
from carekeep.identity.account import Account
from carekeep.identity.accounts import Accounts
from carekeep.identity.errors import SignInRefused
from carekeep.identity.password_policy import LONGEST
from carekeep.storage import Clock, Prepared, system_clock

_AT_ONCE = 2  # password checks; each takes a core for 0.1 s and 64 MiB


class SignIn:
    """Verifies passwords and codes.

    Whether the login is unknown, the account disabled, the password or the code wrong: the same work is done and the
    same answer given. Passwords are checked in threads, two at a time, so that a flood of them does not stall reads.
    """

    def __init__(
        self,
        accounts: Accounts,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
        *,
        cost: Argon2Cost = RFC_9106_SECOND,
    ) -> None:
        self._accounts = accounts
        self._clock = clock
        self._unmatched = unmatched_hash(cost=cost, random=random)
        self._no_key = new_totp_key(random)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def verify(self, login: str, password: Secret, totp: str | None) -> Prepared[Account]:
        """The account that signs in, with what must be committed so that its one-time code is not used again.

        Raises SignInRefused. A conflict at commit means that the code was used by another request meanwhile (or the
        account changed): nobody signed in.
        """
        account = await self._accounts.find(login)
        right = await self._check_password(account, password)
        counter = self._check_code(account, totp or "")
        if account is None:
            raise SignInRefused("no account has this login", None)
        reason = _refusal(account, right=right, counter=counter, code_given=bool(totp))
        if reason:
            raise SignInRefused(reason, account.id.hex())
        if not account.has_totp or counter is None:
            return Prepared(account, ())
        return self._accounts.prepare_accepted_code(account, counter)

    async def _check_password(self, account: Account | None, password: Secret) -> bool:
        known = account.credentials.password_hash if account else None
        if len(password.reveal()) > LONGEST:
            known, password = None, Secret("")
        async with self._turns:
            return await asyncio.to_thread(verify_password, password, known or self._unmatched)

    def _check_code(self, account: Account | None, code: str) -> int | None:
        key = account.credentials.totp_key if account else None
        last = account.credentials.totp_counter if account else 0
        return totp_counter(key or self._no_key, code, self._clock(), last)


def _refusal(account: Account, *, right: bool, counter: int | None, code_given: bool) -> str | None:
    if account.credentials.password_hash is None:
        return "the account has no password"
    if not right:
        return "wrong password"
    if account.has_totp and counter is None:
        return "wrong or used code" if code_given else "no code"
    if account.disabled:
        return "the account is disabled"
    return None
