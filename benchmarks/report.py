"""Figures as a table for people and as JSON for machines."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.load import Result

_WHOLE_FROM = 100


@dataclass(frozen=True, slots=True)
class Goal:
    """What is aimed for on a quiet machine: at least ``value``, or at most."""

    value: float
    at_most: bool = False

    def met_by(self, value: float) -> bool:
        """Whether a figure reaches it."""
        return value <= self.value if self.at_most else value >= self.value

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {self.value:,g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. ``cpu_us``: the server's processor time for each answer; ``client_busy``: 0 to 1."""

    group: str
    name: str
    value: float
    unit: str
    goal: Goal | None = None
    connections: int | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_us: float | None = None
    client_busy: float | None = None


def rate(group: str, name: str, measured: tuple[Result, float], goal: float | None = None) -> Figure:
    """Answers a second, as a figure."""
    result, cpu_us = measured
    return Figure(
        group,
        name,
        result.per_second,
        "/s",
        None if goal is None else Goal(goal),
        result.connections,
        result.p50_ms,
        result.p99_ms,
        cpu_us,
        result.client_busy,
    )


def show(figures: Iterable[Figure], console: Console) -> None:
    """Print the table."""
    table = Table("what", box=None, pad_edge=False)
    for title in ("conns", "value", "goal", "p50 ms", "p99 ms", "CPU µs", "clients busy"):
        table.add_column(title, justify="right")
    group = ""
    for figure in figures:
        if figure.group != group:
            group = figure.group
            table.add_row(f"[bold]{group}")
        table.add_row(*_cells(figure))
    console.print(table)


def _cells(figure: Figure) -> tuple[str, ...]:
    goal = figure.goal
    met = "" if goal is None else f"{goal} {'met' if goal.met_by(figure.value) else 'MISSED'}"
    return (
        f"  {figure.name}",
        "" if figure.connections is None else str(figure.connections),
        f"{_number(figure.value)} {figure.unit}",
        met,
        _optional(figure.p50_ms, 2),
        _optional(figure.p99_ms, 2),
        _optional(figure.cpu_us, 0),
        _optional(figure.client_busy, 2),
    )


def _number(value: float) -> str:
    return f"{value:.3g}" if value < _WHOLE_FROM else f"{value:,.0f}"


def _optional(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def write(figures: Iterable[Figure], machine: Mapping[str, object], path: Path) -> None:
    """Write everything as JSON, with what is known of the machine."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"machine": dict(machine), "figures": [asdict(figure) for figure in figures]}
    path.write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
