"""Uploads are cut into parts of whole lines, however they arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.web.bulk import importing
from carekeep.web.bulk.importing import Cutter


def cut(pieces: list[bytes]) -> list[bytes]:
    cutter = Cutter()
    parts = [part for piece in pieces for part in cutter.feed(piece)]
    parts += cutter.end()
    found = [line for part in parts for line in part.split(b"\n")]
    assert cutter.lines == len(found)
    return found


@given(st.lists(st.binary(max_size=20), max_size=30))
def test_lines_come_out_as_they_went_in(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    expected = whole.split(b"\n")
    assert cut(pieces) == (expected if expected[-1] else expected[:-1])


@given(st.lists(st.sampled_from([b"{}\n", b"{}", b"\n", b"x" * 50, b"x" * 5 + b"\n"]), max_size=40))
def test_a_line_that_is_too_long_is_marked_and_counted(pieces: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing, "LONGEST_LINE", 40)
        found = cut(pieces)
    expected = b"".join(pieces).split(b"\n")
    expected = expected if expected[-1] else expected[:-1]
    assert len(found) == len(expected)
    for line, whole in zip(found, expected, strict=True):
        # Between one and two pieces more may have been taken before the length was seen.
        assert line == whole or (line == b"\0" and len(whole) > 40)


def test_parts_are_bounded() -> None:
    cutter = Cutter()
    parts = cutter.feed(b"{}\n" * 1000)
    assert [part.count(b"\n") + 1 for part in parts] == [importing.LINES_OF_PART] * (1000 // importing.LINES_OF_PART)
