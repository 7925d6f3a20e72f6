"""``_include`` and ``_revinclude`` (FHIR R4 3.1.1.5.4): which other records come along with the matches."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from carekeep.fhir.outcome import Issue
from carekeep.fhir.search.clauses import clauses_of
from carekeep.fhir.search.control import Control
from carekeep.fhir.search.criteria import Having
from carekeep.fhir.search.expressions import Json
from carekeep.fhir.search.links import references_of
from carekeep.fhir.search.parameters import SearchParameter, search_parameters, searchable_types
from carekeep.fhir.search.query import Pair, Query, QueryError
from carekeep.fhir.search.values.references import SoughtReference
from carekeep.fhir.search.values.text import BadValue

MAX_INCLUDES = 40
_ITERATE = frozenset({"iterate", "recurse"})  # the second is the name of STU3, which clients still send
_MOST_PIECES = 3


@dataclass(frozen=True, slots=True)
class Include:
    """One rule of what comes along.

    ``source`` is the type whose references are followed ("" for any), forwards from what was found or, ``reverse``,
    backwards to it; ``parameters`` are the references (none with ``source`` "": all). ``target`` narrows what they
    lead to. ``iterate``: the rule also holds for what came along itself.
    """

    source: str
    parameters: tuple[SearchParameter, ...] = field(repr=False)
    target: str
    iterate: bool
    reverse: bool

    def leads_to(self, resource: Json) -> frozenset[str]:
        """The records of this server that a found resource refers to, as ``Type/id``, by a rule that looks forwards."""
        type_ = resource["resourceType"]
        if self.source not in {"", type_}:
            return frozenset()
        parameters = self.parameters if self.source else _references(type_)
        found = (each for parameter in parameters for each in references_of(parameter, resource))
        return frozenset(each for each in found if _is_local(each) and self._wanted(each))

    def comes_from(self, references: Iterable[str]) -> list[Query]:
        """Searches for what refers to these (``Type/id``), by a rule that looks backwards."""
        wanted = frozenset(filter(self._wanted, references))
        queries = []
        for parameter in self.parameters:
            targets = frozenset(each for each in wanted if each.partition("/")[0] in parameter.targets)
            if targets:
                types = frozenset(each.partition("/")[0] for each in targets)
                criteria = (Having(parameter, (SoughtReference(targets, "", types),)),)
                clauses = clauses_of(self.source, criteria)
                queries.append(Query(self.source, clauses, criteria, Control(), ignored=(), self_link=()))
        return queries

    def _wanted(self, reference: str) -> bool:
        return self.target in {"", reference.partition("/")[0]}


def parse_includes(pairs: Sequence[Pair], types: Iterable[str]) -> tuple[Include, ...]:
    """Read ``Query.includes`` of a search over these types. Raises QueryError."""
    if len(pairs) > MAX_INCLUDES:
        raise QueryError([Issue("error", "too-costly", "http._include", f"At most {MAX_INCLUDES} are followed")])
    known = frozenset(types)
    includes, issues = [], []
    for name, value in pairs:
        code, _, modifier = name.partition(":")
        try:
            includes.append(_parse(value, modifier, known, reverse=code == "_revinclude"))
        except BadValue as error:
            issues.append(Issue("error", "value", f"http.{code}", f'The value of "{code}" cannot be used: {error}'))
    if issues:
        raise QueryError(issues)
    return tuple(includes)


def _parse(text: str, modifier: str, types: frozenset[str], *, reverse: bool) -> Include:
    """Read ``Type:parameter[:target]``, ``Type:*`` or, forwards, ``*``; ``types`` are those that are searched.

    Raises BadValue, also for a rule that could never bring anything along.
    """
    if modifier and modifier not in _ITERATE:
        raise BadValue("the only modifier is :iterate")
    if text == "*" and not reverse:
        return Include("", (), "", iterate=bool(modifier), reverse=False)
    source, code, target = _pieces(text)
    include = Include(source, _named(source, code), target, iterate=bool(modifier), reverse=reverse)
    targets = {each for parameter in include.parameters for each in parameter.targets}
    if target and target not in targets:
        raise BadValue("this parameter does not refer to the type after it")
    if not include.iterate:
        _check_reach(include, types, frozenset({target}) if target else targets)
    return include


def _pieces(text: str) -> tuple[str, str, str]:
    pieces = text.split(":")
    if not 1 < len(pieces) <= _MOST_PIECES or pieces[0] not in searchable_types():
        raise BadValue("write Type:parameter, Type:parameter:TargetType or Type:*")
    return pieces[0], pieces[1], pieces[2] if len(pieces) == _MOST_PIECES else ""


def _named(source: str, code: str) -> tuple[SearchParameter, ...]:
    if code == "*":
        return _references(source)
    parameter = search_parameters(source).get(code)
    if parameter is None or parameter.type != "reference":
        raise BadValue(f"{source} has no reference parameter of this name")
    return (parameter,)


def _references(type_: str) -> tuple[SearchParameter, ...]:
    return tuple(each for each in search_parameters(type_).values() if each.type == "reference")


def _check_reach(include: Include, types: frozenset[str], targets: Iterable[str]) -> None:
    """A rule that starts elsewhere than at the matches only makes sense for what came along."""
    if include.reverse and not types.intersection(targets):
        raise BadValue("it does not refer to the type that is searched; with :iterate it may refer to what came along")
    if not include.reverse and include.source not in types:
        raise BadValue("it starts at another type than the one that is searched; write :iterate for what came along")


def _is_local(reference: str) -> bool:
    """Whether a reference is ``Type/id`` on this server; Carekeep fetches nothing from others."""
    type_, _, id_ = reference.partition("/")
    return type_ in searchable_types() and "/" not in id_ and bool(id_)
