"""What the log publishes, as C2SP tlog-tiles names it: the checkpoint, tiles of hashes, bundles of sealed entries."""

from carekeep.audit.merkle import HASH_SIZE
from carekeep.audit.tile_table import TileTable
from carekeep.audit.tiles import HEIGHT, Place, TilePath, entry_bundle, parse_path, width_at
from carekeep.storage import Database

_FINAL = "SELECT note FROM ledger_cosigned ORDER BY size DESC LIMIT 1"
_CHECKPOINT = "SELECT size, checkpoint FROM ledger_head WHERE id = 1"
_LEAVES = "SELECT leaf FROM ledger_entry WHERE leaf_index >= $1 AND leaf_index < $2 ORDER BY leaf_index"


class LedgerFiles:
    """Reads the published files from the database. Nothing wider than the signed tree is ever given.

    With ``finals`` the checkpoint is the newest that a quorum of witnesses has cosigned, once there is one.
    """

    def __init__(self, database: Database, *, finals: bool = False) -> None:
        self._database = database
        self._finals = finals
        self._tiles = TileTable(database)

    async def checkpoint(self) -> str | None:
        """The newest checkpoint that counts, or None before the first entry."""
        final = await self._database.fetch_one(_FINAL) if self._finals else None
        if final is not None:
            return str(final[0])
        row = await self._database.fetch_one(_CHECKPOINT)
        return None if row is None or row[0] == 0 else str(row[1])

    async def tile(self, path: str) -> bytes:
        """The file at ``tile/…``. Raises LookupError for what the signed tree does not have."""
        try:
            asked = parse_path(path)
        except ValueError as error:
            raise LookupError("no tile has this name") from error
        row = await self._database.fetch_one(_CHECKPOINT)
        place = Place(asked.level or 0, asked.number)
        if row is None or asked.width > width_at(place, row[0]):
            raise LookupError("the signed tree does not reach this tile")
        return await self._bundle(asked) if asked.level is None else await self._hashes(place, asked.width)

    async def _hashes(self, place: Place, width: int) -> bytes:
        tile = await self._tiles.tile(place)
        if tile is None or len(tile) < width * HASH_SIZE:
            raise LookupError("the tile is missing: run `carekeep ledger verify`")
        return tile[: width * HASH_SIZE]

    async def _bundle(self, asked: TilePath) -> bytes:
        start = asked.number << HEIGHT
        rows = await self._database.fetch(_LEAVES, (start, start + asked.width))
        if len(rows) != asked.width:
            raise LookupError("entries are missing: run `carekeep ledger verify`")
        return entry_bundle([leaf for (leaf,) in rows])
