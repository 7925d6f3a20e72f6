"""Commits units of two rows for ever, and prints each one's number when it is acknowledged: ``… <URL> <prefix>``."""

import asyncio
import itertools
import os
import sys
from collections.abc import Iterator

from carekeep.storage import Database, Insert, open_database


async def commit_for_ever(database: Database, prefix: str, numbers: Iterator[int]) -> None:
    for number in numbers:
        first, second = (Insert("generation", ("topic", "n"), [(f"{prefix}{number}{half}", 1)]) for half in "ab")
        await database.commit([first, second])
        os.write(sys.stdout.fileno(), f"{number}\n".encode())


async def main(url: str, prefix: str) -> None:
    database = open_database(url)
    numbers = itertools.count()
    await asyncio.gather(*(commit_for_ever(database, prefix, numbers) for _ in range(16)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
