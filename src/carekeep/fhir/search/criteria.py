"""What a query asks of a resource: exactly (``matches``), and of the index (``clauses``)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from carekeep.fhir.search.expressions import Json, Path
from carekeep.fhir.search.index import OVERFLOW, Term, is_indexed, place_of
from carekeep.fhir.search.parameters import SearchParameter, owner_place
from carekeep.fhir.search.ranges import Wanted
from carekeep.fhir.search.values.dates import DAYS, SoughtDate
from carekeep.fhir.search.values.numbers import MAGNITUDES, SoughtNumber
from carekeep.fhir.search.values.references import SoughtReference
from carekeep.fhir.search.values.sought import Sought
from carekeep.fhir.search.values.tokens import SoughtToken

# A clause with more alternatives is left to exact matching.
TERMS_OF_A_CLAUSE = 1000


@dataclass(frozen=True, slots=True)
class Clause:
    """What the index must know of a match. Clauses hold together (AND); None says nothing.

    ``terms``: a match has at least one of them. ``patients``: a match belongs to one of these patients.
    ``ids``: a match has one of these ids.
    """

    terms: frozenset[Term] | None = None
    patients: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None


class Criterion(Protocol):
    """One parameter of a query with its values."""

    def matches(self, resource: Json) -> bool:
        """Whether a resource meets it, by the rules of the standard."""
        ...

    def clauses(self, type_: str) -> Iterable[Clause]:
        """What the index must know of every resource that meets it."""
        ...


@dataclass(frozen=True, slots=True)
class Having:
    """The resource has one of the values; with ``negated``, none of them (``:not``)."""

    parameter: SearchParameter
    sought: tuple[Sought, ...]
    negated: bool = False

    def matches(self, resource: Json) -> bool:
        """See Criterion."""
        return self._found(resource) != self.negated

    def _found(self, resource: Json) -> bool:
        return any(
            each.matches(path, element)
            for path in self.parameter.paths
            for element in path.find(resource)
            for each in self.sought
        )

    def clauses(self, type_: str) -> Iterable[Clause]:
        """See Criterion."""
        if self.negated:
            return
        if self.parameter.code == "_id":
            ids = tuple(each.code for each in self.sought if isinstance(each, SoughtToken) and each.code is not None)
            if len(ids) == len(self.sought):
                yield Clause(patients=ids if type_ == "Patient" else None, ids=ids)
            return
        terms = _terms(type_, self.parameter.type, self.parameter.paths, self.sought)
        yield Clause(terms=terms, patients=self._patients(type_))

    def _patients(self, type_: str) -> tuple[str, ...] | None:
        """The patients that every match belongs to one of, if that is sure.

        A record belongs to the first patient that the parameters of the Patient compartment find, in their order.
        So a parameter decides only if it looks at nothing but the place of the first of them, if there is one
        reference at most at that place, and if each value asks for a patient of this server there. ``subject`` and
        ``patient`` do where they share that place; ``performer`` does not: the subject may be someone else.
        """
        place = owner_place(type_)
        if place is None or any(path.name != place for path in self.parameter.paths):
            return None
        patients: list[str] = []
        for each in self.sought:
            if not isinstance(each, SoughtReference) or each.types != {"Patient"}:
                return None
            patients.extend(base.partition("/")[2] for base in each.bases)
        return tuple(dict.fromkeys(patients))


def _terms(type_: str, kind: str, paths: Sequence[Path], sought: Sequence[Sought]) -> frozenset[Term] | None:
    """All terms under which one of the values may be found on one of the paths; None if the index cannot tell."""
    found: set[Term] = set()
    for path in paths:
        place = place_of(path, kind)
        if not is_indexed(type_, place):
            return None
        found.add(Term(place, OVERFLOW))
        for each in sought:
            values = each.terms(path)
            if values is None:
                return None
            found.update(Term(place, value) for value in values)
            if len(found) > TERMS_OF_A_CLAUSE:
                return None
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Missing:
    """The resource has no element for the parameter, or has one (``:missing``). The index does not know."""

    parameter: SearchParameter
    missing: bool

    def matches(self, resource: Json) -> bool:
        """See Criterion."""
        return self.missing != any(path.find(resource) for path in self.parameter.paths)

    def clauses(self, _type: str) -> Iterable[Clause]:
        """See Criterion."""
        return ()


@dataclass(frozen=True, slots=True)
class Together:
    """A composite: at one root all components of one of the alternatives are met."""

    parameter: SearchParameter
    alternatives: tuple[tuple[Sought, ...], ...]

    def matches(self, resource: Json) -> bool:
        """See Criterion."""
        return any(
            self._at(number, node, resource, alternative)
            for number, root in enumerate(self.parameter.paths)
            for node in root.find(resource)
            for alternative in self.alternatives
        )

    def _at(self, number: int, node: Json, resource: Json, alternative: tuple[Sought, ...]) -> bool:
        for component, sought in zip(self.parameter.components, alternative, strict=True):
            if not any(
                sought.matches(path, element)
                for path in component.paths[number]
                for element in path.find_at(node, resource)
            ):
                return False
        return True

    def clauses(self, type_: str) -> Iterable[Clause]:
        """One for each component: whatever matches has a value of each of them."""
        for position, component in enumerate(self.parameter.components):
            paths = [path for below_root in component.paths for path in below_root]
            sought = [alternative[position] for alternative in self.alternatives]
            terms = _terms(type_, component.type, paths, sought)
            if terms is not None:
                yield Clause(terms=terms)


def merged_ranges(type_: str, criteria: Iterable[Criterion]) -> tuple[list[Criterion], list[Clause]]:
    """Ranges of one single value become one question: ``date=ge…&date=lt…`` is a month, not two halves of time.

    Returns the criteria that are left to ask one by one, and the clauses of the merged ones. It relies on a choice
    element having one of its types at a time, which validation sees to.
    """
    left: list[Criterion] = []
    ranges: dict[str, tuple[SearchParameter, Wanted]] = {}
    for criterion in criteria:
        wanted = _single_range(type_, criterion)
        if wanted is None or not isinstance(criterion, Having):
            left.append(criterion)
            continue
        before = ranges.get(criterion.parameter.code)
        ranges[criterion.parameter.code] = (criterion.parameter, before[1] & wanted if before else wanted)
    clauses = []
    for parameter, wanted in ranges.values():
        place = place_of(parameter.paths[0], parameter.type)
        line = DAYS if parameter.type == "date" else MAGNITUDES
        values = {OVERFLOW, *line.ask(wanted)}
        clauses.append(Clause(terms=frozenset(Term(place, value) for value in values)))
    return left, clauses


def _single_range(type_: str, criterion: Criterion) -> Wanted | None:
    if not isinstance(criterion, Having) or criterion.negated or not criterion.parameter.single:
        return None
    only = criterion.sought[0]
    if len(criterion.sought) > 1 or not isinstance(only, (SoughtDate, SoughtNumber)):
        return None
    indexed = is_indexed(type_, place_of(criterion.parameter.paths[0], criterion.parameter.type))
    return only.wanted() if indexed else None
