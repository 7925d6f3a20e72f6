"""Entries come back as they were; nothing that was disclosed is left out, however much it is."""

import dataclasses
from typing import get_args

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.audit import Agent, BadLeaf, Entry, Outcome, What
from carekeep.audit.entries import LONG_TEXT, PADDING, SHORT_TEXT, decode, encode
from carekeep.storage import Pin
from tests.audit.logs import an_entry

LIMIT = 65_000

texts = st.text(st.characters(codec="utf-8"), max_size=20)
optional = st.none() | texts
agents = st.builds(Agent, texts, texts, optional, optional, optional, optional, optional, optional)
entries = st.builds(
    Entry,
    action=texts,
    agent=agents,
    purpose=texts,
    outcome=st.sampled_from(get_args(Outcome)),
    what=st.lists(st.builds(What, texts, st.none() | st.integers(0, 2**40))).map(tuple),
    patients=st.lists(texts).map(tuple),
    query=optional,
    policies=st.lists(texts).map(tuple),
    reason=texts,
    risk=st.integers(0, 100),
    request_id=texts,
    at_ms=st.integers(0, 2**48),
)
pins = st.lists(st.builds(Pin, texts, texts, st.just(b"") | st.binary(min_size=32, max_size=32))).map(tuple)


def joined(bodies: list[bytes]) -> tuple[Entry, tuple[Pin, ...]]:
    """What the parts of a request say together."""
    parts = [decode(body) for body in bodies]
    first = parts[0][0]
    what = tuple(what for entry, _ in parts for what in entry.what)
    patients = tuple(patient for entry, _ in parts for patient in entry.patients)
    entry = dataclasses.replace(first, what=what, patients=patients, part=1, parts=1)
    return entry, tuple(pin for _, some in parts for pin in some)


@given(entries, pins)
def test_entries_come_back(entry: Entry, some: tuple[Pin, ...]) -> None:
    (body,) = encode(entry, some, LIMIT)
    assert decode(body) == (entry, some)
    assert len(body) % PADDING == 0


@given(entries, pins, st.integers(0, 400), st.integers(0, 400))
def test_long_entries_come_back_in_parts(entry: Entry, some: tuple[Pin, ...], references: int, pinned: int) -> None:
    entry = dataclasses.replace(
        entry,
        what=entry.what + tuple(What(f"Observation/{number:064}", number) for number in range(references)),
        patients=entry.patients + tuple(f"patient-{number:056}" for number in range(references)),
    )
    some += tuple(Pin("record_version", f"{number:032x}/1", bytes([number % 256] * 32)) for number in range(pinned))
    limit = 16_384
    bodies = encode(entry, some, limit)
    assert joined(bodies) == (entry, some)
    assert all(len(body) <= limit for body in bodies)
    found = [decode(body)[0] for body in bodies]
    assert [(part.part, part.parts) for part in found] == [(number + 1, len(bodies)) for number in range(len(bodies))]
    assert {part.request_id for part in found} == {entry.request_id}


def test_a_text_that_fits_nowhere_says_how_much_is_left_out() -> None:
    entry = an_entry(query="a" * 100_000, reason="é" * 100_000, policies=tuple("p" * 1000 for _ in range(60)))
    (body,) = encode(entry, (), LIMIT)
    found, _ = decode(body)
    assert found.query == "a" * LONG_TEXT + f"… ({100_000 - LONG_TEXT} more characters)"
    assert found.reason == "é" * LONG_TEXT + f"… ({100_000 - LONG_TEXT} more characters)"
    assert found.policies[-1] == "… (40 more policies)"
    assert found.what == entry.what


def test_a_text_that_fits_beside_many_references_is_left_alone() -> None:
    entry = an_entry(query="a" * 5_000, what=tuple(What(f"Observation/{number}", 1) for number in range(5_000)))
    bodies = encode(entry, (), LIMIT)
    assert len(bodies) > 1
    assert joined(bodies)[0] == entry


def test_the_worst_texts_still_fit() -> None:
    worst = "\x01" * 100_000  # six bytes each in JSON
    agent = Agent(worst, worst, worst, worst, worst, worst, worst, worst)
    entry = an_entry(
        action=worst, agent=agent, purpose=worst, query=worst, reason=worst, request_id=worst,
        policies=(worst,) * 1000, what=(What(worst, 1),) * 9, patients=(worst,) * 9,
    )  # fmt: skip
    bodies = encode(entry, (), LIMIT)
    assert all(len(body) <= LIMIT for body in bodies)
    found, _ = joined(bodies)
    assert len(found.what) == len(found.patients) == 9
    assert found.agent.who == "\x01" * SHORT_TEXT + f"… ({100_000 - SHORT_TEXT} more characters)"


def test_what_is_not_text_does_not_keep_its_request_out() -> None:
    (body,) = encode(an_entry(query="name=\ud800", what=(What("Patient/\udfff", None),)), (), LIMIT)
    found, _ = decode(body)
    assert (found.query, found.what) == ("name=\\ud800", (What("Patient/\\udfff", None),))


def test_entries_of_about_one_length_have_one_length() -> None:
    lengths = {len(encode(an_entry(what=(What("Patient/" + "x" * size, 1),)), (), LIMIT)[0]) for size in range(1, 30)}
    assert len(lengths) <= 2


def changed(place: int, value: object) -> bytes:
    (body,) = encode(an_entry(), (), LIMIT)
    values = orjson.loads(body)
    values[place] = value
    return orjson.dumps(values)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"[1]",
        b"\xff",
        changed(3, "perhaps"),
        changed(4, []),
        changed(4, ["a"] * 9),
        changed(5, 7),
        changed(5, [["one"]]),
        changed(12, [["table", "key", "not base64"]]),
        changed(12, [["table", "key"]]),
        changed(12, None),
    ],
)
def test_other_layouts_are_refused(body: bytes) -> None:
    with pytest.raises(BadLeaf):
        decode(body)
