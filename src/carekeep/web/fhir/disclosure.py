"""What one answer discloses when it holds many records: each decided by itself, all in one ledger entry."""

from collections import deque
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

import orjson

from carekeep.access import Action, Decision, Target
from carekeep.fhir import Query
from carekeep.fhir.documents import high_water_mark, local_references
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.fhir.bodies import gone
from carekeep.web.obligations import abide, may_match
from carekeep.web.passage import Passage, together, what_of
from carekeep.web.problems import problem

Json = dict[str, Any]
# Types of records that others refer to and that belong to no patient: people, places and things.
_DIRECTORY = frozenset(
    {
        "Device",
        "HealthcareService",
        "Location",
        "Medication",
        "Organization",
        "Practitioner",
        "PractitionerRole",
        "Substance",
    }
)
_MOST = 2_000


class Disclosure:
    """Collects what an operation is going to answer with. Nothing may leave before ``record``."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._verdicts: dict[Target, Decision] = {}
        self._decided: dict[str, Decision] = {}
        self._shown: dict[str, Stored] = {}
        self._asked: list[Decision] = []

    async def ask(self, type_: str) -> None:
        """Demand that the person may ask about records of a type at all."""
        self._asked.append(await self._passage.demand(Action.SEARCH, Target(type_, (), ())))

    async def subject(self, type_: str, id_: str) -> Stored:
        """The record that an operation is about, which need not be shown.

        A denial is recorded and raised as 403, what is not there as 404 or 410, as it is for a read.
        """
        passage = self._passage
        try:
            stored = await passage.services.vault.read(type_, id_)
        except (NotFound, Forgotten) as error:
            # Who may not search a type is not told what does not exist in it.
            await self.ask(type_)
            await passage.record(Action.READ, "failed", reason=type(error).__name__)
            raise
        target = passage.target_of(stored)
        self._verdicts[target] = await passage.demand(Action.READ, target, what=(what_of(stored),))
        self._asked.append(self._verdicts[target])
        self._decided[stored.reference] = self._verdicts[target]
        if stored.deleted:
            self.show(stored)
            await self.record(f"{type_}/{id_}")
            raise gone(stored)
        return abide(self._verdicts[target], stored)

    async def shown(self, stored: Stored, query: Query | None = None) -> Stored | None:
        """What the person may read of a record; None: nothing, or not as a match of this query.

        What one may not see is neither shown nor counted.
        """
        decision = await self.decision(stored)
        if not decision.permitted or (query is not None and not may_match(decision, query)):
            return None
        return abide(decision, stored)

    async def decision(self, stored: Stored) -> Decision:
        """The decision on reading a record; equal targets are decided once."""
        target = self._passage.target_of(stored)
        if target not in self._verdicts:
            self._verdicts[target] = await self._passage.judge(Action.READ, target)
        self._decided[stored.reference] = self._verdicts[target]
        return self._verdicts[target]

    def show(self, *records: Stored) -> None:
        """These will be in the answer. Raises 422 above the bound."""
        self._shown.update((stored.reference, stored) for stored in records)
        if len(self._shown) > _MOST:
            raise problem(422, "too-costly", f"More than {_MOST:,} records would be in one answer. Ask for less.")

    async def directory(self, resources: Iterable[Json]) -> list[Stored]:
        """The people, places and things that these refer to, directly or through each other, if they may be read."""
        waiting = deque(reference for resource in resources for reference in local_references(resource))
        seen: set[str] = set()
        found: list[Stored] = []
        while waiting and len(seen) < _MOST:
            reference = waiting.popleft()
            if reference in seen or reference.partition("/")[0] not in _DIRECTORY:
                continue
            seen.add(reference)
            stored = await self._readable(reference)
            if stored is not None:
                found.append(stored)
                waiting.extend(local_references(stored.resource))
        return found

    async def _readable(self, reference: str) -> Stored | None:
        type_, _, id_ = reference.partition("/")
        try:
            stored = await self._passage.services.vault.read(type_, id_)
        except (NotFound, Forgotten):
            return None
        return None if stored.deleted else await self.shown(stored)

    async def record(self, query: str) -> None:
        """Make the entry of everything shown durable. ``query`` names the operation and its arguments."""
        shown = list(self._shown.values())
        decisions = [self._decided.get(each.reference) or await self.decision(each) for each in shown] or self._asked
        await self._passage.record(
            Action.READ,
            "permitted",
            decision=together(list(dict.fromkeys(decisions))),
            what=tuple(map(what_of, shown)),
            patients=dict.fromkeys(patient for stored in shown for patient in stored.patients),
            query=query,
        )


def called(path: str, pairs: Iterable[tuple[str, Any]]) -> str:
    """How the ledger names a call: the path of the operation and its arguments, those with parts by name only."""
    told = [(name, "" if isinstance(value, dict) else str(value)) for name, value in pairs]
    return f"{path}?{urlencode(told)}" if told else path


def labelled_searchset(
    fhir_url: str, matches: Iterable[Stored], included: Iterable[Stored], links: list[Json], total: int | None
) -> bytes:
    """A searchset with the high-water mark of its entries' labels."""
    found, beside = list(matches), list(included)
    bundle: Json = {"resourceType": "Bundle"}
    if labels := high_water_mark(stored.resource for stored in (*found, *beside) if stored.labels):
        bundle["meta"] = {"security": labels}
    bundle |= {"type": "searchset", "link": links}
    if total is not None:
        bundle["total"] = total
    entries = [_entry(fhir_url, each, "match") for each in found] + [
        _entry(fhir_url, each, "include") for each in beside
    ]
    if entries:
        bundle["entry"] = entries
    return orjson.dumps(bundle)


def _entry(fhir_url: str, stored: Stored, mode: str) -> Json:
    url = f"{fhir_url}/{stored.reference}"
    return {"fullUrl": url, "resource": orjson.Fragment(stored.body), "search": {"mode": mode}}
