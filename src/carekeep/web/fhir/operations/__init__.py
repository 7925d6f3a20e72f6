"""Operations (``$name``): one file for each, and one table that says where it is called.

An operation is a function of the passage, and of the type and id in the URL as far as its level has them. It decides
and records like every interaction.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from carekeep.web.fhir.operations.break_glass import break_glass
from carekeep.web.http import Response
from carekeep.web.passage import Passage

Level = Literal["system", "type", "instance"]


@dataclass(frozen=True, slots=True)
class Operation:
    """Where an operation is called, and how.

    ``types`` are those it is for; empty for all. ``run`` gets the passage, the type ("" at system level) and the id
    ("" above instance level). ``definition`` is its canonical URL.
    """

    name: str
    level: Level
    methods: tuple[str, ...]
    types: frozenset[str]
    definition: str
    run: Callable[[Passage, str, str], Awaitable[Response]]


_OWN = "https://carekeep.example/fhir/OperationDefinition"

OPERATIONS: tuple[Operation, ...] = (
    Operation("break-glass", "instance", ("POST",), frozenset({"Patient"}), f"{_OWN}/break-glass", break_glass),
)

_BY_PLACE: Mapping[tuple[str, str], tuple[Operation, ...]] = MappingProxyType(
    {
        (level, name): tuple(each for each in OPERATIONS if (each.level, each.name) == (level, name))
        for level, name in {(each.level, each.name) for each in OPERATIONS}
    }
)


def operation_at(level: Level, name: str, type_: str) -> Operation | None:
    """The operation ``$name`` of a level, for a type; None when there is none."""
    for operation in _BY_PLACE.get((level, name), ()):
        if not operation.types or type_ in operation.types:
            return operation
    return None
