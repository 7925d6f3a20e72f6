"""Gossip: comparing what others hold of our log, and of the logs we watch, with what we have seen.

A log that shows one past to some and another to others cannot know who compares. Each contradiction that is found is
kept as proof, with an entry of our own ledger, and cannot be cleaned away quietly.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from carekeep.audit.checkpoint import Checkpoint, parse_checkpoint
from carekeep.audit.ledger import Ledger
from carekeep.audit.merkle import (
    HASH_SIZE,
    ProofRefused,
    Span,
    complete_subtrees,
    consistency_spans,
    fold,
    verify_consistency,
)
from carekeep.audit.note import NoteKey, NoteRefused, open_note, parse_note
from carekeep.audit.tile_table import TileMissing, TileTable
from carekeep.audit.tiles import Place, TilePath, places_of, span_root, width_at
from carekeep.audit.witnessing.evidence import SplitViews
from carekeep.audit.witnessing.folder import hash_of
from carekeep.audit.witnessing.policy import Policy
from carekeep.audit.witnessing.split_views import SplitView, find_split
from carekeep.audit.witnessing.standings import SealedTexts
from carekeep.audit.witnessing.submitting import Unreachable, an_alarm, witnesses_by_url
from carekeep.storage import Conflict, Database

Fetch = Callable[[str], Awaitable[bytes]]
"""GETs a small document. Raises Unreachable."""

_log = logging.getLogger("carekeep.witnesses")


class Tiles(Protocol):
    """Where the roots of parts of a log come from."""

    async def roots(self, spans: Sequence[Span], size: int) -> list[bytes]:
        """The roots of spans within the first ``size`` leaves. Raises TileMissing, Unreachable."""
        ...


class PublishedTiles:
    """The tiles of another log, below its URL. They need not be trusted: what they lead to is compared."""

    def __init__(self, fetch: Fetch, url: str) -> None:
        self._fetch = fetch
        self._url = url

    async def roots(self, spans: Sequence[Span], size: int) -> list[bytes]:
        """See Tiles."""
        places = {place for span in spans for place in places_of(span)}
        tiles = {place: await self._tile(place, size) for place in places}
        return [span_root(span, tiles.__getitem__) for span in spans]

    async def _tile(self, place: Place, size: int) -> bytes:
        width = width_at(place, size)
        try:
            tile = await self._fetch(f"{self._url}/{TilePath(place.level, place.number, width)}")
        except Unreachable:  # a partial tile may be gone once the full one is there
            tile = await self._fetch(f"{self._url}/{TilePath(place.level, place.number)}")
        if len(tile) < width * HASH_SIZE:
            raise TileMissing(place)
        return tile


@dataclass(frozen=True, slots=True)
class _Watched:
    """A log, its keys, where its checkpoints are to be had, and its tiles."""

    origin: str
    keys: tuple[NoteKey, ...]
    sources: tuple[str, ...]
    tiles: Tiles


class Watching:
    """Compares, turn by turn. ``own`` are the keys of our log; other logs are those of the policy that have a URL."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        seen: SealedTexts,
        split_views: SplitViews,
        policy: Policy,
        fetch: Fetch,
        own: tuple[NoteKey, ...],
        clock: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._own = own
        self._own_tiles = TileTable(database)
        self._seen = seen
        self._split_views = split_views
        self._fetch = fetch
        self._clock = clock
        self._watched = self._plan(policy)
        self._told: set[str] = set()

    async def turn(self) -> None:
        """Look at every log once. Raises StorageError, EncryptionError."""
        for log in self._watched:
            notes = await asyncio.gather(*[self._checkpoint_at(log, url) for url in log.sources])
            for note in notes:
                if note is not None:
                    await self._compare(log, note)

    def _plan(self, policy: Policy) -> tuple[_Watched, ...]:
        own = self._own[0].name
        held = {url: f"{url}/%s/checkpoint" for url in witnesses_by_url(policy)}
        found = [_Watched(own, self._own, tuple(each % hash_of(own) for each in held.values()), self._own_tiles)]
        for origin in dict.fromkeys(log.key.name for log in policy.logs if log.key.name != own):
            logs = [log for log in policy.logs if log.key.name == origin]
            url = next((log.url.rstrip("/") for log in logs if log.url), None)
            if url is None:
                continue
            sources = (f"{url}/checkpoint", *(each % hash_of(origin) for each in held.values()))
            tiles = PublishedTiles(self._fetch, url)
            found.append(_Watched(origin, tuple(log.key for log in logs), sources, tiles))
        return tuple(found)

    async def _checkpoint_at(self, log: _Watched, url: str) -> str | None:
        """What a source holds of a log, with the log's signatures alone; None if it holds nothing that is signed."""
        try:
            note = open_note((await self._fetch(url)).decode(), log.keys)
        except (Unreachable, NoteRefused, UnicodeDecodeError):
            return None  # not seen is not contradicted; that a witness is down is said elsewhere
        checkpoint = _checkpoint(str(note))
        return str(note) if checkpoint is not None and checkpoint.origin == log.origin else None

    async def _compare(self, log: _Watched, note: str) -> None:
        is_own = log.tiles is self._own_tiles
        kept = await self._own_head() if is_own else await self._seen.get(log.origin)
        if kept is None:
            if not is_own:
                await self._seen.put(log.origin, note)
            return
        try:
            evidence = await _contradiction(log, kept, note)
        except _NoPath as fault:
            await self._alarm(log, str(fault))
            return
        except (TileMissing, Unreachable):
            return  # the log is not to be had just now; the next turn tries again
        if evidence is not None:
            await self._keep(evidence)
        elif is_own and _size(note) > _size(kept):
            text = f"a witness holds {_size(note)} entries of our log, and we have {_size(kept)}: our database was put "
            await self._alarm(log, text + "back to an older state, or somebody else signs with our key")
        elif not is_own and _size(note) > _size(kept):
            await self._seen.put(log.origin, note)

    async def _own_head(self) -> str | None:
        head = await self._own_tiles.head()
        return None if head is None or head.size == 0 else head.checkpoint

    async def _keep(self, evidence: SplitView) -> None:
        prepared = await self._split_views.prepare_keep(evidence)
        if prepared is None:
            return
        first, second = evidence.checkpoints
        reason = (
            f"the log {evidence.origin} showed two pasts, over {first.size} and over {second.size} entries; the proof "
            f"is split view {evidence.id.hex()}"
        )
        _log.critical("%s (`carekeep ledger split-views`)", reason)
        try:
            await self._ledger.record(an_alarm(reason, self._clock()), prepared)
        except Conflict:  # another process found the same in this moment
            return

    async def _alarm(self, log: _Watched, text: str) -> None:
        """Once for each process: the ledger need not grow with every turn."""
        if log.origin not in self._told:
            self._told.add(log.origin)
            _log.critical("The log %s: %s.", log.origin, text)
            await self._ledger.record(an_alarm(f"the log {log.origin}: {text}", self._clock()))


