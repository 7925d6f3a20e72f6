"""Terminology as this server has it: ValueSets and CodeSystems of the vault, and the value sets that R4 binds."""

from carekeep.access import Action
from carekeep.fhir import parse_query
from carekeep.fhir.terminology import (
    Canonical,
    CodeSystem,
    Library,
    NotLoaded,
    TerminologyRefused,
    expand,
    needed_by,
)
from carekeep.records import Stored
from carekeep.web.fhir.arguments import Arguments, Json
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem, problem

_MOST = 50  # resources that one value set may be made from
_NOBODY: frozenset[str] = frozenset()
Coding = tuple[str, str]


class Terminology:
    """What one person may read of the terminology.

    It is also what a search asks about ``:in``, ``:below`` and the like (``carekeep.fhir.search.ValueSets``).

    ``disclosure`` collects the resources that were used. What one may not read is as if it were not loaded.
    """

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self.disclosure = Disclosure(passage)

    async def value_set(self, canonical: Canonical) -> Json:
        """A ValueSet by its URL. Raises NotLoaded."""
        stored = await self._find("ValueSet", canonical)
        return stored.resource if stored is not None else Library().value_set(canonical)

    async def code_system(self, canonical: Canonical) -> CodeSystem:
        """A code system by its URL. Raises NotLoaded."""
        stored = await self._find("CodeSystem", canonical)
        if stored is None:
            raise NotLoaded("code system")
        return CodeSystem.read(stored.resource)

    async def library(self, value_set: Json) -> Library:
        """What a ValueSet is made from, as far as it is loaded. Raises TerminologyRefused above the bound."""
        sets: dict[Canonical, Json] = {}
        systems: dict[Canonical, CodeSystem] = {}
        asked: set[tuple[str, Canonical]] = set()
        waiting = [value_set]
        while waiting:
            others, of_systems = needed_by(waiting.pop())
            for kind, canonicals in (("ValueSet", others), ("CodeSystem", of_systems)):
                for canonical in sorted(canonicals, key=str):
                    if (kind, canonical) in asked:
                        continue
                    asked.add((kind, canonical))
                    if len(asked) > _MOST:
                        raise TerminologyRefused(f"It is made from more than {_MOST} resources.", "too-costly")
                    stored = await self._find(kind, canonical)
                    if stored is None:
                        continue
                    if kind == "ValueSet":
                        sets[canonical] = stored.resource
                        waiting.append(stored.resource)
                    else:
                        systems[canonical] = CodeSystem.read(stored.resource)
        return Library(sets, systems)

    async def codes_in(self, url: str) -> frozenset[Coding] | None:
        """All codings of a value set; None when it is not loaded, or its codes cannot be told."""
        try:
            value_set = await self.value_set(Canonical.parse(url))
            return frozenset(expand(value_set, await self.library(value_set)))
        except TerminologyRefused:
            return None

    async def codes_above(self, system: str, code: str) -> frozenset[Coding] | None:
        """A concept and all that subsume it; None when the code system or the concept is not loaded."""
        return await self._related(system, code, above=True)

    async def codes_below(self, system: str, code: str) -> frozenset[Coding] | None:
        """A concept and all that it subsumes; None when the code system or the concept is not loaded."""
        return await self._related(system, code, above=False)

    async def _related(self, url: str, code: str, *, above: bool) -> frozenset[Coding] | None:
        try:
            system = await self.code_system(Canonical.parse(url))
        except NotLoaded:
            return None
        concept = system.find(code)
        if concept is None or system.hierarchy != "is-a" or not system.complete:
            return None
        related = system.above(concept.code) if above else system.below(concept.code)
        return frozenset((system.url, each) for each in related | {concept.code})

    async def _find(self, type_: str, canonical: Canonical) -> Stored | None:
        """Of several with one URL, an active one; of these the one that was written last."""
        # As the value of a search parameter has to be written (R4 3.1.1.4.8).
        url = canonical.url.replace("\\", "\\\\").replace(",", "\\,").replace("$", "\\$")
        if not url:
            return None
        query = parse_query(type_, [("url", url)], lenient=False)
        best: Stored | None = None
        async for stored in self._passage.services.vault.search_all(query, _NOBODY):
            if canonical.version not in {None, stored.resource.get("version")}:
                continue
            shown = await self.disclosure.shown(stored, query)
            if shown is not None and (best is None or _rank(shown) > _rank(best)):
                best = shown
        if best is not None:
            self.disclosure.show(best)
        return best

    async def refuse(self, refused: TerminologyRefused, query: str) -> Problem:
        """The answer to what cannot be told, after its ledger entry: 404 for what is not here, else 422."""
        await self._passage.record(Action.READ, "failed", query=query, reason=str(refused))
        missing = refused.code == "not-found" or (isinstance(refused, NotLoaded) and not refused.within)
        return problem(404 if missing else 422, refused.code, str(refused))


async def asked_value_set(terminology: Terminology, arguments: Arguments, id_: str) -> Json:
    """The value set that an operation is about: in the URL, in the body (``valueSet``), or by its canonical ``url``.

    Raises NotLoaded, and 400 unless it is exactly one of them.
    """
    given, url = arguments.element("valueSet"), arguments.text("url")
    if sum((bool(id_), given is not None, url is not None)) != 1:
        raise problem(400, "required", "Say which value set in one way: its id in the URL, url, or valueSet.", "url")
    if id_:
        stored = await terminology.disclosure.subject("ValueSet", id_)
        terminology.disclosure.show(stored)
        return stored.resource
    await terminology.disclosure.ask("ValueSet")
    if given is not None:
        return given
    return await terminology.value_set(_canonical(url or "", arguments.text("valueSetVersion")))


async def asked_code_system(terminology: Terminology, arguments: Arguments, id_: str, url: str | None) -> CodeSystem:
    """The code system that an operation is about, by its id in the URL or by its canonical ``url``.

    Raises NotLoaded, and 400 unless it is exactly one of them.
    """
    if bool(id_) == (url is not None):
        raise problem(400, "required", "Say which code system in one way: its id in the URL, or its URL.", "url")
    if id_:
        stored = await terminology.disclosure.subject("CodeSystem", id_)
        terminology.disclosure.show(stored)
        return CodeSystem.read(stored.resource)
    await terminology.disclosure.ask("CodeSystem")
    return await terminology.code_system(_canonical(url or "", arguments.text("version")))


def _canonical(url: str, version: str | None) -> Canonical:
    canonical = Canonical.parse(url)
    return canonical if version is None else Canonical(canonical.url, version)


def _rank(stored: Stored) -> tuple[bool, int]:
    return stored.resource.get("status") == "active", stored.written
