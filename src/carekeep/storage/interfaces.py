"""The contract between Carekeep and its database.

What every implementation promises:

* ``fetch`` sees committed data only, and everything that this process committed before the call.
* ``commit`` takes one unit of work: all of its steps happen or none does. When it returns, the unit survives a
  power cut. Units of concurrent callers are committed together (group commit); they never wait for a timer.
* A unit that does not meet its own expectations (a key that exists, a row count that differs) raises
  :class:`Conflict` and leaves nothing behind; the units beside it are not disturbed.

SQL in the rooms above is written once, for both databases: ``$1``-style parameters, standard ``ON CONFLICT``, and the
types int (64 bits, signed), str, bytes and None.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

Value = int | str | bytes | None
Row = tuple[Any, ...]
T_co = TypeVar("T_co", covariant=True)


class StorageError(Exception):
    """The database could not do its work.

    Nothing of the unit was committed, unless the message says that the outcome is unknown: a connection that was lost,
    or a disk that failed, in the moment of the commit. Nothing that failed is tried again behind the caller's back.
    """


class Conflict(StorageError):
    """A unit met a state it did not expect: somebody else changed the row first."""


class SchemaTooNew(StorageError):
    """The database was written by a newer Carekeep than this one."""


@dataclass(frozen=True, slots=True)
class Insert:
    """New rows. A key that exists is a conflict, unless ``ignore_existing``."""

    table: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Value, ...]]
    ignore_existing: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """An UPDATE, DELETE or upsert, run once for each row of parameters.

    A statement without parameters has one empty row, ``[()]``. ``expect`` is the number of rows that must change over
    all of them; another number is a conflict.
    """

    sql: str
    rows: Sequence[tuple[Value, ...]]
    expect: int | None = None


Step = Insert | Change


@dataclass(frozen=True, slots=True)
class Pin:
    """What the ledger will say about a row: where it is, and the SHA-256 of its sealed content.

    An empty digest says that the row is gone. ``audit`` writes pins into entries; verification compares them
    with the tables, so that a row that was changed, put back or removed behind our back is found.
    """

    table: str
    key: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Prepared(Generic[T_co]):
    """A change that is ready but not made: rooms prepare, and the ledger commits it together with its entry."""

    value: T_co
    steps: tuple[Step, ...]
    pins: tuple[Pin, ...] = ()


class Database(Protocol):
    """See the module's contract. Opened by ``open_database``; used from one event loop."""

    dialect: str

    async def fetch(self, sql: str, params: Sequence[Value] = ()) -> list[Row]:
        """All rows of a query. For answers that are known to be small."""
        ...

    async def fetch_one(self, sql: str, params: Sequence[Value] = ()) -> Row | None:
        """The first row of a query, or None."""
        ...

    def stream(self, sql: str, params: Sequence[Value] = (), batch: int = 1000) -> AsyncIterator[list[Row]]:
        """The rows of a query in lists of at most ``batch``, from one snapshot, in bounded memory."""
        ...

    async def commit(self, steps: Sequence[Step]) -> None:
        """Make one unit durable. Raises Conflict or StorageError, and then nothing of it happened."""
        ...

    async def close(self) -> None:
        """Finish what was handed over, then let go of files and connections."""
        ...
