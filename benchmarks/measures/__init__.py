"""One module for each thing that is measured. Each gives figures; none prints."""

from collections.abc import Callable, Iterator, Mapping

from benchmarks.measures import (
    creating,
    growing,
    importing,
    mixing,
    reading,
    searching,
    storing,
    verifying,
    working_together,
)
from benchmarks.report import Figure
from benchmarks.stage import Stage

MEASURES: Mapping[str, Callable[[Stage], Iterator[Figure]]] = {
    "read": reading.measure,
    "search": searching.measure,
    "create": creating.measure,
    "mixed": mixing.measure,
    "import": importing.measure,
    "verify": verifying.measure,
    "storage": storing.measure,
    "growth": growing.measure,
    "workers": working_together.measure,
}

__all__ = ["MEASURES"]
