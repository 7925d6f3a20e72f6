"""What comes out: the table, and the JSON beside it."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.load import Result, percentile
from benchmarks.report import Figure, Goal, rate, show, write

RESULT = Result(answers=5000, count=4000, seconds=2.0, p50_ms=1.25, p99_ms=9.0, client_busy=0.5, connections=32)
FIGURES = [
    rate("reading", "Carekeep", (RESULT, 120.0), goal=8000),
    Figure("reading", "memory", 130.0, "MiB", Goal(400, at_most=True)),
]


def test_the_table_says_what_was_missed_and_what_was_met() -> None:
    text = io.StringIO()
    show(FIGURES, Console(file=text, width=140, color_system=None))
    lines = text.getvalue().splitlines()
    (missed,) = [line for line in lines if "Carekeep" in line]
    (met,) = [line for line in lines if "memory" in line]
    assert missed.split() == ["Carekeep", "32", "2,000", "/s", "≥", "8,000", "MISSED", "1.25", "9.00", "120", "0.50"]
    assert met.split() == ["memory", "130", "MiB", "≤", "400", "met"]


def test_the_file_holds_the_figures_and_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "results" / "latest.json"
    write(FIGURES, {"cores": 2}, path)
    told = json.loads(path.read_text("utf-8"))
    assert told["machine"] == {"cores": 2}
    assert [(each["name"], each["value"], each["goal"]["value"]) for each in told["figures"]] == [
        ("Carekeep", 2000.0, 8000),
        ("memory", 130.0, 400),
    ]


@pytest.mark.parametrize(("part", "value"), [(0.5, 2), (0.51, 3), (0.99, 4), (1.0, 4), (0.0, 1)])
def test_a_percentile_is_one_of_the_values(part: float, value: float) -> None:
    assert percentile([1, 2, 3, 4], part) == value
