"""What a search asks of other records and of value sets, answered with the sight of the person who asks.

A chain is a search of its own, of which only the matches that the person may read count; so what one may not see
changes no answer. Each step is bounded; a chain that leads to more is refused rather than cut, which would be wrong.
"""

from collections.abc import AsyncIterator

from carekeep.fhir import Chain, CodeSet, Coding, Has, Link, Listed, Query, references_of
from carekeep.records import Stored
from carekeep.web.fhir.terminology import Terminology
from carekeep.web.fhir.verdicts import Verdicts
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, problem

MOST_REFERENCES = 1_000
_MOST_MATCHES = 10_000


class Resolver:
    """Answers the open questions of queries, for one request."""

    def __init__(self, passage: Passage, verdicts: Verdicts) -> None:
        self._passage = passage
        self._verdicts = verdicts
        self._terminology = Terminology(passage)

    async def answered(self, query: Query) -> Query:
        """The query with nothing open. Raises 400 for what leads too far or is not known here."""
        if query.code_sets:
            query = query.with_codes([await self._codes(each) for each in query.code_sets])
        if query.links:
            query = query.with_references([await self._references(each, query.type) for each in query.links])
        return query

    async def _codes(self, asked: CodeSet) -> frozenset[Coding]:
        if asked.relation == "above":
            found = await self._terminology.codes_above(asked.system, asked.code)
        elif asked.relation == "below":
            found = await self._terminology.codes_below(asked.system, asked.code)
        else:
            found = await self._terminology.codes_in(asked.code)
        if found is None:
            what = "value set" if asked.relation in {"in", "not-in"} else "hierarchy of this code system"
            name = asked.parameter.code
            says = f'"{name}:{asked.relation}" cannot be answered: the {what} is not loaded, or cannot be told here.'
            raise problem(400, "not-supported", says, f"http.{name}")
        return found

    async def _references(self, link: Link, type_: str) -> frozenset[str]:
        """The records that a link leads to, or that it leads back to, as ``Type/id``."""
        if isinstance(link, Listed):
            return await self._entries(link)
        found: set[str] = set()
        for inner in link.inner if isinstance(link, Chain) else (link.inner,):
            async for stored in self._matches(await self.answered(inner), _name(link)):
                found |= _ends(link, stored, type_)
                if len(found) > MOST_REFERENCES:
                    raise _too_costly(_name(link), MOST_REFERENCES)
        return frozenset(found)

    async def _matches(self, query: Query, name: str) -> AsyncIterator[Stored]:
        """The matches that the person may read."""
        if not await self._verdicts.may_search(query.type):
            return
        count = 0
        patients = await self._passage.patients_in_sight()
        async for stored in self._passage.services.vault.search_all(query, patients):
            shown = await self._verdicts.shown(stored, query)
            if shown is not None:
                count += 1
                if count > _MOST_MATCHES:
                    raise _too_costly(name, _MOST_MATCHES)
                yield shown

    async def _entries(self, link: Listed) -> frozenset[str]:
        """The entries of a List that the person may read; of another there is nothing."""
        async for stored in self._passage.services.vault.read_all([f"List/{link.list_id}"]):
            shown = await self._verdicts.shown(stored)
            if shown is not None:
                entries = [each for each in shown.resource.get("entry", ()) if not each.get("deleted", False)]
                return frozenset(each["item"]["reference"] for each in entries if "reference" in each["item"])
        return frozenset()


def _ends(link: Chain | Has, stored: Stored, type_: str) -> frozenset[str]:
    if isinstance(link, Chain):
        return frozenset({stored.reference})
    return frozenset(each for each in references_of(link.parameter, stored.resource) if each.startswith(f"{type_}/"))


def _name(link: Link) -> str:
    if isinstance(link, Chain):
        return link.parameter.code
    return "_has" if isinstance(link, Has) else "_list"


def _too_costly(name: str, most: int) -> Problem:
    says = f'"{name}" leads to more than {most:,} records. Ask for something narrower.'
    return problem(400, "too-costly", says, f"http.{name}")
