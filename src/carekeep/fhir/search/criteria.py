"""What a query asks of a resource: exactly (``matches``), and of the index (``clauses``)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from carekeep.fhir.compartment import patients_of
from carekeep.fhir.search.expressions import Json, Path
from carekeep.fhir.search.index import OVERFLOW, Term, is_indexed, place_of
from carekeep.fhir.search.parameters import SearchParameter, owner_place
from carekeep.fhir.search.values.dates import SoughtDate
from carekeep.fhir.search.values.references import SoughtReference
from carekeep.fhir.search.values.sought import Sought
from carekeep.fhir.search.values.tokens import SoughtToken

# A clause with more alternatives is left to exact matching.
TERMS_OF_A_CLAUSE = 1024


@dataclass(frozen=True, slots=True)
class Clause:
    """What the index must know of a match. Clauses hold together (AND); None says nothing.

    ``terms``: a match has at least one of them. ``patients``: a match belongs to one of these patients (they come first
    in its compartments). ``compartment``: this patient is one of those in whose compartment a match is.
    ``ids``: a match has one of these ids. ``since_ms``: a match was written then or later (ms since 1970).
    """

    terms: frozenset[Term] | None = None
    patients: tuple[str, ...] | None = None
    compartment: str | None = None
    ids: tuple[str, ...] | None = None
    since_ms: int | None = None


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
    sought: tuple[Sought, ...] = field(repr=False)
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
        if not self.sought:  # a chain that led nowhere
            yield Clause(ids=())
        elif self.parameter.code == "_id":
            ids = tuple(each.code for each in self.sought if isinstance(each, SoughtToken) and each.code is not None)
            if len(ids) == len(self.sought):
                yield Clause(patients=ids if type_ == "Patient" else None, ids=ids)
        elif self.parameter.code == "_lastUpdated":
            yield Clause(since_ms=self._earliest())
        elif (patients := self._patients(type_)) is not None:
            # Whose record it is says all that the terms of the reference would say.
            yield Clause(patients=patients)
        else:
            yield Clause(terms=_terms(type_, self.parameter.type, self.parameter.paths, self.sought))

    def _earliest(self) -> int | None:
        """When the earliest match begins, if there is such a time."""
        known = [each.earliest() for each in self.sought if isinstance(each, SoughtDate)]
        bounds = [each for each in known if each is not None]
        return min(bounds) if len(bounds) == len(known) else None

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


@dataclass(frozen=True, slots=True)
class InCompartment:
    """The resource is in the compartment of a patient (FHIR R4, compartmentdefinition-patient)."""

    patient: str = field(repr=False)

    def matches(self, resource: Json) -> bool:
        """See Criterion."""
        return self.patient in patients_of(resource)

    def clauses(self, _type: str) -> Iterable[Clause]:
        """See Criterion."""
        return (Clause(compartment=self.patient),)
