"""Conditions of writes (``If-None-Exist``, ``PUT [type]?…`` and their like): read, and looked up.

A condition is a search whose answer is who it means. It is asked with the sight of the person who asks: what one may
not see is not there, neither to be written to nor to be counted. A condition must be understood as a whole, whatever
``Prefer: handling`` says: a parameter that is passed over would let it mean somebody else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from carekeep.access import Action, Decision
from carekeep.fhir import Issue, Query, QueryError, parse_query
from carekeep.records import Stored
from carekeep.web.fhir.sight import Sight
from carekeep.web.http import form_pairs
from carekeep.web.passage import Passage, what_of
from carekeep.web.problems import Problem, problem

_SHAPING = frozenset(
    {"_count", "_sort", "_summary", "_elements", "_total", "_include", "_revinclude", "_format", "_pretty", "_cursor"}
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read. ``text`` is the search as it was written; it and the query are health data.

    ``guards`` are what two conditions have in common when they may mean the same thing: their identifiers, or else
    all that they ask for. Those who create under one of them do it one after the other.
    """

    type: str
    text: str = field(repr=False)
    query: Query = field(repr=False)
    guards: tuple[str, ...] = field(repr=False)

    @property
    def url(self) -> str:
        """``Type?search``."""
        return f"{self.type}?{self.text}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a condition means now.

    ``matches`` are those that the person may see, two of them at most; ``query`` the search with everything answered
    that it asks of other records.
    """

    matches: tuple[Stored, ...]
    decisions: tuple[Decision, ...]
    query: Query = field(repr=False)


def read_condition(type_: str, text: str, base: str, at: str = "") -> Condition:
    """The condition behind the query of a URL or an If-None-Exist header. Raises Problem (400).

    ``base`` is the URL of this server, as ``parse_query`` takes it; ``at`` is the place that issues name where they
    have none of their own.
    """
    given = text.removeprefix(f"{type_}?").removeprefix("?")
    pairs = [(name, value) for name, value in form_pairs(given) if name != "_format"]
    shaping = [name for name, _ in pairs if name.partition(":")[0] in _SHAPING]
    if not pairs or shaping:
        words = f"{shaping[0]} says nothing of what is meant" if shaping else "A condition needs a search parameter"
        raise problem(400, "invalid", f"{words}.", at)
    try:
        query = parse_query(type_, pairs, lenient=False, base=base)
    except QueryError as error:
        raise Problem(400, *(Issue("error", i.code, at or i.expression, i.diagnostics) for i in error.issues)) from None
    return Condition(type_, given, query, tuple(_guards(type_, pairs)))


def _guards(type_: str, pairs: list[tuple[str, str]]) -> Iterator[str]:
    identifiers = [value for name, value in pairs if name == "identifier"]
    if identifiers:
        yield from dict.fromkeys(f"{type_}?identifier={each}" for value in identifiers for each in value.split(","))
    else:
        yield f"{type_}?{sorted(pairs)}"


async def look_up(passage: Passage, condition: Condition, but: frozenset[str] = frozenset()) -> Found:
    """What a condition means. ``but`` are records (``Type/id``) that do not count any more.

    Raises Problem (403), recorded, when the person may not search for this.
    """
    sight = await Sight.of(passage, condition.query)
    matches: list[Stored] = []
    position = None
    while len(matches) <= 1:
        page, position = await sight.page(position)
        matches += [stored for stored in page if stored.reference not in but]
        if position is None:
            break
    return Found(tuple(matches[:2]), tuple(sight.decisions), sight.query)


async def several(passage: Passage, action: Action, found: Found, condition: Condition, at: str = "") -> Problem:
    """The 412 of a condition that means more than one record, once it is recorded: it tells that they are there."""
    await passage.record(
        action,
        "failed",
        what=tuple(map(what_of, found.matches)),
        patients=dict.fromkeys(patient for stored in found.matches for patient in stored.patients),
        query=condition.url,
        reason="The condition matches more than one record.",
    )
    return problem(412, "multiple-matches", "The condition matches more than one record.", at)
