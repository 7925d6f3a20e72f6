"""The keys that id tokens are signed with, and their rotation.

There is one key at a time for each algorithm. One that was replaced is published until nothing that it signed can be
good any more.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from carekeep.encryption import Keyring, Tampered, associated_data
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, system_clock

_DAY_MS = 86_400_000
LIFETIME_MS = 90 * _DAY_MS
PUBLISHED_MS = _DAY_MS
"""After its replacement; id tokens are good for minutes, and who verifies them may have slept."""
_ID_LENGTH = 16
_RSA_BITS = 3072

_TABLE = "signing_key"
_ALL = "SELECT id, created_ms, retired_ms, sealed FROM signing_key ORDER BY created_ms DESC, id"
_RETIRE = "UPDATE signing_key SET retired_ms = $1 WHERE id = $2 AND retired_ms IS NULL"
_FORGET = "DELETE FROM signing_key WHERE id = $1"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair. ``id``: hex, the ``kid``. ``retired_ms``: when another one took its place."""

    id: str
    algorithm: str
    created_ms: int
    retired_ms: int | None
    key: ECKey | RSAKey = field(repr=False)

    def public(self) -> dict[str, Any]:
        """The public JWK."""
        return {**self.key.as_dict(private=False), "kid": self.id, "use": "sig", "alg": self.algorithm}

    def sign(self, claims: dict[str, Any]) -> str:
        """A JWT of these claims."""
        return jwt.encode({"alg": self.algorithm, "kid": self.id}, claims, self.key, [self.algorithm])


class SigningKeys:
    """The keys of one installation. A new algorithm is a new row of ``_MAKERS``."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._cipher = keyring.rows
        self._clock = clock
        self._random = random

    async def ready(self) -> Prepared[tuple[SigningKey, ...]]:
        """The keys to sign with, one for each algorithm; new ones to be committed, where there are none or old ones.

        Raises Tampered.
        """
        now = self._clock()
        current = tuple(key for key in await self._read() if key.retired_ms is None)
        fresh = [key for key in current if key.created_ms + LIFETIME_MS > now]
        if {key.algorithm for key in fresh} >= _MAKERS.keys():
            return Prepared(tuple(fresh), ())
        return await self.prepare_rotate()

    async def prepare_rotate(self) -> Prepared[tuple[SigningKey, ...]]:
        """New keys for all algorithms; the old ones stay published for a day. Those that were over go."""
        now = self._clock()
        made = [await asyncio.to_thread(_MAKERS[algorithm]) for algorithm in _MAKERS]
        keys = tuple(
            SigningKey(self._random(_ID_LENGTH).hex(), algorithm, now, None, key)
            for algorithm, key in zip(_MAKERS, made, strict=True)
        )
        sealed = [self._seal(key) for key in keys]
        rows = [(bytes.fromhex(key.id), now, None, each) for key, each in zip(keys, sealed, strict=True)]
        pins = [Pin(_TABLE, key.id, hashlib.sha256(each).digest()) for key, each in zip(keys, sealed, strict=True)]
        old = await self._read()
        retired = [(now, bytes.fromhex(key.id)) for key in old if key.retired_ms is None]
        over = [key for key in old if key.retired_ms is not None and key.retired_ms + PUBLISHED_MS <= now]
        pins += [Pin(_TABLE, key.id, b"") for key in over]
        steps = (
            Insert(_TABLE, ("id", "created_ms", "retired_ms", "sealed"), rows),
            Change(_RETIRE, retired, expect=len(retired)),
            Change(_FORGET, [(bytes.fromhex(key.id),) for key in over]),
        )
        return Prepared(keys, tuple(step for step in steps if step.rows), tuple(pins))

    async def published(self) -> tuple[SigningKey, ...]:
        """The keys by which what is good now was signed. Raises Tampered."""
        now = self._clock()
        return tuple(key for key in await self._read() if key.retired_ms is None or key.retired_ms + PUBLISHED_MS > now)

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and its sealed content."""
        for id_, _, _, sealed in await self._database.fetch(_ALL):
            yield id_.hex(), sealed

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open where they are."""
        for id_, created_ms, _, sealed in await self._database.fetch(_ALL):
            try:
                self._cipher.open(sealed, _aad(id_, created_ms))
            except Tampered as error:
                yield Finding(f"{_TABLE}/{id_.hex()}", str(error))

    async def _read(self) -> list[SigningKey]:
        return [
            self._open(id_, created_ms, retired_ms, sealed)
            for id_, created_ms, retired_ms, sealed in await self._database.fetch(_ALL)
        ]

    def _seal(self, key: SigningKey) -> bytes:
        content = {"algorithm": key.algorithm, "key": key.key.as_dict(private=True)}
        return self._cipher.seal(orjson.dumps(content), _aad(bytes.fromhex(key.id), key.created_ms))

    def _open(self, id_: bytes, created_ms: int, retired_ms: int | None, sealed: bytes) -> SigningKey:
        content = orjson.loads(self._cipher.open(sealed, _aad(id_, created_ms)))
        kind = RSAKey if content["key"]["kty"] == "RSA" else ECKey
        return SigningKey(id_.hex(), content["algorithm"], created_ms, retired_ms, kind.import_key(content["key"]))


def _new_ec_key() -> ECKey | RSAKey:
    return ECKey.generate_key("P-256", private=True)


def _new_rsa_key() -> ECKey | RSAKey:
    return RSAKey.generate_key(_RSA_BITS, private=True)


_MAKERS: dict[str, Callable[[], ECKey | RSAKey]] = {"ES256": _new_ec_key, "RS256": _new_rsa_key}


def _aad(id_: bytes, created_ms: int) -> bytes:
    return associated_data(_TABLE, id_, created_ms)
