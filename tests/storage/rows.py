"""Short ways to write units of work, on tables of the schema that are simple enough to reason about."""

from collections.abc import Sequence

from carekeep.storage import Change, Conflict, Database, Insert, Step, StorageError


def insert(*topics: str, n: int = 1, ignore_existing: bool = False) -> Insert:
    """Rows of ``generation``: a text key and a number."""
    return Insert("generation", ("topic", "n"), [(topic, n) for topic in topics], ignore_existing)


def add(topic: str, amount: int, expect: int | None = 1) -> Change:
    return Change("UPDATE generation SET n = n + $2 WHERE topic = $1", [(topic, amount)], expect)


def delete(*topics: str, expect: int | None = None) -> Change:
    return Change("DELETE FROM generation WHERE topic = $1", [(topic,) for topic in topics], expect)


async def table(database: Database) -> dict[str, int]:
    """Everything in ``generation``."""
    return dict(await database.fetch("SELECT topic, n FROM generation ORDER BY topic"))


async def outcome(database: Database, steps: Sequence[Step]) -> type[StorageError] | None:
    """How a unit ended: None if it was committed."""
    try:
        await database.commit(steps)
    except Conflict:
        return Conflict
    except StorageError:
        return StorageError
    return None
