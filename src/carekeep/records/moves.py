"""Checks that ``record_home`` says where the versions of records stand that moved to another patient."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from carekeep.storage import Database, Finding, Row

_HOMES = "SELECT seq, until_version, scope FROM record_home"
_RECORD = """
    SELECT 0, until_version, scope FROM record_home WHERE seq = $1
     UNION ALL
    SELECT 1, version, scope FROM record_version
     WHERE seq = $1
       AND scope IN (SELECT scope FROM record WHERE seq = $1 UNION ALL SELECT scope FROM record_home WHERE seq = $1)
"""


@dataclass(slots=True)
class Moves:
    """Versions that were met elsewhere than where their record stands now. Memory: only records that moved."""

    _elsewhere: dict[int, dict[int, int]] = field(default_factory=dict)
    _now: dict[int, int] = field(default_factory=dict)

    def meet(self, seq: int, version: int, scope: int, current_scope: int) -> None:
        """One version, and the scope under which its record stands now."""
        if scope != current_scope:
            self._elsewhere.setdefault(seq, {})[version] = scope
            self._now[seq] = current_scope

    async def verify(self, database: Database) -> AsyncIterator[Finding]:
        """What is wrong with the homes; a record that moves at this moment is looked at again."""
        found = {tuple(row) async for rows in database.stream(_HOMES) for row in rows}
        for seq in sorted({home[0] for home in found ^ self._homes()}):
            if not _fits(await database.fetch(_RECORD, (seq,))):
                yield Finding(f"record_home {seq}", "it does not say where the record's versions stand")

    def _homes(self) -> set[Row]:
        homes: set[Row] = set()
        for seq, versions in self._elsewhere.items():
            now = self._now[seq]
            for version, scope in versions.items():
                if versions.get(version + 1, now) != scope:
                    homes.add((seq, version, scope))
                if version > 1 and version - 1 not in versions:
                    homes.add((seq, version - 1, now))
        return homes


def _fits(rows: list[Row]) -> bool:
    """Whether the homes of one record are where its versions change scope, and reach every version."""
    homes = {(version, scope) for is_version, version, scope in rows if not is_version}
    scopes = {version: scope for is_version, version, scope in rows if is_version}
    changes = {(version, scope) for version, scope in scopes.items() if scopes.get(version + 1, scope) != scope}
    return homes == changes and scopes.keys() == set(range(1, len(scopes) + 1))
