"""How looks are marked and laid out on pages, and that the file of disclosures runs nothing."""

import csv
import io
from dataclasses import replace

import pytest

from carekeep.audit.views import Accounting, Deed, Look
from carekeep.audit.views.accounting import Disclosure
from carekeep.web.portal.given_out import as_csv
from carekeep.web.portal.looks import PAGE, YOU, Mark, arranged, line_of

DAY_MS = 86_400_000
LOOK = Look(
    first_ms=DAY_MS,
    last_ms=DAY_MS + 1,
    times=1,
    who="Dr. Okafor",
    role="clinician",
    reference="Practitioner/x",
    through=None,
    deed=next(iter(Deed)),
    refused=False,
    emergency=False,
    kinds=(),
    why="",
    because="",
    recipient=None,
    source=None,
    entries=("01", "02"),
)


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({}, Mark.UNEXPLAINED),
        ({"refused": True, "emergency": True}, Mark.REFUSED),
        ({"emergency": True}, Mark.EMERGENCY),
        ({"who": YOU}, None),
        ({"role": "program"}, None),
        ({"role": "auditor"}, None),
    ],
)
def test_what_has_no_reason_is_marked(changes: dict[str, object], mark: Mark | None) -> None:
    line = line_of(replace(LOOK, **changes), {})  # type: ignore[arg-type]
    assert line.mark is mark
    assert line.entry == "02"


def test_a_page_holds_so_many_and_ones_own_stand_apart() -> None:
    line = line_of(LOOK, {})
    own = line_of(replace(LOOK, who=YOU, reference="Patient/ada"), {})
    lines = [line] * (PAGE + 1) + [own]
    first, last = (arranged(lines, "Patient/ada", {DAY_MS: ("A visit",)}, number) for number in (1, 99))
    assert (first.pages, first.number, last.number) == (2, 1, 2)
    assert [len(day.lines) for day in (*first.days, *last.days)] == [PAGE, 1]
    assert first.own == (own,)
    assert first.days[0].visits == ("A visit",)
    assert (len(first.first), last.first) == (PAGE, ())
    assert arranged([], "Patient/ada", {}, 1).pages == 1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_of_others_runs_in_a_spreadsheet(text: str) -> None:
    disclosure = Disclosure(0, DAY_MS, 2, text, text, f'He said "{text}"', text, text, ("01", "02"))
    _, row = csv.reader(io.StringIO(as_csv(Accounting((disclosure,), ())), newline=""))
    assert row[3:5] == row[6:8] == [f"'{text}"] * 2
    assert row[:3] == ["1970-01-01T00:00:00+00:00", "1970-01-02T00:00:00+00:00", "2"]
    assert row[5] == f'He said "{text}"'
    assert row[8] == "01 02"
