"""Reads a search from the names and values of a URL or form (FHIR R4 3.1.1)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from carekeep.fhir.outcome import Issue
from carekeep.fhir.search.clauses import clauses_of
from carekeep.fhir.search.control import Control, read_control
from carekeep.fhir.search.criteria import Criterion, Having, Missing, Together
from carekeep.fhir.search.links import RELATIONS, Chain, CodeSet, Has, Link, Listed
from carekeep.fhir.search.names import CONTROLS, INCLUDES, REFUSED, HasName, Name, parse_name, shown
from carekeep.fhir.search.parameters import TEXTS, Component, SearchParameter, search_parameters, searchable_types
from carekeep.fhir.search.query import Pair, Query, QueryError
from carekeep.fhir.search.reading import Reader, modifiers, reader
from carekeep.fhir.search.values.sought import Sought
from carekeep.fhir.search.values.text import BadValue, split
from carekeep.fhir.search.values.tokens import parse as parse_token
from carekeep.fhir.search.words import parse_words

MAX_PAIRS = 100
MAX_VALUES = 200
MAX_LENGTH = 1024
MAX_DEPTH = 4  # of chains
_NAMES = frozenset({"canonical", "uri"})  # types of elements that name a thing wherever it is
MAX_TARGETS = 12  # types that one step of a chain may lead to


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def parse_query(
    type: str,  # noqa: A002 - the name it has in FHIR
    pairs: Sequence[Pair],
    *,
    lenient: bool,
    clock: Callable[[], int] = _now_ms,
    base: str = "",
) -> Query:
    """Read a search.

    Parameters: ``type`` is the resource type; ``pairs`` are the decoded names and values of the URL or form, in order;
    ``lenient`` passes over parameters that are unknown or not answered (``Prefer: handling=lenient``; R4 3.1.1.3),
    never over bad values or modifiers. ``clock`` gives milliseconds since 1970, for ``ap``;
    ``base`` is the URL of this server, below which a reference means the same as a relative one.
    Raises QueryError.
    """
    if type not in searchable_types():
        raise QueryError([Issue("error", "not-supported", "", "This is no resource type of FHIR R4")])
    if len(pairs) > MAX_PAIRS:
        raise QueryError([Issue("error", "too-costly", "", f"A search takes at most {MAX_PAIRS} parameters")])
    return _Reading(type, now_ms=clock(), base=base).read(pairs, lenient=lenient)


class _Fault(Exception):
    """One parameter cannot be used. ``skippable``: a lenient search passes over it."""

    def __init__(self, code: str, says: str, *, skippable: bool = False) -> None:
        super().__init__(says)
        self.code = code
        self.skippable = skippable


class _Reading:
    """The state of reading one query; ``depth`` counts the links that led to it."""

    def __init__(self, type_: str, *, now_ms: int, base: str, depth: int = 0) -> None:
        self._type = type_
        self._now_ms = now_ms
        self._base = base
        self._depth = depth
        self._parameters = search_parameters(type_)
        self._control = Control()
        self._criteria: list[Criterion] = []
        self._links: list[Link] = []
        self._code_sets: list[CodeSet] = []
        self._includes: list[Pair] = []
        self._used: list[Pair] = []
        self._ignored: list[str] = []

    def read(self, pairs: Sequence[Pair], *, lenient: bool) -> Query:
        issues: list[Issue] = []
        for name, value in pairs:
            fault: _Fault | None = None
            try:
                self._pair(name, value)
            except BadValue as error:
                fault = _Fault("value", f"The value of {shown(name)} cannot be read: {error}")
            except _Fault as error:
                fault = error
            if fault is not None and fault.skippable and lenient:
                self._ignored.append(name[:MAX_LENGTH])
            elif fault is not None:
                issues.append(Issue("error", fault.code, _expression(name), str(fault)))
        if issues:
            raise QueryError(issues)
        return self._query()

    def _query(self) -> Query:
        return Query(
            type=self._type,
            clauses=clauses_of(self._type, self._criteria),
            criteria=tuple(self._criteria),
            control=self._control,
            ignored=tuple(self._ignored),
            self_link=tuple(self._used),
            links=tuple(self._links),
            code_sets=tuple(self._code_sets),
            includes=tuple(self._includes),
        )

    def _pair(self, text: str, value: str) -> None:
        _check_bounds(text, value)
        name = parse_name(text)
        if name is None:
            raise _Fault("not-supported", f"There is no search parameter {shown(text)}", skippable=True)
        if self._depth == 0 and isinstance(name, Name) and not name.chain:
            if name.code in CONTROLS and not name.modifier:
                self._control_pair(name.code, value)
                return
            if name.code in INCLUDES:
                self._includes.append((text, value))
                self._used.append((text, value))
                return
        self._condition(name, value)
        self._used.append((text, value))

    def _control_pair(self, name: str, value: str) -> None:
        if any(used == name for used, _ in self._used):
            raise _Fault("invalid", f"{shown(name)} is given twice")
        self._control = read_control(self._control, name, value, self._type)
        self._used.append((name, str(self._control.count) if name == "_count" else value))

    def _condition(self, name: Name | HasName, value: str) -> None:
        """Something that a match must meet."""
        if isinstance(name, HasName):
            self._links.append(self._has(name, value))
        elif name.code == "_list" and not name.modifier and not name.chain:
            self._links.append(Listed(_list_id(value), self._parameters["_id"]))
        elif name.chain:
            self._links.append(self._chain(name, value))
        else:
            parameter = self._parameter(name)
            if parameter.type == "token" and name.modifier in RELATIONS:
                self._code_sets.append(_code_set(parameter, name.modifier, value))
            else:
                self._criteria.append(self._criterion(name, parameter, value))

    def _chain(self, name: Name, value: str) -> Chain:
        parameter = self._reference(self._type, name.code)
        if name.modifier and name.modifier not in parameter.targets:
            raise _Fault("not-supported", f'"{name.code}" does not refer to the type after the colon')
        faults: list[_Fault] = []
        inner: list[Query] = []
        for target in (name.modifier,) if name.modifier else parameter.targets:
            try:
                inner.append(self._linked(target, name.chain, value))
            except _Fault as fault:
                # "subject.name" is about those of its types that have a name.
                if not fault.skippable:
                    raise
                faults.append(fault)
            if len(inner) > MAX_TARGETS:
                raise _Fault("too-costly", f'"{name.code}" refers to many types; write the one that is meant after it')
        if not inner:
            raise faults[0] if faults else _Fault("not-supported", f'"{name.code}" cannot be followed', skippable=True)
        return Chain(parameter, tuple(inner))

    def _has(self, name: HasName, value: str) -> Has:
        if name.type not in searchable_types():
            raise _Fault("not-supported", "_has names no resource type of FHIR R4")
        parameter = self._reference(name.type, name.reference)
        if self._type not in parameter.targets:
            raise _Fault("not-supported", f'"{name.reference}" of {name.type} does not refer to {self._type}')
        return Has(parameter, self._linked(name.type, name.rest, value), self._parameters["_id"])

    def _linked(self, type_: str, rest: str, value: str) -> Query:
        """The question about the record at the other end of a link."""
        if self._depth == MAX_DEPTH:
            raise _Fault("too-costly", f"A chain has at most {MAX_DEPTH} links")
        inner = _Reading(type_, now_ms=self._now_ms, base=self._base, depth=self._depth + 1)
        inner._pair(rest, value)
        return inner._query()

    def _reference(self, type_: str, code: str) -> SearchParameter:
        """A parameter that leads to other records of this server."""
        parameter = search_parameters(type_).get(code)
        if parameter is None:
            raise _Fault("not-supported", f"{type_} has no search parameter {shown(code)}", skippable=True)
        if parameter.type != "reference" or not any(path.type == "Reference" for path in parameter.paths):
            raise _Fault("not-supported", f'"{code}" of {type_} is no reference that can be followed')
        return parameter

    def _parameter(self, name: Name) -> SearchParameter:
        parameter = self._parameters.get(name.code)
        if name.code in REFUSED:
            raise _Fault("not-supported", f"{shown(name.code)} is not supported by this server", skippable=True)
        if name.code == "_type":
            raise _Fault("invalid", '"_type" belongs to a search of several types, at the base of the server')
        if parameter is None:
            raise _Fault("not-supported", f"{self._type} has no search parameter {shown(name.code)}", skippable=True)
        if name.code in TEXTS and name.modifier:
            raise _Fault("not-supported", f"{shown(name.code)} takes no modifier")
        if not parameter.answered:
            raise _Fault("not-supported", f"{shown(name.code)} is not supported by this server", skippable=True)
        return parameter

    def _criterion(self, name: Name, parameter: SearchParameter, value: str) -> Criterion:
        if name.modifier == "missing":
            if value not in {"true", "false"}:
                raise BadValue(":missing is true or false")
            return Missing(parameter, missing=value == "true")
        texts = _alternatives(name.code, value)
        if name.code in TEXTS:
            return parse_words(name.code, texts)
        if parameter.type == "composite" and not name.modifier:
            return Together(parameter, tuple(self._components(parameter, text) for text in texts))
        read = self._reader(parameter, name.modifier)
        if name.modifier != "identifier":
            texts = [self._relative(parameter, text) for text in texts]
        sought = tuple(read(text, parameter, self._now_ms) for text in texts)
        return Having(parameter, sought, negated=name.modifier == "not")

    def _reader(self, parameter: SearchParameter, modifier: str) -> Reader:
        found = reader(parameter, modifier)
        if found is None:
            # R4 3.1.1.4.4: a modifier that is not supported is refused, by lenient servers too.
            takes = ", ".join(f":{each}" for each in modifiers(parameter)) or "none"
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
        return self._reader(as_parameter, "")(self._relative(as_parameter, piece), as_parameter, self._now_ms)

    def _relative(self, parameter: SearchParameter, text: str) -> str:
        """A reference to a record of this server as it is kept; a canonical URL is kept, and sought, as it is."""
        if not self._base or parameter.type != "reference" or any(path.type in _NAMES for path in parameter.paths):
            return text
        return text.removeprefix(f"{self._base}/")


def _expression(name: str) -> str:
    known = parse_name(name)
    if known is None:
        return ""
    return "http._has" if isinstance(known, HasName) else f"http.{known.code}"


def _alternatives(code: str, value: str) -> list[str]:
    texts = split(value, ",")
    if len(texts) > MAX_VALUES:
        raise _Fault("too-costly", f"{shown(code)} takes at most {MAX_VALUES} values")
    if not all(texts):
        raise BadValue("a value is empty")
    return texts


def _list_id(value: str) -> str:
    id_ = value.removeprefix("List/")
    if not id_.replace("-", "").replace(".", "").isalnum() or not id_.isascii():
        raise BadValue("write the id of one List; lists that a server would compute are not kept here")
    return id_


def _code_set(parameter: SearchParameter, modifier: str, value: str) -> CodeSet:
    relation = RELATIONS[modifier]
    texts = _alternatives(parameter.code, value)
    if len(texts) > 1:
        raise _Fault("not-supported", f":{modifier} takes one value")
    if relation in {"in", "not-in"}:
        if ":" not in value:
            raise BadValue("write the canonical URL of a value set")
        return CodeSet(parameter, relation, "", value)
    token = parse_token(texts[0])
    if not token.system or token.code is None:
        raise BadValue("write the concept as system|code")
    return CodeSet(parameter, relation, token.system, token.code)


def _check_bounds(name: str, value: str) -> None:
    if len(name) > MAX_LENGTH or len(value) > MAX_LENGTH:
        raise _Fault("too-long", f"{shown(name)} or its value is longer than {MAX_LENGTH} characters")
    if not value:
        raise BadValue("it is empty")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadValue("it is no valid Unicode") from None
