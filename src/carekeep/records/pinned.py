"""Rows of records as the ledger pins them."""

from collections.abc import AsyncIterator

from carekeep.storage import Database

_ROWS = "SELECT r.rid, v.version, v.sealed FROM record_version v JOIN record r ON r.seq = v.seq"


async def pinned_rows(database: Database) -> AsyncIterator[tuple[str, bytes | None]]:
    """Every record version: the key of its pin, and its sealed content."""
    async for rows in database.stream(_ROWS):
        for rid, version, sealed in rows:
            yield f"{rid.hex()}/{version}", sealed
