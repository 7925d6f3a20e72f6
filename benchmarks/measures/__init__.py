"""One module for each thing that is measured. Each gives figures; none prints."""

from collections.abc import Callable, Iterator, Mapping

from benchmarks.measures import (
    creating,
    deciding,
    flooding,
    growing,
    importing,
    ledgers,
    mixing,
    policies,
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
    "decide": deciding.measure,
    "policies": policies.measure,
    "flood": flooding.measure,
    "import": importing.measure,
    "verify": verifying.measure,
    "ledger": ledgers.measure,
    "ledger-millions": ledgers.measure_millions,
    "storage": storing.measure,
    "growth": growing.measure,
    "millions": growing.measure_millions,
    "workers": working_together.measure,
}

LONG = frozenset({"millions", "ledger-millions"})
"""Those that are only measured when they are asked for: a quarter of an hour and 6 GB; some minutes and 2 GB."""

__all__ = ["LONG", "MEASURES"]
