"""The SQL of search: which records may match, by their tags, their names or the time of their last version.

Every statement gives rows ``(rid, scope, seq, version, sealed, region)`` in the order of region, then newest record
first, after a position, and at most as many as are asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from carekeep.records.numbering import first_number
from carekeep.storage import Value

# Of one statement; SQLite takes 32,766 at most.
MOST_PARAMETERS = 8_000

_ROWS = """
    SELECT r.rid, r.scope, r.seq, r.version, v.sealed, t.region
      FROM ({found}) t
      JOIN record r ON r.seq = t.seq
      JOIN record_version v ON v.scope = r.scope AND v.seq = r.seq AND v.version = r.version
     ORDER BY t.region, r.seq DESC
"""
# A record whose current version was written since then.
_RECENT = """ AND EXISTS (
    SELECT 1 FROM record q JOIN record_version c ON c.scope = q.scope AND c.seq = q.seq AND c.version = q.version
     WHERE q.seq = d.seq AND c.written >= {since})"""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a page ended: the region that was searched, and the record number in it. It says nothing about content.

    Regions from 0 up are scopes of the index; those below are lists of records (see ``searching``).
    """

    scope: int
    seq: int


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one scope: a record carries at least one tag of each of the alternatives."""

    scope: int
    alternatives: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        """How many parameters of a statement it takes at most."""
        return 2 * sum(map(len, self.alternatives)) + 1


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL and its parameters."""

    sql: str
    parameters: tuple[Value, ...]


class _Parameters:
    """Collects parameters and gives their ``$n``."""

    def __init__(self) -> None:
        self.values: list[Value] = []

    def __call__(self, value: Value) -> str:
        self.values.append(value)
        return f"${len(self.values)}"

    def listed(self, values: Sequence[Value]) -> str:
        """A list for IN; one that nothing is in if there are no values."""
        return ", ".join(map(self, values)) or "NULL"

    def has_one_of(self, scope: str, tags: Sequence[int]) -> str:
        """The condition that record ``d`` carries one of some tags."""
        found = f"o.scope = {scope} AND o.tag IN ({self.listed(tags)}) AND o.seq = d.seq"
        return f" AND EXISTS (SELECT 1 FROM tag o WHERE {found})"

    def table(self, name: str, columns: str, rows: Sequence[tuple[Value, ...]]) -> str:
        """A common table expression of rows of 64-bit numbers."""
        first, *others = rows
        # PostgreSQL takes the types of all rows from the first.
        values = [f"({', '.join(f'CAST({self(value)} AS BIGINT)' for value in first)})"]
        values.extend(f"({self.listed(row)})" for row in others)
        return f"{name} ({columns}) AS (VALUES {', '.join(values)})"


def named(region: int, rids: Sequence[bytes], asked: Question | None, below: int, size: int) -> Statement:
    """Records by their blind names; those that have the tags, if the index is asked too."""
    parameters = _Parameters()
    source = f"record d WHERE d.rid IN ({parameters.listed(rids)})"
    if asked is not None:
        scope = parameters(asked.scope)
        source += "".join(parameters.has_one_of(scope, tags) for tags in asked.alternatives)
    found = (
        f"SELECT d.seq, CAST({parameters(region)} AS BIGINT) AS region FROM {source} "
        f"AND d.seq < {parameters(below)} ORDER BY d.seq DESC LIMIT {parameters(size)}"
    )
    return Statement(_ROWS.format(found=found), tuple(parameters.values))


def tagged(region: int, asked: Question, since_ms: int | None, below: int, size: int) -> Statement:
    """Records of one scope. The alternative with the fewest tags drives, the others are looked up for each record."""
    parameters = _Parameters()
    scope = parameters(asked.scope)
    drivers = sorted(asked.alternatives, key=len)
    if since_ms is not None and len(drivers) == 1 and region > 0:
        # Nothing but the type: what was written lately is fewer.
        since = parameters(first_number(since_ms))
        source, distinct, others = f"record_version d WHERE d.scope = {scope} AND d.written >= {since}", True, drivers
    else:
        tags = parameters.listed(drivers[0])
        source = f"tag d WHERE d.scope = {scope} AND d.tag IN ({tags})"
        if since_ms is not None:
            source += _RECENT.format(since=parameters(first_number(since_ms)))
        distinct, others = len(drivers[0]) > 1, drivers[1:]
    source += "".join(parameters.has_one_of(scope, other) for other in others)
    found = (
        f"SELECT {'DISTINCT ' if distinct else ''}d.seq, CAST({parameters(region)} AS BIGINT) AS region FROM {source} "
        f"AND d.seq < {parameters(below)} ORDER BY d.seq DESC LIMIT {parameters(size)}"
    )
    return Statement(_ROWS.format(found=found), tuple(parameters.values))


def tagged_in_many(questions: Sequence[Question], since_ms: int | None, after: Position, size: int) -> Statement:
    """Records of several scopes at once, whose questions have the same shape; for scopes of the size of a chart."""
    parameters = _Parameters()
    shape = sorted(range(len(questions[0].alternatives)), key=lambda at: len(questions[0].alternatives[at]))
    tables: list[str] = []
    others = shape
    if since_ms is not None and len(shape) == 1:
        tables.append(parameters.table("w", "scope", [(question.scope,) for question in questions]))
        since = parameters(first_number(since_ms))
        source = f"w CROSS JOIN record_version d WHERE d.scope = w.scope AND d.written >= {since}"
    else:
        tables.append(parameters.table("w", "scope, tag", _pairs(questions, shape[0])))
        source = "w CROSS JOIN tag d WHERE d.scope = w.scope AND d.tag = w.tag"
        others = shape[1:]
        if since_ms is not None:
            source += _RECENT.format(since=parameters(first_number(since_ms)))
    for at in others:
        tables.append(parameters.table(f"w{at}", "scope, tag", _pairs(questions, at)))
        source += (
            f" AND EXISTS (SELECT 1 FROM w{at} n CROSS JOIN tag o"
            " WHERE n.scope = d.scope AND o.scope = n.scope AND o.tag = n.tag AND o.seq = d.seq)"
        )
    region, below = parameters(after.scope), parameters(after.seq)
    found = (
        f"WITH {', '.join(tables)} SELECT DISTINCT d.seq, d.scope AS region FROM {source} "
        f"AND (d.scope > {region} OR (d.scope = {region} AND d.seq < {below})) "
        f"ORDER BY d.scope, d.seq DESC LIMIT {parameters(size)}"
    )
    return Statement(_ROWS.format(found=found), tuple(parameters.values))


def _pairs(questions: Sequence[Question], at: int) -> list[tuple[Value, ...]]:
    return [(question.scope, tag) for question in questions for tag in question.alternatives[at]]
