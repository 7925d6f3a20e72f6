"""Reads a search: what matches, what the index must be asked, and how the result is shaped (FHIR R4 3.1.1)."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from carekeep.fhir.outcome import Issue
from carekeep.fhir.search.control import Control, Summary, Total, read_control
from carekeep.fhir.search.criteria import Clause, Criterion, Having, Missing, Together, merged_ranges
from carekeep.fhir.search.expressions import Json
from carekeep.fhir.search.index import type_term
from carekeep.fhir.search.names import CONTROLS, LATER, Name, parse_name, shown
from carekeep.fhir.search.parameters import Component, SearchParameter, search_parameters, searchable_types
from carekeep.fhir.search.reading import Reader, modifiers, reader
from carekeep.fhir.search.sorting import Sort, in_order
from carekeep.fhir.search.values.sought import Sought
from carekeep.fhir.search.values.text import BadValue, split

MAX_PAIRS = 100
MAX_VALUES = 200
MAX_LENGTH = 1024

Pair = tuple[str, str]


class QueryError(ValueError):
    """The query cannot be answered; ``issues`` say why, one for each parameter that is at fault."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__("; ".join(issue.diagnostics for issue in issues))
        self.issues = tuple(issues)


@dataclass(frozen=True, slots=True)
class Query:
    """A search of one resource type.

    ``clauses`` hold together and find every match, and perhaps more: at least one of them has terms or ids.
    ``matches`` is exact. ``self_link`` are the parameters that were used, for the Bundle's self link; ``ignored`` are
    the names of those that were not. ``control`` shapes the result, and ``count``, ``sort``, … are its fields.
    The values in a query are health data: neither its repr nor an error shows them.
    """

    type: str
    clauses: tuple[Clause, ...] = field(repr=False)
    criteria: tuple[Criterion, ...] = field(repr=False)
    control: Control
    ignored: tuple[str, ...]
    self_link: tuple[Pair, ...] = field(repr=False)

    def matches(self, resource: Json) -> bool:
        """Whether a resource meets every parameter, by the rules of the standard."""
        return resource.get("resourceType") == self.type and all(each.matches(resource) for each in self.criteria)

    def in_order(self, resources: Iterable[Json]) -> list[Json]:
        """Matches in the order that ``_sort`` asks for; as they come if it does not."""
        return in_order(resources, self.control.sort)

    @property
    def count(self) -> int:
        """Matches a page; 0 if only the total is wanted."""
        return self.control.count

    @property
    def sort(self) -> tuple[Sort, ...]:
        """The keys of ``_sort``."""
        return self.control.sort

    @property
    def summary(self) -> Summary | None:
        """What ``_summary`` says."""
        return self.control.summary

    @property
    def elements(self) -> tuple[str, ...]:
        """The elements that ``_elements`` names."""
        return self.control.elements

    @property
    def total(self) -> Total | None:
        """What ``_total`` says."""
        return self.control.total


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def parse_query(
    type: str,  # noqa: A002 - the name it has in FHIR
    pairs: Sequence[Pair],
    *,
    lenient: bool,
    clock: Callable[[], int] = _now_ms,
) -> Query:
    """Read a search.

    Parameters: ``type`` is the resource type; ``pairs`` are the decoded names and values of the URL or form, in order;
    ``lenient`` passes over parameters that are unknown or not answered yet (``Prefer: handling=lenient``; R4 3.1.1.3),
    never over bad values or modifiers. ``clock`` gives milliseconds since 1970, for ``ap``.
    Raises QueryError.
    """
    if type not in searchable_types():
        raise QueryError([Issue("error", "not-supported", "", "This is no resource type of FHIR R4")])
    if len(pairs) > MAX_PAIRS:
        raise QueryError([Issue("error", "too-costly", "", f"A search takes at most {MAX_PAIRS} parameters")])
    return _Reading(type, lenient=lenient, now_ms=clock()).read(pairs)


class _Fault(Exception):
    """One parameter cannot be used. ``skippable``: a lenient search passes over it."""

    def __init__(self, code: str, says: str, *, skippable: bool = False) -> None:
        super().__init__(says)
        self.code = code
        self.skippable = skippable