class _NoPath(Exception):
    """Two signed checkpoints, and tiles that connect neither them nor anything else."""


async def _contradiction(log: _Watched, kept: str, note: str) -> SplitView | None:
    """The proof that two checkpoints contradict each other, or None if one continues the other.

    Of our own log a larger one than ours cannot be compared: we have no tiles of it. Raises _NoPath, TileMissing,
    Unreachable.
    """
    first, second = sorted((kept, note), key=_size)
    small, large = parse_checkpoint(parse_note(first).text), parse_checkpoint(parse_note(second).text)
    if small.size in {0, large.size}:
        return find_split(log.keys, first, second)
    if isinstance(log.tiles, TileTable) and second is note:
        return None
    path = await log.tiles.roots(consistency_spans(small.size, large.size), large.size)
    try:
        verify_consistency(small.size, large.size, small.root, large.root, path)
    except ProofRefused:
        there = fold(await log.tiles.roots(complete_subtrees(Span(0, small.size)), large.size))
        evidence = find_split(log.keys, first, second, path, there)
        if evidence is None:
            raise _NoPath("its tiles do not lead to the root that it signed") from None
        return evidence
    return None


def _checkpoint(note: str) -> Checkpoint | None:
    try:
        return parse_checkpoint(parse_note(note).text)
    except NoteRefused:
        return None


def _size(note: str) -> int:
    return parse_checkpoint(parse_note(note).text).size
