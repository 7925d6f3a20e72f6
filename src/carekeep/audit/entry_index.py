"""Finding the entries about one patient, or of one agent, among all: a view that is made from the ledger afterwards.

So an entry itself costs nothing more. One process (``EntryIndexer``) follows the ledger and notes where entries are;
answers are complete at once nevertheless, since what was not noted yet is looked through.

A row that somebody takes away or changes can hide an entry here, and not in the ledger: ``verify`` finds it, and
``prepare_rebuild`` makes everything anew.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum, unique

from carekeep.audit.entries import BadLeaf, Entry, EntryId
from carekeep.audit.following import Followed, Follower, first_part, read_batch, whole
from carekeep.audit.ledger import Ledger, SealedEntry
from carekeep.audit.notable import notable
from carekeep.audit.postings import TABLE, Name, Postings
from carekeep.encryption import Tagger
from carekeep.storage import Change, Conflict, Database, Finding, Lease, Row, StorageError

READER = "entry-index"
PAGE = 200
BATCH = 250  # so that writers wait for a few milliseconds at most: rows go to random places
IDLE_S = 1.0
LEASE_S = 3.0

_BELOW = "SELECT leaf_index, entry_id, leaf FROM ledger_entry WHERE leaf_index < $1 ORDER BY leaf_index DESC LIMIT $2"
_UP_TO = "SELECT leaf_index FROM ledger_entry WHERE entry_id < $1 ORDER BY entry_id DESC LIMIT 1"
_REWIND = "UPDATE ledger_reader SET next = 0 WHERE name = $1"
_COUNT = f"SELECT count(*) FROM {TABLE}"  # noqa: S608 - a constant
_END = 2**63 - 1

_log = logging.getLogger(__name__)


@unique
class About(StrEnum):
    """What entries are found by.

    ``PATIENT``: the id of somebody whose data it was; ``AGENT``: the FHIR reference of who acted, or the account of
    somebody who has none; ``DISCLOSURE``: as PATIENT, of those only by which data left to a recipient; ``NOTABLE``: a
    kind of ``notable.Notable``.
    """

    PATIENT = "patient"
    AGENT = "agent"
    DISCLOSURE = "disclosure"
    NOTABLE = "notable"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom entries are looked for, such as ``Subject(About.PATIENT, "ada")``."""

    about: About
    id: str

    @property
    def name(self) -> Name:
        """The list of the entries."""
        return (self.about.value, self.id)


def subjects_of(entry: Entry) -> frozenset[Subject]:
    """Everything that an entry is found by."""
    found = {Subject(About.PATIENT, patient) for patient in entry.patients}
    found |= {Subject(About.NOTABLE, kind) for kind in notable(entry)}
    if entry.recipient is not None:
        found |= {Subject(About.DISCLOSURE, patient) for patient in entry.patients}
    if agent := entry.agent.who or entry.agent.account:
        found.add(Subject(About.AGENT, agent))
    return frozenset(found)