class _Reading:
    """The state of reading one query."""

    def __init__(self, type_: str, *, lenient: bool, now_ms: int) -> None:
        self._type = type_
        self._lenient = lenient
        self._now_ms = now_ms
        self._parameters = search_parameters(type_)
        self._control = Control()
        self._criteria: list[Criterion] = []
        self._used: list[Pair] = []
        self._ignored: list[str] = []
        self._issues: list[Issue] = []

    def read(self, pairs: Sequence[Pair]) -> Query:
        for name, value in pairs:
            try:
                self._pair(name, value)
            except BadValue as error:
                self._fault(name, _Fault("value", f"The value of {shown(name)} cannot be read: {error}"))
            except _Fault as fault:
                self._fault(name, fault)
        if self._issues:
            raise QueryError(self._issues)
        return Query(
            type=self._type,
            clauses=self._clauses(),
            criteria=tuple(self._criteria),
            control=self._control,
            ignored=tuple(self._ignored),
            self_link=tuple(self._used),
        )

    def _fault(self, name: str, fault: _Fault) -> None:
        if fault.skippable and self._lenient:
            self._ignored.append(name[:MAX_LENGTH])
            return
        known = parse_name(name)
        self._issues.append(Issue("error", fault.code, f"http.{known.code}" if known else "", str(fault)))

    def _pair(self, text: str, value: str) -> None:
        _check_bounds(text, value)
        name = parse_name(text)
        if name is None:
            raise _Fault("not-supported", f"There is no search parameter {shown(text)}", skippable=True)
        if name.code in CONTROLS and not name.modifier and not name.chain:
            self._control_pair(name.code, value)
            return
        self._criteria.append(self._criterion(name, self._parameter(name), value))
        self._used.append((text, value))

    def _control_pair(self, name: str, value: str) -> None:
        if any(used == name for used, _ in self._used):
            raise _Fault("invalid", f"{shown(name)} is given twice")
        self._control = read_control(self._control, name, value, self._type)
        self._used.append((name, str(self._control.count) if name == "_count" else value))

    def _parameter(self, name: Name) -> SearchParameter:
        if name.code in LATER or name.chain:
            what = "Chained search" if name.chain else shown(name.code)
            raise _Fault("not-supported", f"{what} is not supported by this server", skippable=True)
        parameter = self._parameters.get(name.code)
        if parameter is None:
            raise _Fault("not-supported", f"{self._type} has no search parameter {shown(name.code)}", skippable=True)
        if not parameter.supported:
            raise _Fault("not-supported", f"{shown(name.code)} is not supported by this server", skippable=True)
        return parameter

    def _criterion(self, name: Name, parameter: SearchParameter, value: str) -> Criterion:
        if name.modifier == "missing":
            if value not in {"true", "false"}:
                raise BadValue(":missing is true or false")
            return Missing(parameter, missing=value == "true")
        texts = split(value, ",")
        if len(texts) > MAX_VALUES:
            raise _Fault("too-costly", f"{shown(name.code)} takes at most {MAX_VALUES} values")
        if not all(texts):
            raise BadValue("a value is empty")
        if parameter.type == "composite" and not name.modifier:
            return Together(parameter, tuple(self._components(parameter, text) for text in texts))
        read = self._reader(parameter, name.modifier)
        sought = tuple(read(text, parameter, self._now_ms) for text in texts)
        return Having(parameter, sought, negated=name.modifier == "not")

    def _reader(self, parameter: SearchParameter, modifier: str) -> Reader:
        found = reader(parameter, modifier)
        if found is None:
            # R4 3.1.1.4.4: a modifier that is not supported is refused, by lenient servers too.
            takes = ", ".join(f":{each}" for each in modifiers(parameter))
            raise _Fault("not-supported", f'"{parameter.code}" does not take this modifier here; it takes {takes}')
        return found

    def _components(self, parameter: SearchParameter, text: str) -> tuple[Sought, ...]:
        pieces = split(text, "$")
        if len(pieces) != len(parameter.components) or not all(pieces):
            raise BadValue(f"write {len(parameter.components)} values with $ between them")
        return tuple(
            self._component(parameter, component, piece)
            for component, piece in zip(parameter.components, pieces, strict=True)
        )

    def _component(self, parameter: SearchParameter, component: Component, piece: str) -> Sought:
        as_parameter = replace(parameter, type=component.type, targets=component.targets, components=())
        return self._reader(as_parameter, "")(piece, as_parameter, self._now_ms)

    def _clauses(self) -> tuple[Clause, ...]:
        left, clauses = merged_ranges(self._type, self._criteria)
        clauses.extend(clause for criterion in left for clause in criterion.clauses(self._type))
        useful = [clause for clause in clauses if clause != Clause()]
        if not any(clause.terms is not None or clause.ids is not None for clause in useful):
            useful.append(Clause(terms=frozenset({type_term(self._type)})))
        return tuple(useful)


def _check_bounds(name: str, value: str) -> None:
    if len(name) > MAX_LENGTH or len(value) > MAX_LENGTH:
        raise _Fault("too-long", f"{shown(name)} or its value is longer than {MAX_LENGTH} characters")
    if not value:
        raise BadValue("it is empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadValue("it is no valid Unicode") from None
