"""How each witness stands: how far it cosigned, since when it does not, and why. And what was seen of other logs.

Kept so that another process (``carekeep doctor``) can say it. Rewritten with each change and pinned by no entry: what
witnesses said is in their cosignatures, and what contradicts is kept as a split view.
"""

from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from carekeep.encryption import Cipher, Tagger, associated_data
from carekeep.storage import Change, Database

FIRST_WAIT_MS = 5_000
LONGEST_WAIT_MS = 600_000
_ID_SIZE = 16


class WitnessKeys(Protocol):
    """What of the keyring is needed here."""

    @property
    def rows(self) -> Cipher:
        """Seals rows that are not records."""
        ...

    @property
    def index(self) -> Tagger:
        """Names rows so that the database does not show what they are of."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """A witness by its URL. ``size`` is the largest checkpoint of ours that it cosigned; times are ms, 0 for never.

    ``fault`` says why it does not cosign (empty: it does); ``alarming``: the fault speaks of our log, not of the line.
    Nothing is asked of it before ``next_ms``.
    """

    url: str
    size: int = 0
    succeeded_ms: int = 0
    failing_since_ms: int = 0
    failures: int = 0
    next_ms: int = 0
    fault: str = ""
    alarming: bool = False

    def well(self, size: int, now_ms: int) -> "Standing":
        """It cosigned just now."""
        return Standing(self.url, size, now_ms)

    def ill(self, fault: str, now_ms: int, *, alarming: bool) -> "Standing":
        """It did not; it is asked again less and less often, up to every ten minutes."""
        wait = min(LONGEST_WAIT_MS, FIRST_WAIT_MS << min(self.failures, 10))
        return replace(
            self,
            failing_since_ms=self.failing_since_ms or now_ms,
            failures=self.failures + 1,
            next_ms=now_ms + wait,
            fault=fault,
            alarming=alarming,
        )


class SealedTexts:
    """A small table of texts under names that the database does not show."""

    def __init__(self, database: Database, keys: WitnessKeys, table: str) -> None:
        self._database = database
        self._cipher = keys.rows
        self._index = keys.index
        self._table = table

    async def get(self, name: str) -> str | None:
        """The text of a name, or None. Raises Tampered."""
        id_ = self._id(name)
        row = await self._database.fetch_one(f"SELECT sealed FROM {self._table} WHERE id = $1", (id_,))  # noqa: S608
        return None if row is None else self._cipher.open(row[0], associated_data(self._table, id_)).decode()

    async def put(self, name: str, text: str) -> None:
        """Another text for a name."""
        id_ = self._id(name)
        sql = (
            f"INSERT INTO {self._table} (id, sealed) VALUES ($1, $2) "  # noqa: S608 - the table is a constant of ours
            "ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed"
        )
        sealed = self._cipher.seal(text.encode(), associated_data(self._table, id_))
        await self._database.commit([Change(sql, [(id_, sealed)])])

    def _id(self, name: str) -> bytes:
        return self._index.digest(self._table, name)[:_ID_SIZE]


class Standings:
    """The standings of witnesses by their URLs."""

    def __init__(self, database: Database, keys: WitnessKeys) -> None:
        self._texts = SealedTexts(database, keys, "ledger_witness")

    async def of(self, url: str) -> Standing:
        """As it was last kept. Raises Tampered."""
        text = await self._texts.get(url)
        if text is None:
            return Standing(url)
        facts: list[Any] = orjson.loads(text)
        return Standing(url, *facts)

    async def keep(self, standing: Standing) -> None:
        """Keep it in the place of the last one."""
        facts = (
            standing.size,
            standing.succeeded_ms,
            standing.failing_since_ms,
            standing.failures,
            standing.next_ms,
            standing.fault,
            standing.alarming,
        )
        await self._texts.put(standing.url, orjson.dumps(facts).decode())
