"""Signing in with a password and, where the account has one, a one-time code or a recovery code."""

import asyncio
import os
from collections.abc import Awaitable, Callable

from carekeep.encryption import (
    RFC_9106_SECOND,
    Argon2Cost,
    Secret,
    at_low_priority,
    new_totp_key,
    totp_counter,
    unmatched_hash,
    verify_password,
)
from carekeep.identity.account import ID_LENGTH, Account
from carekeep.identity.accounts import Accounts
from carekeep.identity.errors import SignInCrowded, SignInRefused, SignInThrottled
from carekeep.identity.password_policy import LONGEST
from carekeep.identity.recovery_codes import without
from carekeep.identity.sign_in_line import Line, LineFull
from carekeep.identity.signed_in import PASSWORD, PASSWORD_AND_CODE, SignedIn
from carekeep.identity.throttle import Taken, Throttle, Throttled
from carekeep.storage import Clock, Prepared, system_clock


class SignIn:
    """Verifies passwords and codes.

    Whether the login is unknown, the account disabled, the password or the code wrong: the same work is done and the
    same answer given. Passwords are checked one at a time, in a thread that gives way to all others, so that a flood of
    them does not slow reads. Browsers that signed in to the account before have a line of their own. ``pause`` waits
    for seconds.
    """

    def __init__(
        self,
        accounts: Accounts,
        throttle: Throttle,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
        *,
        cost: Argon2Cost = RFC_9106_SECOND,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._accounts = accounts
        self._throttle = throttle
        self._clock = clock
        self._unmatched = unmatched_hash(cost=cost, random=random)
        self._no_key = new_totp_key(random)
        self._strangers = Line(pause)
        self._known = Line(pause)

    async def verify(
        self,
        login: str,
        password: Secret,
        code: str | None,
        *,
        address: str | None = None,
        known_browser: str | None = None,
    ) -> Prepared[SignedIn]:
        """Who signs in, with what must be committed so that the code is not used again and the count starts anew.

        ``code``: a one-time code or a recovery code. ``address``: of the client. ``known_browser``: its cookie of
        ``KnownBrowsers``. Raises SignInRefused, of which SignInThrottled is a kind. A conflict at commit means that the
        code was used by another request meanwhile (or the account changed): nobody signed in.
        """
        line = self._known if self._throttle.knows(login, known_browser) else self._strangers
        account: Account | None = None
        try:
            async with line.turn():
                account = await self._accounts.find(login)
                taken = await self._throttle.take(login, address, known_browser)
                right = await self._check_password(account, password)
        except LineFull:
            raise SignInCrowded from None
        except Throttled as throttled:
            await line.send_away()
            raise SignInThrottled(throttled.wait_ms, account.id.hex() if account else None) from None
        counter = self._check_code(account, code or "")
        codes_left = self._check_recovery_code(account, Secret(code or ""))
        if account is None:
            raise SignInRefused("no account has this login", None)
        has_code = counter is not None or codes_left is not None
        reason = _refusal(account, right=right, has_code=has_code, code_given=bool(code))
        if reason:
            raise SignInRefused(reason, account.id.hex())
        return self._signed_in(account, counter, codes_left, taken)

    def _signed_in(
        self, account: Account, counter: int | None, codes_left: tuple[bytes, ...] | None, taken: Taken
    ) -> Prepared[SignedIn]:
        settled = self._throttle.settled(taken)
        if codes_left is not None:
            used = self._accounts.prepare_used_recovery_code(account, codes_left)
            value = SignedIn(used.value, 2, PASSWORD_AND_CODE, recovery_codes_left=len(codes_left))
            return Prepared(value, (*used.steps, *settled), used.pins)
        if counter is not None:
            accepted = self._accounts.prepare_accepted_code(account, counter)
            return Prepared(SignedIn(accepted.value, 2, PASSWORD_AND_CODE), (*accepted.steps, *settled), accepted.pins)
        return Prepared(SignedIn(account, 1, PASSWORD), settled)

    async def _check_password(self, account: Account | None, password: Secret) -> bool:
        known = account.credentials.password_hash if account else None
        if len(password.reveal()) > LONGEST:
            known, password = None, Secret("")
        return await at_low_priority(verify_password, password, known or self._unmatched)

    def _check_code(self, account: Account | None, code: str) -> int | None:
        key = account.credentials.totp_key if account else None
        last = account.credentials.totp_counter if account else 0
        counter = totp_counter(key or self._no_key, code, self._clock(), last)
        return counter if key else None

    def _check_recovery_code(self, account: Account | None, code: Secret) -> tuple[bytes, ...] | None:
        """The codes that are left, if this is one of them."""
        digest = self._accounts.recovery_digest(account.id if account else bytes(ID_LENGTH), code)
        return without(account.credentials.recovery_codes, digest) if account and digest else None


def _refusal(account: Account, *, right: bool, has_code: bool, code_given: bool) -> str | None:
    if account.credentials.password_hash is None:
        return "the account has no password"
    if not right:
        return "wrong password"
    if account.has_totp and not has_code:
        return "wrong or used code" if code_given else "no code"
    if not has_code and not account.credentials.password_stands_alone:
        return "the password is too short to stand alone"
    if account.disabled:
        return "the account is disabled"
    return None
