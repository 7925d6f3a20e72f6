"""What a careful colleague asks before something leaves, as a table; and what a yes is bound to."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.access.sharing.confirming import LIFETIME_MS, Confirmations
from carekeep.access.sharing.second_look import (
    Around,
    Extent,
    Period,
    Plan,
    are_alike,
    domain_of,
    is_typo,
    questions,
)
from carekeep.encryption import Tagger

DAY_MS = 86_400_000
ASKED = Extent(frozenset({"Observation", "Condition"}), Period("2026-01-01", "2026-06-30"))
PLAN = Plan(
    sender="a" * 32,
    patient="ada",
    recipient="w.okoye@cardiology.example.org",
    patient_name="Robin Moreau",
    sends=Extent(frozenset({"Observation"}), Period("2026-02-01", "2026-03-01")),
    content=b"digest",
    asked=ASKED,
)
AROUND = Around(domains=frozenset({"cardiology.example.org"}), others=("Kim Lindqvist",))

# What is changed about the plan, about what is around it, and what is asked then.
CASES: tuple[tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]], ...] = (
    ("nothing to ask", {}, {}, ()),
    ("nobody knows the domain", {}, {"domains": frozenset({"other.example"})}, ("new-domain",)),
    ("a letter is missing", {"recipient": "w@cardiolgy.example.org"}, {}, ("like-known-domain",)),
    ("two letters changed about", {"recipient": "w@cardiolgoy.example.org"}, {}, ("like-known-domain",)),
    ("a letter too many", {"recipient": "w@cardiologyy.example.org"}, {}, ("like-known-domain",)),
    ("capital letters are no difference", {"recipient": "W.Okoye@Cardiology.EXAMPLE.org"}, {}, ()),
    ("a subdomain is another domain", {"recipient": "w@x.cardiology.example.org"}, {}, ("new-domain",)),
    ("whoever has a link", {"recipient": ""}, {}, ()),
    ("the address of another patient", {}, {"near": ("Kim Lindqvist",)}, ("near-another-patient",)),
    ("the same name", {}, {"others": ("Robin Moreau",)}, ("like-name",)),
    ("a like name", {}, {"others": ("Robin Moreaux",)}, ("like-name",)),
    ("the name turned about", {}, {"others": ("Moreau, Robin",)}, ("like-name",)),
    ("a second given name", {}, {"others": ("Robin Ann Moreau",)}, ("like-name",)),
    ("the same surname, another given name", {}, {"others": ("Wilhelmina Moreau",)}, ()),
    ("accents are no difference", {"patient_name": "Zoë Müller"}, {"others": ("Zoe Muller",)}, ("like-name",)),
    ("the name as it is", {"said_name": "Moreau"}, {}, ()),
    ("another name", {"said_name": "Lindqvist"}, {}, ("other-name",)),
    ("half another name", {"said_name": "Robin Lindqvist"}, {}, ("other-name",)),
    ("a message without names", {"message": "As we discussed by telephone."}, {}, ()),
    ("a message about the patient", {"message": "About Mr Moreau"}, {}, ()),
    ("a message about somebody else", {"message": "About Ms Lindqvist, as discussed"}, {}, ("message-names-other",)),
    ("both are named", {"message": "Moreau, not Lindqvist"}, {}, ()),
    (
        "more types than asked",
        {"sends": Extent(frozenset({"Observation", "Procedure"}), Period("2026-02-01", "2026-03-01"))},
        {},
        ("more-types",),
    ),
    (
        "a longer time than asked",
        {"sends": Extent(frozenset({"Observation"}), Period("2025-02-01", "2026-03-01"))},
        {},
        ("longer-period",),
    ),
    ("an open end", {"sends": Extent(frozenset({"Observation"}), Period("2026-02-01"))}, {}, ("longer-period",)),
    ("all of it, and nobody asked", {"sends": Extent(), "asked": None}, {}, ("whole-record",)),
    ("all of it, of a part", {"sends": Extent()}, {}, ("longer-period", "whole-record")),
    (
        "specially protected",
        {"sends": replace(PLAN.sends, sensitive=frozenset({"substance use"}))},
        {},
        ("sensitive",),
    ),
    (
        "specially protected, and asked for",
        {
            "sends": replace(PLAN.sends, sensitive=frozenset({"HIV"})),
            "asked": replace(ASKED, sensitive=frozenset({"HIV"})),
        },
        {},
        (),
    ),
    ("long, with a passcode", {"lasts_ms": 90 * DAY_MS}, {}, ()),
    ("short, without one", {"lasts_ms": 30 * DAY_MS, "guarded": False}, {}, ()),
    ("long, without one", {"lasts_ms": 31 * DAY_MS, "guarded": False}, {}, ("long-and-open",)),
    (
        "everything at once",
        {"recipient": "w@gmial.example", "said_name": "Kim", "sends": Extent(), "asked": None},
        {"domains": frozenset({"gmail.example"}), "near": ("Kim Lindqvist",), "others": ("Robyn Moreau",)},
        ("other-name", "like-name", "near-another-patient", "like-known-domain", "whole-record"),
    ),
)


@pytest.mark.parametrize(("plan", "around", "codes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_asked(plan: dict[str, Any], around: dict[str, Any], codes: tuple[str, ...]) -> None:
    found = questions(replace(PLAN, **plan), replace(AROUND, **around))
    assert tuple(question.code for question in found) == codes
    assert all(question.text[-1] in ".?" for question in found)


words = st.text(alphabet="abcdefgh", min_size=4, max_size=12)


@given(words, st.integers(0, 11), st.sampled_from("abcdefghxyz"))
def test_every_slip_of_one_letter_is_seen_both_ways(word: str, at: int, letter: str) -> None:
    at %= len(word)
    turned = word[:at] + word[at + 1 : at + 2] + word[at] + word[at + 2 :] if at + 1 < len(word) else word
    less, more, other = word[:at] + word[at + 1 :], word[:at] + letter + word[at:], word[:at] + letter + word[at + 1 :]
    for slip in (less, more, other, turned):
        assert is_typo(word, slip) == is_typo(slip, word) == (slip != word)


@given(words, words)
def test_names_are_alike_both_ways(one: str, other: str) -> None:
    assert are_alike(one, other) == are_alike(other, one)
    assert are_alike(one, one)


@pytest.mark.parametrize("address", ["", "okoye", "@example.org", "a@"])
def test_what_is_no_address_has_no_domain(address: str) -> None:
    assert domain_of(address) == ""


class _Time:
    now_ms = 1_000_000_000_000

    def __call__(self) -> int:
        return self.now_ms


def confirmations(time: _Time, key: bytes = b"k" * 32) -> Confirmations:
    keyring: Any = SimpleNamespace(nonces=Tagger(key))
    return Confirmations(keyring, time)


def test_a_yes_is_good_for_exactly_what_was_asked() -> None:
    time = _Time()
    made = confirmations(time)
    asked = questions(PLAN, Around())
    value = made.ask(PLAN, asked)
    assert made.is_yes(PLAN, asked, value)
    others = (
        replace(PLAN, sender="b" * 32),
        replace(PLAN, patient="bob"),
        replace(PLAN, recipient="w@cardiology.example.com"),
        replace(PLAN, content=b"other"),
    )
    assert not any(made.is_yes(other, asked, value) for other in others)
    assert not made.is_yes(PLAN, (*asked, *questions(PLAN, AROUND), asked[0]), value)
    assert not made.is_yes(PLAN, (), value)
    assert not confirmations(time, b"o" * 32).is_yes(PLAN, asked, value)


def test_a_yes_is_over_after_ten_minutes() -> None:
    time = _Time()
    made = confirmations(time)
    value = made.ask(PLAN, ())
    time.now_ms += LIFETIME_MS - 1
    assert made.is_yes(PLAN, (), value)
    time.now_ms += 1
    assert not made.is_yes(PLAN, (), value)


@pytest.mark.parametrize("value", ["", "x", "ü", "A" * 32, "A" * 4000])
def test_what_is_no_confirmation_is_no_yes(value: str) -> None:
    assert not confirmations(_Time()).is_yes(PLAN, (), value)
