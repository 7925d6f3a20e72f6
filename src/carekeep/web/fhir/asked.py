"""What a search request asks: of which types, within which compartment, with which parameters, and for which page."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from carekeep.access import Action, Target
from carekeep.fhir import (
    RESOURCE_TYPES,
    Include,
    Issue,
    Query,
    QueryError,
    parse_includes,
    parse_query,
    patient_compartment,
)
from carekeep.web.fhir.bodies import check_format, lenient
from carekeep.web.fhir.continuation import CURSOR, Continuation, continuation
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

Pair = tuple[str, str]
_MOST_LINKED_TYPES = 20  # that may be searched at once by questions about other records
# What clients put to every search, links included; how long a page is, the link says itself.
_BESIDE_CURSOR = frozenset({"_format", "_pretty", "_count"})


@dataclass(frozen=True, slots=True)
class Where:
    """Where is searched: ``type`` "" for all types, ``patient`` whose compartment (None: everywhere)."""

    type: str
    patient: str | None = None

    @property
    def path(self) -> str:
        """The URL below the base of the server."""
        if self.patient is None:
            return self.type
        return f"Patient/{self.patient}/{self.type or '*'}"


@dataclass(frozen=True, slots=True)
class Asked:
    """A search that was read. ``page`` is how it is asked again, with where this page begins."""

    queries: tuple[Query, ...] = field(repr=False)
    includes: tuple[Include, ...]
    page: Continuation

    @property
    def first(self) -> Query:
        """One of the queries; what shapes the result is the same in all."""
        return self.queries[0]


def in_compartment(type_: str) -> bool:
    """Whether records of a type can be in the compartment of a patient."""
    return type_ == "Patient" or bool(patient_compartment(type_))


async def read_search(passage: Passage, where: Where, pairs: Sequence[Pair], *, posted: bool) -> Asked:
    """Read a search, or the page that a link of ours names. Raises QueryError and Problem (400, 406, 403)."""
    check_format([value for name, value in pairs if name == "_format"])
    page = _page(passage, where, pairs, posted=posted)
    named = [value for name, value in page.pairs if name == "_type"] if not where.type else []
    rest = [(name, value) for name, value in page.pairs if name != "_type" or where.type]
    types = (where.type,) if where.type else await _types(passage, where, named)
    queries = _queries(passage, types, rest, alone=bool(where.type or named))
    includes = parse_includes(queries[0].includes, types)
    _check_shape(queries, includes)
    used = (*(("_type", value) for value in named), *queries[0].self_link)
    if where.patient is not None:
        queries = [query.within(where.patient) for query in queries]
    return Asked(tuple(queries), includes, Continuation(page.path, used, page.posted, page.after))


def _page(passage: Passage, where: Where, pairs: Sequence[Pair], *, posted: bool) -> Continuation:
    tokens = [value for name, value in pairs if name == CURSOR]
    if not tokens:
        return Continuation(where.path, tuple(pairs), posted, None)
    if len(tokens) > 1 or any(name not in _BESIDE_CURSOR for name, _ in pairs if name != CURSOR):
        raise problem(400, "invalid", "Nothing can be added to the link of a page.", CURSOR)
    return continuation(passage, where.path, tokens[0])


async def _types(passage: Passage, where: Where, named: Sequence[str]) -> tuple[str, ...]:
    """The types to search: those that ``_type`` names, else all that there can be and that may be asked about."""
    if len(named) > 1:
        raise problem(400, "invalid", "_type is given twice; write the types with commas between them.", "http._type")
    possible = {type_ for type_ in RESOURCE_TYPES if where.patient is None or in_compartment(type_)}
    if named:
        types = tuple(dict.fromkeys(named[0].split(",")))
        if not possible.issuperset(types):
            kind = "resource types of FHIR R4" if where.patient is None else "types of the Patient compartment"
            raise problem(400, "value", f"_type takes {kind}, with commas between them.", "http._type")
        return types
    permitted = [
        type_ for type_ in sorted(possible) if (await passage.judge(Action.SEARCH, Target(type_, (), ()))).permitted
    ]
    return tuple(permitted) or (min(possible),)


def _queries(passage: Passage, types: Sequence[str], pairs: Sequence[Pair], *, alone: bool) -> list[Query]:
    relaxed, clock, base = lenient(passage.request), passage.services.clock, passage.services.fhir_url
    try:
        return [parse_query(type_, pairs, lenient=relaxed, clock=clock, base=base) for type_ in types]
    except QueryError as error:
        if alone:
            raise
        hint = "A search of all types takes parameters of all types only; name the types with _type."
        raise QueryError([*error.issues, Issue("information", "informational", "http._type", hint)]) from None


def _check_shape(queries: Sequence[Query], includes: Sequence[Include]) -> None:
    """Raises 400 for what contradicts itself or would not mean one thing for all types."""
    first = queries[0]
    if first.summary == "text" and includes:
        raise problem(
            400, "invalid", "_summary=text takes no _include or _revinclude (FHIR R4 3.1.1.5.8).", "http._summary"
        )
    if first.elements and first.summary not in {None, "false"}:
        raise problem(400, "invalid", "Ask for _elements or for a _summary.", "http._elements")
    if len({tuple((key.parameter.type, key.descending) for key in query.sort) for query in queries}) > 1:
        raise problem(400, "not-supported", "_sort takes parameters that are the same in all types.", "http._sort")
    if len(queries) > _MOST_LINKED_TYPES and (first.links or first.code_sets):
        raise problem(400, "too-costly", "Name the types with _type for questions about other records.", "http._type")
