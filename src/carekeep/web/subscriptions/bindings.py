"""Tokens that bind a websocket to subscriptions: good for one minute and for one use.

A websocket cannot carry the Authorization header of a browser's request, so it carries one of these instead. Any worker
may be the one that the socket reaches: the tokens are rows, kept by their hash, and taken by deleting them.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from carekeep.encryption import Keyring, Secret, associated_data
from carekeep.storage import Change, Clock, Conflict, Database, Insert, Prepared

LIFETIME_MS = 60_000
_FORMAT = re.compile(r"ckws_[A-Za-z0-9_-]{43}")
_ROW = "SELECT expires_ms, sealed FROM subscription_binding WHERE hash = $1"
_TAKE = "DELETE FROM subscription_binding WHERE hash = $1"
_PURGE = "DELETE FROM subscription_binding WHERE expires_ms < $1"


class BindingRefused(Exception):
    """The token is unknown, used or expired. One answer for all: it is a secret that somebody may be guessing."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What a token stands for. ``account`` and ``session`` are hexadecimal; ``subscriptions`` are ids of records."""

    account: str
    session: str
    subscriptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IssuedBinding:
    """A token, shown once."""

    secret: Secret
    expires_ms: int


class Bindings:
    """The tokens of one database."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock, random: Callable[[int], bytes]) -> None:
        self._database = database
        self._cipher = keyring.rows
        self._clock = clock
        self._random = random

    def prepare_issue(self, binding: Binding) -> Prepared[IssuedBinding]:
        """A new token. Expired ones go with the same unit."""
        token = "ckws_" + base64.urlsafe_b64encode(self._random(32)).decode().rstrip("=")
        now = self._clock()
        hash_, expires_ms = _hash(token), now + LIFETIME_MS
        content = orjson.dumps((binding.account, binding.session, binding.subscriptions))
        row = (hash_, expires_ms, self._cipher.seal(content, _place(hash_, expires_ms)))
        steps = (
            Change(_PURGE, [(now,)]),
            Insert("subscription_binding", ("hash", "expires_ms", "sealed"), [row]),
        )
        return Prepared(IssuedBinding(Secret(token), expires_ms), steps)

    async def redeem(self, token: str) -> Binding:
        """What the token stands for; it is used up. Raises BindingRefused, Tampered, StorageError."""
        if not _FORMAT.fullmatch(token):
            raise BindingRefused
        hash_ = _hash(token)
        row = await self._database.fetch_one(_ROW, (hash_,))
        if row is None or row[0] <= self._clock():
            raise BindingRefused
        try:
            await self._database.commit([Change(_TAKE, [(hash_,)], expect=1)])
        except Conflict:
            raise BindingRefused from None
        account, session, subscriptions = orjson.loads(self._cipher.open(row[1], _place(hash_, row[0])))
        return Binding(account, session, tuple(subscriptions))


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _place(hash_: bytes, expires_ms: int) -> bytes:
    return associated_data("subscription_binding", hash_, expires_ms)
