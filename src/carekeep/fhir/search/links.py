"""What a query asks of other records: chains, reverse chains, lists, and codes of a value set (FHIR R4 3.1.1.4.3 ff.).

These are read here and answered elsewhere: whoever runs the query finds the records (as the person who asks sees them)
or the codes, and gives them to ``Query.with_references`` and ``Query.with_codes``, which make plain criteria of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

from carekeep.fhir.search.criteria import Criterion, Having
from carekeep.fhir.search.expressions import Json
from carekeep.fhir.search.parameters import SearchParameter
from carekeep.fhir.search.values.references import SoughtReference, address
from carekeep.fhir.search.values.tokens import SoughtCodes, SoughtToken

if TYPE_CHECKING:
    from carekeep.fhir.search.query import Query

# A code and its system.
Coding = tuple[str, str]
Relation = Literal["in", "not-in", "above", "below"]
# The modifiers of tokens that ask for a set of codes.
RELATIONS: Mapping[str, Relation] = MappingProxyType(
    {"in": "in", "not-in": "not-in", "above": "above", "below": "below"}
)


def references_of(parameter: SearchParameter, resource: Json) -> frozenset[str]:
    """Where a reference parameter of a resource leads: addresses as written, without their versions."""
    found = (address(path.type, element) for path in parameter.paths for element in path.find(resource))
    return frozenset(each.base for each in found if each is not None)


@dataclass(frozen=True, slots=True)
class Chain:
    """``patient.family=x``: the reference leads to a match of one of the inner queries (one for each target type)."""

    parameter: SearchParameter
    inner: tuple["Query", ...] = field(repr=False)

    def criterion(self, _type: str, references: frozenset[str]) -> Criterion:
        """The same for known targets, as ``Type/id``."""
        types = frozenset(reference.partition("/")[0] for reference in references)
        sought = (SoughtReference(references, "", types),) if references else ()
        return Having(self.parameter, sought)


@dataclass(frozen=True, slots=True)
class Has:
    """``_has:Observation:patient:code=x``: a match of the inner query refers to the record by this parameter of it."""

    parameter: SearchParameter
    inner: "Query" = field(repr=False)
    id: SearchParameter = field(repr=False)

    def criterion(self, type_: str, references: frozenset[str]) -> Criterion:
        """The same for what is known to be referred to, as ``Type/id``."""
        return _one_of(self.id, type_, references)


@dataclass(frozen=True, slots=True)
class Listed:
    """``_list=x``: the record is an entry of this List."""

    list_id: str = field(repr=False)
    id: SearchParameter = field(repr=False)

    def criterion(self, type_: str, references: frozenset[str]) -> Criterion:
        """The same for known entries, as ``Type/id``."""
        return _one_of(self.id, type_, references)


Link = Chain | Has | Listed


def _one_of(id_: SearchParameter, type_: str, references: frozenset[str]) -> Criterion:
    prefix = f"{type_}/"
    ids = sorted(each.removeprefix(prefix) for each in references if each.startswith(prefix))
    return Having(id_, tuple(SoughtToken(None, each) for each in ids))


@dataclass(frozen=True, slots=True)
class CodeSet:
    """``:in``, ``:not-in``, ``:above``, ``:below`` of a token: the code is one of a set that a terminology knows.

    ``system`` and ``code`` are those of a concept; for a value set the code is its canonical URL.
    """

    parameter: SearchParameter
    relation: Relation
    system: str = field(repr=False)
    code: str = field(repr=False)

    def criterion(self, codes: frozenset[Coding]) -> Criterion:
        """The same for known codes."""
        return Having(self.parameter, (SoughtCodes(codes),), negated=self.relation == "not-in")


class ValueSets(Protocol):
    """What search needs of a terminology. None: it does not know the set or hierarchy, and the search is refused."""

    async def codes_in(self, url: str) -> frozenset[Coding] | None:
        """All codes of a value set, by its canonical URL (with ``|version`` or without)."""
        ...

    async def codes_above(self, system: str, code: str) -> frozenset[Coding] | None:
        """A concept and all that subsume it."""
        ...

    async def codes_below(self, system: str, code: str) -> frozenset[Coding] | None:
        """A concept and all that it subsumes."""
        ...
