"""Which migrations this Carekeep knows, and which of them a database still needs. They only go forward.

A migration is one file for each dialect, ``migrations/<number>_<name>.<dialect>.sql``, applied in one transaction
that also writes its SHA-256 into ``schema_migration``. A file that was changed after it was applied is refused:
two installations with the same number would no longer have the same tables.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from carekeep.storage.interfaces import SchemaTooNew, StorageError


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema's history. ``digest`` is the SHA-256 of ``sql`` in UTF-8."""

    number: int
    name: str
    sql: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration that a database says it has: one row of ``schema_migration``."""

    number: int
    digest: bytes


def known_migrations(dialect: str) -> tuple[Migration, ...]:
    """The migrations that come with this Carekeep for ``dialect`` ("sqlite" or "postgres"), lowest number first."""
    ending = f".{dialect}.sql"
    files = resources.files("carekeep.storage").joinpath("migrations")
    found = []
    for file in files.iterdir():
        if file.name.endswith(ending):
            number, _, name = file.name.removesuffix(ending).partition("_")
            sql = file.read_text(encoding="utf-8")
            found.append(Migration(int(number), name, sql, hashlib.sha256(sql.encode()).digest()))
    return tuple(sorted(found, key=lambda migration: migration.number))


def pending_migrations(known: Sequence[Migration], applied: Sequence[Applied]) -> tuple[Migration, ...]:
    """The migrations that are still to be applied, in order.

    Raises SchemaTooNew if the database has a migration that we do not know, and StorageError if it has one of ours
    with other content, or one that is out of order.
    """
    newest_known = known[-1].number if known else 0
    newest_found = max((row.number for row in applied), default=0)
    if newest_found > newest_known:
        raise SchemaTooNew(
            f"The database has schema {newest_found}, and this Carekeep knows schemas up to {newest_known}. "
            "Start the Carekeep that last used the database, or a newer one; nothing was changed."
        )
    digests = {row.number: row.digest for row in applied}
    for migration in known:
        if migration.number <= newest_found and digests.get(migration.number) != migration.digest:
            raise StorageError(
                f"Migration {migration.number} ({migration.name}) in the database is not the one that comes with this "
                "Carekeep. Install the release that made the database, or restore a backup; nothing was changed."
            )
    return tuple(migration for migration in known if migration.number > newest_found)
