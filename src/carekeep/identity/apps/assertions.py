"""How an app proves who it is: a statement signed with its key (``private_key_jwt``: RFC 7523, SMART Backend Services).

A statement is for this server, good for five minutes at most, and good once. It is checked with a key that was
registered; what its header offers beside (``jwk``, ``x5c``, another ``jku``) never counts.
"""

from typing import Any

from carekeep.identity.apps.business import Business, BusinessRefused, read_business
from carekeep.identity.apps.client import Client
from carekeep.identity.apps.key_sets import KeySets, KeysUnavailable
from carekeep.identity.apps.public_keys import KeyRefused
from carekeep.identity.apps.replays import Replays
from carekeep.identity.apps.signed import Compact, NotSigned, read_header, take_apart
from carekeep.identity.apps.statements import check_claims, used_until_ms
from carekeep.identity.apps.udap import StatementRefused, Udap
from carekeep.identity.errors import IdentityError
from carekeep.storage import Clock, Prepared, system_clock

ALGORITHMS = ("RS384", "ES384", "PS384", "ES256")
"""The first two are SMART's; RSA with its newer padding, and the curve that every phone and browser signs with."""

LONGEST = 16_384
_TYPES = (None, "JWT", "client-authentication+jwt")


class AssertionRefused(IdentityError):
    """A statement is not good. The client's answer is the same whatever the ``reason``, which is for the ledger."""

    def __init__(self, reason: str) -> None:
        super().__init__("The client did not prove who it is.")
        self.reason = reason


class Assertions:
    """Verifies statements."""

    def __init__(
        self, replays: Replays, key_sets: KeySets, clock: Clock = system_clock, udap: Udap | None = None
    ) -> None:
        self._replays = replays
        self._key_sets = key_sets
        self._clock = clock
        self._udap = udap

    async def verify(self, assertion: str, client: Client, *audiences: str) -> Prepared[Business | None]:
        """What must be committed with what the statement is for, so that it is not used again: a conflict is a replay.

        ``audiences``: the names by which this server may be addressed, letter by letter. The value: on whose behalf a
        client of the trust community says that it asks. Raises AssertionRefused.
        """
        if client.organization is not None:
            return self._by_certificate(assertion, client, audiences)
        try:
            parts = take_apart(assertion, LONGEST)
            algorithm, key_id = _signer(parts, client)
            claims = parts.claims()
            check_claims(claims, client.id, audiences, self._clock())
            key = await self._key_sets.find(key_id, keys=client.keys, keys_uri=client.keys_uri)
        except (NotSigned, KeyRefused, KeysUnavailable) as error:
            raise AssertionRefused(str(error)) from None
        if not key.fits(algorithm) or not parts.is_signed_by(key, algorithm):
            raise AssertionRefused("the signature is not the key's")
        once = self._replays.prepare_once("assertion", client.id, claims["jti"], used_until_ms(claims))
        return Prepared(None, once.steps)

    def _by_certificate(self, assertion: str, client: Client, audiences: tuple[str, ...]) -> Prepared[Business | None]:
        """The statement of a client that a trust community stands for."""
        if self._udap is None:
            raise AssertionRefused("the client is of a trust community, and none is in the settings any more")
        try:
            proven = self._udap.verify_assertion(assertion, client, *audiences)
            return Prepared(read_business(proven.value.claims), proven.steps)
        except (StatementRefused, BusinessRefused) as error:
            raise AssertionRefused(str(error)) from None

    async def is_replay(self, once: Prepared[Any]) -> bool:
        """Whether a statement was used: tells, after a conflict at the commit of ``once``, if this was why."""
        return await self._replays.is_used(once)


def _signer(parts: Compact, client: Client) -> tuple[str, str]:
    """The algorithm, and the id of the key. Raises NotSigned."""
    header = read_header(parts.header)
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise NotSigned("its algorithm is not allowed")
    if header.get("typ") not in _TYPES:
        raise NotSigned("it is of another type")
    if not isinstance(key_id, str):
        raise NotSigned("it does not name its key")
    if "jku" in header and (client.keys_uri is None or header["jku"] != client.keys_uri):
        raise NotSigned("it names another place for its keys than the registered one")
    return str(algorithm), key_id
