"""Validate, draft and commit resources in batches, each batch with its entry in the ledger."""

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from carekeep.access import CARE_TYPES, Purpose
from carekeep.audit import What
from carekeep.cli.loading.sources import Loadable
from carekeep.cli.operator import record_operation
from carekeep.fhir import Issue, validate
from carekeep.records import Draft, NotFound
from carekeep.storage import Conflict, Prepared, bump
from carekeep.web import Services

_BATCH = 250
_ATTEMPTS = 5
_KEPT_REFUSALS = 1000
ACTION = "import"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One resource that was not taken: where it stands in its source, and why."""

    where: str
    type: str
    issues: tuple[Issue, ...]


@dataclass(slots=True)
class Report:
    """What came of a load. ``refusals`` keeps the first 1,000; ``refused`` counts all."""

    loaded: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    def refuse(self, where: str, type_: str, issues: Iterable[Issue]) -> None:
        """Note a refusal."""
        self.refused += 1
        if len(self.refusals) < _KEPT_REFUSALS:
            self.refusals.append(Refusal(where, type_, tuple(issues)))


class Loader:
    """Loads resources for an operator on the machine itself; the ledger names the operator and the source."""

    def __init__(self, services: Services, source: str) -> None:
        self._services = services
        self._source = source
        self.report = Report()

    async def load(self, resources: Iterable[tuple[str, Loadable]]) -> None:
        """Take ``(where, resource)`` pairs, or what is wrong there. Raises Conflict, StorageError."""
        batch: list[dict[str, Any]] = []
        for where, resource in resources:
            if isinstance(resource, tuple):
                self.report.refuse(where, "?", resource)
            elif self._acceptable(where, resource):
                batch.append(resource)
            if len(batch) >= _BATCH:
                await self._commit(batch)
                batch = []
        if batch:
            await self._commit(batch)

    def _acceptable(self, where: str, resource: dict[str, Any]) -> bool:
        issues = [issue for issue in validate(resource) if issue.severity in {"error", "fatal"}]
        if issues:
            type_ = resource.get("resourceType")
            self.report.refuse(where, type_ if isinstance(type_, str) else "?", issues)
        return not issues

    async def _commit(self, batch: list[dict[str, Any]]) -> None:
        for _ in range(_ATTEMPTS):
            draft = self._services.vault.draft()
            for resource in batch:
                await self._draft(draft, resource)
            care = (Prepared(None, (bump("care"),)),) if any(s.type in CARE_TYPES for s in draft.stored) else ()
            try:
                await self._record(draft, care)
            except Conflict:
                continue
            self._services.generations.changed("care")
            self.report.loaded.update(stored.type for stored in draft.stored)
            return
        raise Conflict("Others keep changing the same records; load again when they are done.")

    async def _record(self, draft: Draft, care: tuple[Prepared[None], ...]) -> None:
        await record_operation(
            self._services,
            ACTION,
            f"records brought in from files ({self._source})",
            draft.prepared(),
            *care,
            what=[What(stored.reference, stored.version) for stored in draft.stored],
            patients=dict.fromkeys(patient for stored in draft.stored for patient in stored.patients),
            purpose=Purpose.RECORDMGT,
        )

    async def _draft(self, draft: Draft, resource: dict[str, Any]) -> None:
        """A first version under the resource's own id, or a next version of what has it."""
        id_ = resource.setdefault("id", str(uuid.uuid4()))
        type_ = resource["resourceType"]
        try:
            current, place = await self._services.vault.locate(type_, id_)
        except NotFound:
            await draft.create(resource, id_)
            return
        await draft.update(resource, current, place)
