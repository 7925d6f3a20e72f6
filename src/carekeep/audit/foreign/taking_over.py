"""Making entries of another system's events, each once."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from carekeep.audit.entries import Agent, Entry, What
from carekeep.audit.foreign.foreign import Foreign, Refusal, clean
from carekeep.audit.ledger import Ledger
from carekeep.encryption import Tagger
from carekeep.storage import Clock, Conflict, Database, Insert, Prepared

BATCH = 250
TABLE = "foreign_entry"
_MOST_REFUSALS = 1_000
_REMEMBERED = 10_000
_AHEAD_MS = 300_000  # clocks differ
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
_OURS = re.compile(r"[A-Za-z]+/\S+")

Patients = Callable[[Sequence[str]], Awaitable[Mapping[str, str]]]
"""Who is meant: of what a log calls patients, the ids of those that are known."""


@dataclass(slots=True)
class Report:
    """What became of a log. ``taken``: new entries; ``seen``: taken over before; ``nameless``: no patient known."""

    taken: int = 0
    seen: int = 0
    nameless: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def refuse(self, refusal: Refusal) -> None:
        """Count a line that was not taken over; the first thousand are kept."""
        self.refused += 1
        if len(self.refusals) < _MOST_REFUSALS:
            self.refusals.append(refusal)


def is_source(text: str) -> bool:
    """Whether a text can name a system: a word of letters, digits, points and dashes."""
    return _SOURCE.fullmatch(text) is not None


def as_entry(foreign: Foreign, source: str, patients: Sequence[str], request_id: str, at_ms: int) -> Entry:
    """The entry of an event. Nobody in it has an account here, and no name of theirs is a reference of ours."""
    return Entry(
        action=f"foreign:{foreign.verb}",
        agent=Agent(
            account="",
            role=foreign.role or "foreign",
            who=_theirs(foreign.who, source) or None,
            address=foreign.address or None,
            app=foreign.app or None,
        ),
        purpose=foreign.purpose,
        outcome=foreign.outcome,
        what=tuple(What(_theirs(each, source)) for each in foreign.what),
        patients=tuple(patients),
        reason=f"It is called {foreign.said!r} there." if foreign.said else "",
        request_id=request_id,
        at_ms=at_ms,
        source=source,
        happened_ms=foreign.happened_ms,
    )


def _theirs(text: str, source: str) -> str:
    """Practitioner/7 of another system is not ours."""
    return f"{text} of {source}" if _OURS.fullmatch(text) else clean(text)


class TakeOver:
    """Takes one log over. ``source`` names the system; ``request_id`` joins the entries of this import."""

    def __init__(
        self,
        database: Database,
        ledger: Ledger,
        tagger: Tagger,
        clock: Clock,
        patients: Patients,
        source: str,
        request_id: str,
        *,
        dry_run: bool = False,
    ) -> None:
        self._database = database
        self._ledger = ledger
        self._tagger = tagger
        self._clock = clock
        self._patients = patients
        self._source = source
        self._request_id = request_id
        self._dry_run = dry_run
        self._times: OrderedDict[bytes, int] = OrderedDict()
        self.report = Report()

    async def take(self, events: Iterable[Foreign | Refusal], tell: Callable[[int], None] = lambda _: None) -> Report:
        """Everything, in bounded batches. ``tell`` hears how many lines were read. Raises StorageError.

        What was taken over before it raised stays, and is known when the log comes again.
        """
        batch: list[tuple[Foreign, bytes]] = []
        for read, event in enumerate(events, start=1):
            if isinstance(event, Refusal):
                self.report.refuse(event)
            elif not 0 <= event.happened_ms <= self._clock() + _AHEAD_MS:
                self.report.refuse(Refusal(event.line, "its time is in the future, or before 1970"))
            else:
                batch.append((event, self._digest(event)))
            if len(batch) == BATCH:
                await self._commit(batch)
                batch = []
                tell(read)
        await self._commit(batch)
        return self.report

    def _digest(self, event: Foreign) -> bytes:
        """Of a line and its repetition: equal lines of one log are several events, a second import of it is none."""
        digest = self._tagger.digest("foreign", self._source, event.raw)
        n = self._times.pop(digest, 0)
        self._times[digest] = n + 1
        if len(self._times) > _REMEMBERED:
            self._times.popitem(last=False)
        return self._tagger.digest("foreign", digest, str(n))

    async def _commit(self, batch: list[tuple[Foreign, bytes]]) -> None:
        if not batch:
            return
        seen = await self._seen([digest for _, digest in batch])
        new = [each for each in batch if each[1] not in seen]
        self.report.seen += len(batch) - len(new)
        known = await self._patients(sorted({patient for event, _ in new for patient in event.patients}))
        await asyncio.gather(*[self._one(event, digest, known) for event, digest in new])

    async def _one(self, event: Foreign, digest: bytes, known: Mapping[str, str]) -> None:
        patients = [known[patient] for patient in event.patients if patient in known]
        if not self._dry_run:
            entry = as_entry(event, self._source, patients, self._request_id, self._clock())
            mark = Prepared(None, (Insert(TABLE, ("digest",), ((digest,),)),))
            try:
                await self._ledger.record(entry, mark)
            except Conflict:  # somebody imports the same log
                self.report.seen += 1
                return
        self.report.taken += 1
        self.report.nameless += bool(event.patients) and not patients

    async def _seen(self, digests: Sequence[bytes]) -> frozenset[bytes]:
        places = ", ".join(f"${number}" for number in range(1, len(digests) + 1))
        sql = f"SELECT digest FROM {TABLE} WHERE digest IN ({places})"  # noqa: S608 - numbered places only
        return frozenset(row[0] for row in await self._database.fetch(sql, digests))
