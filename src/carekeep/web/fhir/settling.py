"""What the entries of a transaction mean: conditions and references resolved, in the order that R4 gives.

R4 (http.html#trules): deletes first, then creates, updates and patches, then reads, and conditional references last; a
record may be changed by one entry only. A condition is asked of the store as it will be when its entry's turn comes: a
create sees the creates before it, an update all creates, a reference everything that the Bundle writes; neither sees
what the Bundle deletes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from carekeep.access import Action, Decision
from carekeep.fhir import Issue, NewContent, rewrite_references
from carekeep.records import Stored
from carekeep.web.fhir.conditional import Wish, settle
from carekeep.web.fhir.conditions import Condition, Found, look_up, several
from carekeep.web.fhir.writing import Operation, Outcome
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, problem

Json = dict[str, Any]
_TWICE = "Another entry of the transaction changes the same record"
_MOST_ISSUES = 50


@dataclass(frozen=True, slots=True)
class Job:
    """An entry that changes something, checked on its own.

    ``operation`` is what it does if it names its record; otherwise ``wish`` is what it asks for. Their resources are
    valid, with references as far as they were known; ``original`` is the resource as it came. ``full_url`` is by what
    other entries refer to it.
    """

    position: int
    full_url: str | None
    operation: Operation | None
    wish: Wish | None
    original: Json | None = field(repr=False)

    @property
    def at(self) -> str:
        """Its place in the Bundle."""
        return f"Bundle.entry[{self.position}]"


@dataclass(slots=True)
class Resolved:
    """The jobs with everything resolved: what each comes to, in order; one that stands for another names it.

    ``seen`` and ``decisions`` are what was looked up, ``queries`` how; ``guards`` the conditions under which something
    is created.
    """

    operations: dict[int, Operation | Outcome] = field(default_factory=dict)
    same_as: dict[int, int] = field(default_factory=dict)
    guards: list[str] = field(default_factory=list)
    seen: list[Stored] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)


class Settlement:
    """Resolves the jobs of one transaction, once for each attempt.

    ``references`` are the conditional references, read, with the places where they are met first.
    """

    def __init__(self, passage: Passage, jobs: Sequence[Job], references: Mapping[str, tuple[Condition, str]]) -> None:
        self._passage = passage
        self._jobs = jobs
        self._references = references
        self._conditional = bool(references) or any(job.wish for job in jobs)
        self._content = NewContent()
        self._by_reference: dict[str, int] = {}
        self._gone: set[str] = set()
        self._found = Resolved()

    async def resolve(self) -> Resolved:
        """Raises Problem: 412 for a condition of several matches, 400 for two entries that change one record."""
        for job in self._jobs:
            if job.operation is not None:
                self._take(job, job.operation)
            elif job.wish is not None:
                await self._settle(job, job.wish)
        self._refuse_overlaps()
        if self._conditional:
            self._rewrite(await self._targets())
        return self._found

    def _take(self, job: Job, operation: Operation) -> None:
        """An operation with a known record takes its place, and what it writes is there for those after it."""
        reference = f"{operation.type}/{operation.id}"
        self._found.operations[job.position] = operation
        self._by_reference.setdefault(reference, job.position)
        if operation.resource is None and operation.patch is None:
            self._gone.add(reference)
        elif operation.resource is not None and self._conditional:
            self._content.add(reference, operation.resource)

    async def _settle(self, job: Job, wish: Wish) -> None:
        # What is deleted may be created anew; to change it as well would be two changes of one record.
        found = await self._look_up(wish.condition, frozenset(self._gone) if wish.method == "POST" else frozenset())
        beside = self._content.matches(found.query)
        if len({*beside, *(stored.reference for stored in found.matches)}) > 1:
            raise await several(self._passage, Action.SEARCH, found, wish.condition, job.at)
        if beside:
            self._stand_for(job, wish, beside[0])
            return
        settled = await settle(self._passage, wish, found)
        self._found.guards += settled.guards
        if isinstance(settled.operation, Operation):
            self._take(job, settled.operation)
        else:
            self._found.operations[job.position] = settled.operation

    def _stand_for(self, job: Job, wish: Wish, reference: str) -> None:
        """A create of what another entry creates is that entry; any other change would be a second one."""
        if wish.method != "POST":
            raise problem(400, "duplicate", _TWICE, f"{job.at}.request.url")
        self._found.same_as[job.position] = self._by_reference[reference]

    def _refuse_overlaps(self) -> None:
        changes = {at: each for at, each in self._found.operations.items() if isinstance(each, Operation)}
        number = Counter((each.type, each.id) for each in changes.values())
        twice = [
            Issue("error", "duplicate", f"Bundle.entry[{at}].request.url", _TWICE)
            for at, each in changes.items()
            if number[each.type, each.id] > 1
        ]
        if twice:
            raise Problem(400, *twice[:_MOST_ISSUES])

    async def _targets(self) -> dict[str, str]:
        """What every fullUrl and every conditional reference means, as ``Type/id``."""
        targets: dict[str, str] = {}
        for job in self._jobs:
            position = self._found.same_as.get(job.position, job.position)
            reference = _reference_of(self._found.operations[position])
            if job.full_url is not None and reference is not None:
                targets[job.full_url] = reference
        for text, (condition, at) in self._references.items():
            targets[text] = await self._refer(condition, at)
        return targets

    async def _refer(self, condition: Condition, at: str) -> str:
        """The record that a conditional reference means. Raises 412 unless there is one."""
        found = await self._look_up(condition, frozenset(self._gone).union(self._by_reference))
        references = [*self._content.matches(found.query), *(stored.reference for stored in found.matches)]
        if len(references) > 1:
            raise await several(self._passage, Action.SEARCH, found, condition, at)
        if not references:
            raise problem(412, "not-found", "The reference matches nothing.", at)
        return references[0]

    async def _look_up(self, condition: Condition, but: frozenset[str]) -> Found:
        found = await look_up(self._passage, condition, but)
        self._found.seen += found.matches
        self._found.decisions += found.decisions
        self._found.queries.append(condition.url)
        return found

    def _rewrite(self, targets: Mapping[str, str]) -> None:
        for job in self._jobs:
            operation = self._found.operations.get(job.position)
            if isinstance(operation, Operation) and operation.resource is not None and job.original is not None:
                resource = {**rewrite_references(job.original, targets, job.full_url), "id": operation.id}
                self._found.operations[job.position] = replace(operation, resource=resource)


def _reference_of(operation: Operation | Outcome) -> str | None:
    if isinstance(operation, Operation):
        return f"{operation.type}/{operation.id}"
    return operation.stored.reference if operation.stored else None
