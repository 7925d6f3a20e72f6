"""Authorization codes: good once, for a minute, for one client that can prove that it began the flow (PKCE)."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import orjson

from carekeep.encryption import Keyring, Secret
from carekeep.identity.apps.grant import Context
from carekeep.identity.apps.tickets import Tickets
from carekeep.storage import Change, Clock, Database, Prepared, system_clock

LIFETIME_MS = 60_000
_KEPT_MS = 3_600_000  # after its end, so that a second use is known for one

_USE = "UPDATE authorization_code SET app_grant = $1 WHERE hash = $2 AND app_grant IS NULL"


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for: who allowed which client what, and how it was asked.

    ``account``: hex. ``challenge``: PKCE's, S256. ``proof_key``: the thumbprint of the key by which the client must
    prove possession (``dpop_jkt``). ``session``: the browser's session (hex) in which it was allowed.
    """

    client: str
    account: str
    redirect_uri: str
    scopes: str
    challenge: str
    context: Context
    assurance: int
    authenticated_ms: int
    methods: tuple[str, ...]
    session_ends_ms: int
    session: str
    nonce: str | None = field(default=None, repr=False)
    device: str | None = None
    proof_key: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A code that was issued. ``used_for``: the id of the grant that it was exchanged for; then it is worth nothing."""

    hash: bytes
    code: Code
    expires_ms: int
    used_for: bytes | None


class Codes:
    """Issues and knows authorization codes."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._clock = clock
        self._tickets = Tickets("authorization_code", database, keyring, clock, random)

    def prepare_issue(self, code: Code) -> Prepared[Secret]:
        """A new code. Those that are long over are forgotten on the way."""
        return self._tickets.prepare_new(orjson.dumps(asdict(code)), LIFETIME_MS, kept_ms=_KEPT_MS)

    async def find(self, secret: str) -> Known | None:
        """The code behind a secret, over or used as it may be. Raises Tampered."""
        row = await self._tickets.row(secret, "app_grant")
        if row is None:
            return None
        content: dict[str, Any] = orjson.loads(self._tickets.open(row))
        context = content["context"]
        read = {
            "context": Context(context["patient"], context["encounter"], tuple(context["others"])),
            "methods": tuple(content["methods"]),
        }
        return Known(row[0], Code(**(content | read)), expires_ms=row[1], used_for=row[3])

    def is_over(self, known: Known) -> bool:
        """Whether its minute is over."""
        return known.expires_ms <= self._clock()

    @staticmethod
    def prepare_use(known: Known, grant_id: bytes) -> Prepared[None]:
        """The use of a code for a grant. A conflict means that it was used meanwhile."""
        return Prepared(None, (Change(_USE, ((grant_id, known.hash),), expect=1),))
