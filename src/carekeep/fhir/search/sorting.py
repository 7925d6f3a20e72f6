"""``_sort``: the order of results (FHIR R4 3.1.1.5.1), by any parameter that has values with an order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from carekeep.fhir.search.expressions import Json, Path
from carekeep.fhir.search.parameters import SearchParameter, search_parameters
from carekeep.fhir.search.values import dates, numbers, references, strings, tokens
from carekeep.fhir.search.values.text import BadValue, normalise

_MAX_KEYS = 8
Values = tuple[int | str | list[str] | None, ...]


@dataclass(frozen=True, slots=True)
class Sort:
    """One key. A resource with several values counts by the least of them, descending by the greatest."""

    parameter: SearchParameter
    descending: bool

    def value(self, resource: Json) -> Any:
        """What the resource is ordered by, or None if it has no value."""
        order = _ORDERS[self.parameter.type]
        paths = self.parameter.paths
        values = [value for path in paths for found in path.find(resource) for value in order(path, found)]
        if not values:
            return None
        return max(values) if self.descending else min(values)


def parse_sort(text: str, type_: str) -> tuple[Sort, ...]:
    """The keys of ``_sort=a,-b``. Raises BadValue."""
    parameters = search_parameters(type_)
    keys = []
    for name in text.split(","):
        parameter = parameters.get(name.removeprefix("-"))
        if parameter is None or parameter.type not in _ORDERS or not parameter.supported:
            raise BadValue("write search parameters that have an order, with commas between them, and - for descending")
        keys.append(Sort(parameter, name.startswith("-")))
    if len(keys) > _MAX_KEYS:
        raise BadValue(f"at most {_MAX_KEYS} keys are taken")
    return tuple(keys)


def values_of(keys: Sequence[Sort], resource: Json) -> Values:
    """What a resource is ordered by, one value for each key, in a form that JSON can carry."""
    return tuple(_written(key.value(resource)) for key in keys)


def place_in_order(keys: Sequence[Sort], values: Values) -> tuple[Any, ...]:
    """Something that compares as ``_sort`` orders: less is earlier."""
    return tuple(
        (value is None, _Descending(_read(value)) if key.descending else _read(value))
        for key, value in zip(keys, values, strict=True)
    )


@dataclass(frozen=True, slots=True)
class _Descending:
    """A value that comes before lesser ones. None is only ever compared with None."""

    value: Any

    def __lt__(self, other: "_Descending") -> bool:
        return self.value is not None and bool(other.value < self.value)


def _written(value: Any) -> int | str | list[str] | None:
    """Decimals as a list with their text, which tells them from strings."""
    return [str(value)] if isinstance(value, Decimal) else value


def _read(value: Any) -> Any:
    return Decimal(value[0]) if isinstance(value, list) else value


def _dates(path: Path, element: Any) -> Iterable[int]:
    value = dates.interval(path.type, element)
    return () if value is None else (value.start,)


def _numbers(path: Path, element: Any) -> Iterable[Any]:
    value = numbers.measure(path.type, element)
    if value is None:
        return ()
    return (value.span.high if value.span.low.is_infinite() else value.span.low,)


def _references(path: Path, element: Any) -> Iterable[str]:
    value = references.address(path.type, element)
    return () if value is None else (value.base,)


def _strings(path: Path, element: Any) -> Iterable[str]:
    return [normalise(text) for text in strings.fields(path.type, element)]


def _tokens(path: Path, element: Any) -> Iterable[str]:
    return [token.code for token in tokens.tokens(path, element)]


def _uris(_path: Path, element: Any) -> Iterable[str]:
    return (element,) if isinstance(element, str) else ()


_ORDERS: Mapping[str, Callable[[Path, Any], Iterable[Any]]] = MappingProxyType(
    {
        "date": _dates,
        "number": _numbers,
        "quantity": _numbers,
        "reference": _references,
        "string": _strings,
        "token": _tokens,
        "uri": _uris,
    }
)
