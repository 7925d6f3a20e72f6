"""What policies saw is kept so that it can be asked again: nothing is lost, and what is not understood is said."""

import pytest
from hypothesis import given

from carekeep.access.decision import Visible
from carekeep.access.seen import SeenUnreadable, decode_seen, encode_seen
from tests.access.visibles import visibles

SHORTEST = '{"kind":"patient","account":"a1","action":"fhir:record:read","entity":"PatientRecord","purpose":"PATRQT"}'


@given(visibles())
def test_what_is_kept_is_what_was_seen(seen: Visible) -> None:
    assert decode_seen(encode_seen(seen)) == seen
    assert encode_seen(decode_seen(encode_seen(seen))) == encode_seen(seen)


def test_what_an_older_entry_does_not_say_is_as_usual() -> None:
    seen = decode_seen(SHORTEST)
    assert (seen.relations, seen.risk, seen.zone, seen.consent) == (frozenset(), 0, "inside", "none")
    assert encode_seen(seen) == SHORTEST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "7",
        "{}",
        SHORTEST.replace("fhir:record:read", "fhir:record:peek"),
        SHORTEST.replace("PATRQT", "FUN"),
        SHORTEST.replace("}", ',"moon":"full"}'),
        SHORTEST.replace("}", ',"relations":["cousin"]}'),
        SHORTEST.replace('"a1"', '{"b":1}'),
    ],
)
def test_what_is_not_understood_is_said(text: str) -> None:
    with pytest.raises(SeenUnreadable):
        decode_seen(text)
