"""Units of work, before any database sees them: their limits, and how units that wait together are grouped. Pure.

The hot path of Carekeep is many small units that only insert rows with fresh keys (a read is one ledger entry, a
create is some rows more). Such *plain* units next to each other in the queue are one group: their rows go to the
database by table, not by unit. That is the same as running them one after the other, as long as every key is fresh;
if one is not, the database runs the group again, unit by unit, to find whose conflict it is.
"""

import re
from asyncio import Future
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

from carekeep.storage.interfaces import Change, Conflict, Insert, Step, StorageError, Value

MAX_STEPS = 100_000
MAX_ROWS = 1_000_000
MAX_BYTES = 256 * 1024 * 1024

# One flush takes at most about this many rows of at most about so many bytes: readers get their turn in between.
ROWS_PER_FLUSH = 4_000

BYTES_PER_ROW = 4_096
SMALLEST, LARGEST = -(2**63), 2**63 - 1

_NAME = re.compile("[a-z_][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Unit:
    """One caller's steps, and the future that the caller waits on. ``weight`` is its work, counted in rows."""

    steps: tuple[Step, ...]
    weight: int
    plain: bool
    done: Future[None]

    def succeed(self) -> None:
        """The unit is durable."""
        if not self.done.done():  # A caller that was cancelled no longer listens.
            self.done.set_result(None)

    def fail(self, error: StorageError) -> None:
        """Nothing of the unit happened."""
        if not self.done.done():
            self.done.set_exception(error)


def new_unit(steps: Sequence[Step], done: Future[None]) -> Unit:
    """Checks a caller's steps against the contract and the limits. Raises StorageError."""
    if len(steps) > MAX_STEPS:
        raise StorageError(f"A unit of {len(steps)} steps is too large: at most {MAX_STEPS}. Split it.")
    count = size = 0
    plain = True
    for step in steps:
        if isinstance(step, Change):
            plain = False
            _check_change(step.sql)
        else:
            plain = plain and not step.ignore_existing
            _check_widths(step)
        count += len(step.rows)
        size += size_of(chain.from_iterable(step.rows))
    if count > MAX_ROWS or size > MAX_BYTES:
        raise StorageError(
            f"A unit of {count} rows and {size} bytes is too large: at most {MAX_ROWS} rows and {MAX_BYTES} bytes. "
            "Split it."
        )
    return Unit(tuple(steps), count + size // BYTES_PER_ROW, plain, done)


def size_of(values: Iterable[Value]) -> int:
    """The bytes and characters in values. Raises StorageError for one that not every database can hold."""
    size = 0
    for value in values:
        if type(value) is int:  # First, since tags are most of what is written. Not bool: PostgreSQL takes none for it.
            if not SMALLEST <= value <= LARGEST:
                raise StorageError("An integer of more than 64 bits cannot be stored.")
        elif isinstance(value, bytes):
            size += len(value)
        elif isinstance(value, str):
            size += len(value)
            _check_text(value)
        elif value is not None:
            raise StorageError(f"A {type(value).__name__} cannot be stored: only int, str, bytes and None.")
    return size


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise StorageError("Text with a lone surrogate cannot be stored.") from None
    if "\0" in text:
        raise StorageError("Text with a NUL character cannot be stored.")


def _check_widths(insert: Insert) -> None:
    width = len(insert.columns)
    for row in insert.rows:
        if len(row) != width:
            raise StorageError(f"A row of {len(row)} values was given for {width} columns of {insert.table}.")


@lru_cache(maxsize=1024)
def _check_change(sql: str) -> None:
    if not sql.lstrip().upper().startswith(("UPDATE ", "DELETE ", "INSERT ")):
        raise StorageError(f"A Change must be an UPDATE, DELETE or INSERT, not: {sql}")


def groups(units: Iterable[Unit]) -> list[list[Unit]]:
    """Units in their order: runs of plain units together, every other unit alone."""
    found: list[list[Unit]] = []
    for unit in units:
        if unit.plain and found and found[-1][0].plain:
            found[-1].append(unit)
        else:
            found.append([unit])
    return found


def merged(group: Sequence[Unit]) -> list[Insert]:
    """The inserts of a group of plain units, one for each table and choice of columns."""
    rows: dict[tuple[str, tuple[str, ...]], list[tuple[Value, ...]]] = {}
    for unit in group:
        for step in unit.steps:
            if isinstance(step, Insert):
                rows.setdefault((step.table, step.columns), []).extend(step.rows)
    return [Insert(table, columns, found) for (table, columns), found in rows.items() if found]


def insert_head(table: str, columns: Sequence[str]) -> str:
    """``INSERT INTO table (columns)``. Names are written into the statement, so they must be plain ones."""
    if not columns or not all(map(_NAME.fullmatch, (table, *columns))):
        raise StorageError(f"Not the names of a table and its columns: {table!r} {tuple(columns)!r}.")
    return f"INSERT INTO {table} ({', '.join(columns)})"


def check_expectation(change: Change, changed: int) -> None:
    """Raises Conflict if a change did not touch the number of rows that it expected."""
    if change.expect is not None and changed != change.expect:
        raise Conflict(f"Expected to change {change.expect} rows, found {changed}: {change.sql}")


def take(queue: list[Unit]) -> list[Unit]:
    """Removes and returns the oldest units of the queue: at least one, and then up to ROWS_PER_FLUSH rows."""
    weight = count = 0
    for unit in queue:
        weight += unit.weight
        if count and weight > ROWS_PER_FLUSH:
            break
        count += 1
    batch = queue[:count]
    del queue[:count]
    return batch