class EntryIndex:
    """Reading, in any process. ``tagger`` is the keyring's index key."""

    def __init__(self, database: Database, ledger: Ledger, tagger: Tagger) -> None:
        self._database = database
        self._ledger = ledger
        self._postings = Postings(database, tagger)
        self._follower = Follower(database, ledger, READER)

    async def newest_first(
        self, subject: Subject | None = None, after: EntryId | None = None, until_ms: int | None = None
    ) -> AsyncIterator[Followed]:
        """The entries, or those of one subject, the newest first; those that wait for the sequencer before all others.

        ``after``: begin behind this entry. ``until_ms``: leave out what was surely recorded later (milliseconds since
        1970). Entries that become durable while this is read may be missing; all that were durable before are there.
        Raises StorageError.
        """
        begun = None if after is None else await self._ledger.find(after)
        position = await self._follower.position()  # before the rest: what is noted meanwhile is given once
        below = _END if begun is None or begun.index is None else begun.index
        given = set()
        if below == _END:
            for followed in await self._waiting(subject):
                if after is None or followed.entry_id < after:
                    given.add(followed.entry_id)
                    yield followed
        if until_ms is not None:
            below = min(below, await self._place_after(until_ms))
        found = self._all(below) if subject is None else self._of(subject, position, below)
        async for followed in found:
            if followed.entry_id not in given:  # integrated meanwhile
                yield followed

    async def verify(self) -> AsyncIterator[Finding | int]:
        """Rows that are not what the ledger's entries lead to, and between them how many entries were walked."""
        position = await self._follower.position()
        lengths: Counter[Name] = Counter()
        start = rows = 0
        while start < position:
            batch = await read_batch(self._ledger, start, min(_READ, position - start))
            if batch.end == start:
                break
            expected = []
            for followed in batch.entries:
                for subject in subjects_of(followed.entry):
                    expected.append((subject.name, lengths[subject.name], followed.index or 0))
                    lengths[subject.name] += 1
            for name, n in await self._postings.differing(expected):
                tag = self._postings.tag(name, n).hex()
                yield Finding(f"{TABLE}/{tag}", "it is missing, or is not what the ledger's entries lead to")
            rows += len(expected)
            start = batch.end
            yield start
        counted = await self._database.fetch_one(_COUNT)
        if counted is not None and counted[0] > rows and position == await self._follower.position():
            yield Finding(TABLE, f"it has {counted[0]} rows, and the ledger's entries lead to {rows}")

    def prepare_rebuild(self) -> tuple[Change, ...]:
        """The steps after which the indexer makes everything anew."""
        return (self._postings.clear(), Change(_REWIND, [(READER,)]))

    async def _waiting(self, subject: Subject | None) -> list[Followed]:
        """What is durable and not, or not with all of its parts, in the tree."""
        found: dict[EntryId, Followed] = {}
        async for sealed in self._ledger.waiting():
            if first_part(sealed, self._ledger) in found:
                continue
            followed = await self._open(sealed)
            if followed is not None and _is_of(subject, followed.entry):
                found[followed.entry_id] = followed
        return [found[entry_id] for entry_id in sorted(found, reverse=True)]

    async def _of(self, subject: Subject, position: int, below: int) -> AsyncIterator[Followed]:
        for noticed in reversed(await self._tail(subject, position)):
            if noticed.index is not None and noticed.index < below:
                yield noticed
        left = await self._postings.length(subject.name)
        below = min(below, position)
        while left > 0:
            first = max(0, left - PAGE)
            indexes = [index for index in await self._postings.numbers(subject.name, first, left) if index < below]
            for sealed in await self._leaves(sorted(indexes, reverse=True)):
                followed = await self._open(sealed)
                if followed is not None and _is_of(subject, followed.entry):
                    yield followed
            left = first

    async def _tail(self, subject: Subject, start: int) -> list[Followed]:
        """Entries that are in the tree and were not noted yet."""
        found = []
        while (batch := await read_batch(self._ledger, start)).end > start:
            found += [followed for followed in batch.entries if _is_of(subject, followed.entry)]
            start = batch.end
        return found

    async def _all(self, below: int) -> AsyncIterator[Followed]:
        while rows := await self._database.fetch(_BELOW, (below, PAGE)):
            for sealed in map(_sealed, rows):
                if first_part(sealed, self._ledger) == sealed.entry_id:  # else it comes with that
                    followed = await self._open(sealed)
                    if followed is not None:
                        yield followed
            below = rows[-1][0]

    async def _place_after(self, moment_ms: int) -> int:
        """An index before which everything is that was recorded until then."""
        # Ids begin with the milliseconds of the process that gave them; processes differ by less than this.
        number = max(0, moment_ms + _CLOCKS_MS) << _RANDOM_BITS
        row = await self._database.fetch_one(_UP_TO, (min(number, 2**128 - 1).to_bytes(16, "big"),))
        return 0 if row is None else int(row[0]) + _OUT_OF_ORDER

    async def _leaves(self, indexes: list[int]) -> list[SealedEntry]:
        places = ", ".join(f"${number}" for number in range(1, len(indexes) + 1))
        if not indexes:
            return []
        sql = f"SELECT leaf_index, entry_id, leaf FROM ledger_entry WHERE leaf_index IN ({places})"  # noqa: S608
        rows = await self._database.fetch(sql, indexes)
        return [_sealed(row) for row in sorted(rows, key=lambda row: row[0], reverse=True)]

    async def _open(self, sealed: SealedEntry) -> Followed | None:
        try:
            return await whole(self._ledger, sealed)
        except BadLeaf:
            _log.error("%s does not open and is passed over. Run `carekeep ledger verify`.", sealed.name)
            return None


_READ = 1_000
_CLOCKS_MS = 60_000
_OUT_OF_ORDER = 1_024  # entries of one batch of the sequencer are in order
_RANDOM_BITS = 80


class EntryIndexer:
    """Writing: notes where the ledger's entries are, in whichever process holds the lease."""

    def __init__(self, database: Database, ledger: Ledger, tagger: Tagger) -> None:
        self._database = database
        self._postings = Postings(database, tagger)
        self._follower = Follower(database, ledger, READER)

    async def run(self, lease: Lease) -> None:
        """Go on for as long as the task lives. Cancel it to stop; a database that cannot be reached is waited for."""
        try:
            time = asyncio.get_running_loop().time
            held_at, held = -LEASE_S, False
            while True:
                more, begun = False, time()
                try:
                    if begun - held_at >= LEASE_S:
                        held, held_at = await lease.hold(), begun
                    more = held and await self.step()
                except StorageError as error:
                    _log.warning("The index of the ledger's entries waits: %s", error)
                await asyncio.sleep(time() - begun if more else IDLE_S)  # at least half of the time is for others
        finally:
            with suppress(StorageError):  # then it runs out by itself
                await lease.release()

    async def position(self) -> int:
        """How many of the ledger's leaves were noted."""
        return await self._follower.position()

    async def step(self) -> bool:
        """Note the next entries, each exactly once. Returns whether there may be more. Raises StorageError."""
        batch = await self._follower.read(BATCH)
        if batch.end == batch.start:
            return False
        places = _places(batch.entries)
        try:
            noted, lengths = await self._postings.append(places)
            await self._database.commit([noted, self._follower.advance(batch)])
        except Conflict:  # another process was first: see what it left to do
            self._postings.forget()
            return True
        self._postings.remember(lengths)
        return True


def _places(entries: Iterable[Followed]) -> dict[Name, list[int]]:
    places: dict[Name, list[int]] = {}
    for followed in entries:
        for subject in subjects_of(followed.entry):
            places.setdefault(subject.name, []).append(followed.index or 0)
    return places


def _is_of(subject: Subject | None, entry: Entry) -> bool:
    return subject is None or subject in subjects_of(entry)


def _sealed(row: Row) -> SealedEntry:
    index, entry_id, leaf = row
    return SealedEntry(index, EntryId(entry_id), leaf)
