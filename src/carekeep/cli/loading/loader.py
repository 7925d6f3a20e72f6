"""Load resources in batches, each batch with its entry in the ledger."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from carekeep.access import Purpose
from carekeep.audit import What
from carekeep.cli.operator import record_operation
from carekeep.storage import Conflict
from carekeep.web import Services
from carekeep.web.bulk import Batch, Loadable, Refusal, draft_batch

_BATCH = 250
_ATTEMPTS = 5
_KEPT_REFUSALS = 1000
ACTION = "import"


@dataclass(slots=True)
class Report:
    """What came of a load.

    ``unchanged`` counts what was there already, with equal content. ``refusals`` keeps the first 1,000; ``refused``
    counts all.
    """

    loaded: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def add(self, batch: Batch) -> None:
        """Count a batch that was committed."""
        self.loaded.update(stored.type for stored in batch.stored)
        self.unchanged += batch.skipped
        self.refused += len(batch.refusals)
        self.refusals.extend(batch.refusals[: _KEPT_REFUSALS - len(self.refusals)])


class Loader:
    """Loads resources for an operator on the machine itself; the ledger names the operator and the source.

    A load that was interrupted is simply run again: what is there already is left alone.
    """

    def __init__(self, services: Services, source: str) -> None:
        self._services = services
        self._source = source
        self.report = Report()

    async def load(self, resources: Iterable[tuple[str, Loadable]]) -> None:
        """Take ``(where, resource)`` pairs, or what is wrong there. Raises Conflict, StorageError."""
        some: list[tuple[str, Loadable]] = []
        for pair in resources:
            some.append(pair)
            if len(some) >= _BATCH:
                await self._commit(some)
                some = []
        if some:
            await self._commit(some)

    async def _commit(self, some: Sequence[tuple[str, Loadable]]) -> None:
        for _ in range(_ATTEMPTS):
            batch = await draft_batch(self._services, some, None)
            try:
                if batch.stored:
                    await self._record(batch)
            except Conflict:
                continue
            for topic in batch.topics:
                self._services.generations.changed(topic)
            self.report.add(batch)
            return
        raise Conflict("Others keep changing the same records; load again when they are done.")

    async def _record(self, batch: Batch) -> None:
        await record_operation(
            self._services,
            ACTION,
            f"records brought in from files ({self._source})",
            *batch.prepared,
            what=[What(stored.reference, stored.version) for stored in batch.stored],
            patients=dict.fromkeys(patient for stored in batch.stored for patient in stored.patients),
            purpose=Purpose.RECORDMGT,
        )
