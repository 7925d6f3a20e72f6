"""Sessions of browsers at our sites, and how they are kept: by the hash of their cookie, and sealed.

``expires_ms`` stands in the open and outside of what is sealed: it is moved on while the session is used, without an
entry in the ledger for each minute. Whoever moves it in the database gains the idle time at most: the end is sealed.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from carekeep.encryption import Cipher, associated_data
from carekeep.identity.account import Account
from carekeep.identity.errors import BrowserSessionRefused

_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
# NIST SP 800-63B-4, sections 2.1.3, 2.2.3 and 2.3.3; level 1 has the limits of level 2 here.
IDLE_MS = {1: _HOUR_MS, 2: _HOUR_MS, 3: 15 * _MINUTE_MS}
LONGEST_MS = {1: 24 * _HOUR_MS, 2: 24 * _HOUR_MS, 3: 12 * _HOUR_MS}
ID_LENGTH = 16

SIGN_IN = "auth"
"""The site at which people sign in; the others let them in by its word."""

_SECRET_LENGTH = 32
_FORMAT = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """Somebody signed in, in one browser, at one of our sites.

    ``id``: 32 hexadecimal digits; the same after a step-up, while the cookie is another one. What is issued under the
    session has ``bytes.fromhex(id)`` as its parent. ``assurance``, ``methods`` and ``authenticated_ms`` are those of
    the latest proof. ``agent``: the browser in words. ``device``: the id (hex) of an enrolled device. ``end_ms``: when
    it is over however much it is used. ``account``: as it is now. Times are milliseconds since 1970 (UTC). ``site``:
    the one that it is good at; ``above``: the id of the session at the sign-in site from which it came, and with which
    it ends.
    """

    id: str
    account: Account
    assurance: int
    methods: tuple[str, ...]
    authenticated_ms: int
    address: str | None
    agent: str
    device: str | None
    created_ms: int
    end_ms: int
    expires_ms: int
    hash: bytes = field(repr=False)
    site: str = SIGN_IN
    above: str | None = None

    @property
    def first(self) -> str:
        """The id of the session at the sign-in site: this one, or the one above it."""
        return self.above or self.id

    @property
    def last_seen_ms(self) -> int:
        """When it was used last, to the minute."""
        return self.expires_ms - IDLE_MS[self.assurance]

    @property
    def idle_end_ms(self) -> int:
        """When it is over if nothing more is done."""
        return min(self.expires_ms, self.end_ms)

    def is_over(self, now: int) -> bool:
        """Whether it was idle for too long, or is at its end."""
        return now >= self.idle_end_ms


def new_cookie(random: Callable[[int], bytes]) -> str:
    """A new cookie: 256 random bits."""
    return base64.urlsafe_b64encode(random(_SECRET_LENGTH)).decode().rstrip("=")


def cookie_hash(cookie: str) -> bytes:
    """SHA-256 of a cookie. Raises BrowserSessionRefused when it is none."""
    if not _FORMAT.fullmatch(cookie):
        raise BrowserSessionRefused("malformed session cookie")
    return hashlib.sha256(cookie.encode()).digest()


def seal_browser_session(session: BrowserSession, cipher: Cipher) -> bytes:
    """The sealed content of a session's row."""
    content = {
        "id": session.id,
        "assurance": session.assurance,
        "methods": session.methods,
        "authenticated_ms": session.authenticated_ms,
        "address": session.address,
        "agent": session.agent,
        "device": session.device,
        "created_ms": session.created_ms,
        "end_ms": session.end_ms,
    }
    if session.above is not None:
        content |= {"site": session.site, "above": session.above}
    return cipher.seal(orjson.dumps(content), _aad(session.hash, session.account.id))


def open_browser_session(row: tuple[bytes, int, bytes], account: Account, cipher: Cipher) -> BrowserSession:
    """The session in a row (hash, expires_ms, sealed) of this account. Raises Tampered."""
    hash_, expires_ms, sealed = row
    content: dict[str, Any] = orjson.loads(cipher.open(sealed, _aad(hash_, account.id)))
    methods = tuple(content.pop("methods"))
    return BrowserSession(account=account, methods=methods, expires_ms=expires_ms, hash=hash_, **content)


def check_sealed(hash_: bytes, account_id: bytes, sealed: bytes, cipher: Cipher) -> None:
    """Raises Tampered when a row does not open where it is."""
    cipher.open(sealed, _aad(hash_, account_id))


def _aad(hash_: bytes, account_id: bytes) -> bytes:
    return associated_data("browser_session", hash_, account_id)
