"""The process's own log: whatever is in a message, an event is one line, and says when in UTC."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.cli.log_lines import OneLine

FORGED = "2026-01-01T00:00:00.000Z INFO carekeep: nothing happened"


def line_of(message: str, *arguments: object) -> str:
    record = logging.LogRecord("carekeep.web", logging.ERROR, __file__, 1, message, arguments, None)
    record.created, record.msecs = 1_793_880_000.25, 250.0
    return OneLine().format(record)


def test_times_are_utc() -> None:
    assert (
        line_of("unexpected %s", "ValueError") == "2026-11-05T12:00:00.250Z ERROR carekeep.web: unexpected ValueError"
    )


@pytest.mark.parametrize(
    "ending",
    ["\n", "\r\n", "\r", "\x0b", "\x0c", "\x1c", "\x1e", "\x85", "\u2028", "\u2029", "\x00", "\x1b[2K", "\u202e"],
)
def test_an_event_is_one_line(ending: str) -> None:
    line = line_of("a client said %s", f"hello{ending}{FORGED}")
    assert line.splitlines() == [line]
    assert line.isprintable()
    assert line.count("\\") == 1 + (ending == "\r\n")


@given(st.text())
def test_whatever_is_said_is_one_line(text: str) -> None:
    line = line_of("%s", text)
    assert len(line.splitlines()) == 1
    assert not set(line) & set(map(chr, range(32)))


def test_a_traceback_is_one_line_too() -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int("x\ny")
    failure = (caught.type, caught.value, caught.tb)
    record = logging.LogRecord("carekeep", logging.ERROR, __file__, 1, "failed", (), failure)
    assert len(OneLine().format(record).splitlines()) == 1
