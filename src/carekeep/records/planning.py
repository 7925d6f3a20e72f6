"""Where the matches of queries can be: which records by name, and under which scopes of the index."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from carekeep.encryption import Keyring, Tagger
from carekeep.fhir import Clause, Query
from carekeep.records.bearings import Bearings
from carekeep.records.blind_index import SHARED
from carekeep.records.candidates import Question

# With more patients than this their Patient records are looked for by tags, like those of everybody.
_MOST_BY_NAME = 2_000


@dataclass(frozen=True, slots=True)
class Sight:
    """Whose records are looked at: patients and their scopes; None for those of all patients."""

    patients: frozenset[str] | None
    scopes: frozenset[int]

    def has(self, patients: Iterable[str], scope: int) -> bool:
        """Whether a record of these patients, kept in this scope, is among what is looked at."""
        return (
            self.patients is None or scope == SHARED or scope in self.scopes or not self.patients.isdisjoint(patients)
        )

    @classmethod
    def of(cls, patients: Iterable[str] | None, bearings: Bearings) -> "Sight":
        """The sight of these patients' records."""
        if patients is None:
            return cls(None, frozenset())
        known = frozenset(patients)
        return cls(known, frozenset([bearings.of(patient).scope for patient in known]))


@dataclass(frozen=True, slots=True)
class People:
    """The Patient records of those who may be seen, by name, and what is asked of them."""

    rids: tuple[bytes, ...]
    query: Query


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to look, for queries of different types.

    ``rids``: records by name. ``people``: Patient records by name, as far as the index finds what is asked in them.
    ``guests``: patients of whom records that belong to others first are to be found;
    ``guest_types``: of which types, and in which scopes those are found anyway. ``shared``: queries about what is
    indexed for all. ``owned``: queries about patients' records, and under which scopes (None: those of all patients).
    ``since_ms``: matches were written then or later.
    """

    rids: tuple[bytes, ...]
    people: People | None
    guests: tuple[str, ...]
    guest_types: Mapping[str, frozenset[int]]
    shared: tuple[Query, ...]
    owned: tuple[tuple[Query, frozenset[int] | None], ...]
    since_ms: int | None

    def is_guest(self, type_: str, scope: int) -> bool:
        """Whether a record of a scope is found among the guests and nowhere else."""
        return type_ in self.guest_types and scope not in self.guest_types[type_]

    def in_scope(self, scope: int) -> tuple[Query, ...]:
        """The queries that are asked in a patient's scope."""
        return tuple(query for query, scopes in self.owned if scopes is None or scope in scopes)


def plan(queries: Sequence[Query], sight: Sight, bearings: Bearings, keyring: Keyring) -> Plan:
    """Plan a search."""
    rids: list[bytes] = []
    people: People | None = None
    shared: list[Query] = []
    owned: list[tuple[Query, frozenset[int] | None]] = []
    guests: set[str] = set()
    guest_types: dict[str, frozenset[int]] = {}
    for query in queries:
        found = _Whereabouts(query, sight)
        if found.ids is not None:
            rids.extend(keyring.rid(query.type, id_) for id_ in found.ids)
            continue
        known = None if found.patients is None else [bearings.of(patient) for patient in sorted(found.patients)]
        scopes = None if known is None else frozenset([each.scope for each in known])
        if query.type != "Patient":
            owned.append((query, scopes))
            if not found.bound_to_patients:
                shared.append(query)
        elif known is None or len(known) > _MOST_BY_NAME:
            shared.append(query)  # Patient is indexed for all, so all that are in sight are there
            continue
        else:
            people = People(tuple([each.rid for each in known]), query)
        if found.guests and scopes is not None:
            guests.update(found.guests)
            guest_types[query.type] = scopes
    since = [_since(query.clauses) for query in queries]
    bounds = [each for each in since if each is not None]
    return Plan(
        rids=tuple(rids),
        people=people,
        guests=tuple(sorted(guests)),
        guest_types=MappingProxyType(guest_types),
        shared=tuple(shared),
        owned=tuple(owned),
        since_ms=min(bounds) if len(bounds) == len(since) else None,
    )


class _Whereabouts:
    """What the clauses of one query and the sight say together.

    ``ids``: a match has one of these. ``patients``: the owners that a match of a patient can have (None: any).
    ``bound_to_patients``: a match belongs to some patient. ``guests``: patients in whose compartments a match may be
    without belonging to them first.
    """

    def __init__(self, query: Query, sight: Sight) -> None:
        ids = [frozenset(clause.ids) for clause in query.clauses if clause.ids is not None]
        owners = [frozenset(clause.patients) for clause in query.clauses if clause.patients is not None]
        within = [frozenset({each.compartment}) for each in query.clauses if each.compartment is not None]
        seen = [] if sight.patients is None else [sight.patients]
        self.ids = sorted(frozenset.intersection(*ids)) if ids else None
        self.bound_to_patients = bool(owners or within)
        bounds = [*owners, *within, *seen]
        self.patients = frozenset.intersection(*bounds) if bounds else None
        # An owner that is known is the first; what is only seen or within may be a guest.
        self.guests = frozenset[str]() if owners or not (within or seen) else frozenset.intersection(*(within or seen))


def _since(clauses: Iterable[Clause]) -> int | None:
    known = [clause.since_ms for clause in clauses if clause.since_ms is not None]
    return max(known) if known else None


def question(queries: Sequence[Query], scope: int, tagger: Tagger) -> Question:
    """What the index is asked in a scope for one or several types.

    For several, a record has a tag of each clause of its type, so it has one of the union of all first clauses, one of
    all second clauses, and so on as far as every type has clauses.
    """
    asked = [sorted(_tags(query, tagger), key=len) for query in queries]
    depth = min(map(len, asked))
    alternatives = [frozenset[int]().union(*(clauses[at] for clauses in asked)) for at in range(depth)]
    return Question(scope, tuple(tuple(sorted(each)) for each in alternatives))


def _tags(query: Query, tagger: Tagger) -> list[frozenset[int]]:
    return [
        frozenset(tagger.tag(query.type, term.parameter, term.value) for term in clause.terms)
        for clause in query.clauses
        if clause.terms is not None
    ]
