"""Scopes: read strictly, and narrowed as sets are; nothing that comes out of narrowing is wider than what went in."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.access import ANYTHING, Proposed, ScopeInvalid, Scopes
from carekeep.access.rights import LETTERS, Content, Right
from carekeep.access.scopes import MAX_ARGUMENTS, MAX_LENGTH, MAX_SCOPES, MAX_WITH_ARGUMENTS, WORDS

CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def observation(category: str, status: str = "final") -> Proposed:
    coding = {"system": CATEGORY, "code": category}
    return Proposed(
        {"resourceType": "Observation", "status": status, "category": [{"coding": [coding]}], "code": {"text": "x"}}
    )


LABORATORY, VITALS = observation("laboratory"), observation("vital-signs")
RECORDS: list[tuple[str, Content | None]] = [
    ("Observation", LABORATORY),
    ("Observation", VITALS),
    ("Observation", observation("laboratory", "preliminary")),
    ("Observation", None),
    ("Condition", Proposed({"resourceType": "Condition"})),
]
PATIENTS: list[tuple[str, ...]] = [(), ("p1",), ("p2",), ("p1", "p2")]
ARGUMENTS = ("", f"?category={CATEGORY}|laboratory", "?category=vital-signs", "?status=final", "?status=final&_id=1")
letters = st.sets(st.sampled_from(LETTERS), min_size=1).map(lambda found: "".join(sorted(found, key=LETTERS.index)))
rights = st.builds(
    lambda level, kind, access: f"{level}/{kind[0]}.{access}{kind[1]}",
    st.sampled_from(["patient", "user", "system"]),
    st.sampled_from([("*", ""), ("Condition", ""), *(("Observation", each) for each in ARGUMENTS)]),
    letters,
)
first_version = st.sampled_from(["patient/*.read", "user/Observation.write", "patient/Condition.*"])
scopes = st.lists(rights | first_version | st.sampled_from(sorted(WORDS)), max_size=6).map(
    lambda found: Scopes.parse(" ".join(found))
)


def meaning(of: Scopes) -> set[tuple[object, ...]]:
    """Everything that they permit, level by level, of a world that is small enough to try all of it."""
    found: set[tuple[object, ...]] = {(word,) for word in WORDS if word in of}
    for level in ("patient", "user", "system"):
        alone, machine = Scopes(of.at_level(level)), level == "system"
        for letter, (number, (type_, content)), patients in itertools.product(LETTERS, enumerate(RECORDS), PATIENTS):
            if alone.permits(letter, type_, patients=patients, launch_patient="p1", content=content, machine=machine):
                found.add((level, letter, number, patients))
    return found


@given(scopes, scopes)
def test_what_is_granted_is_what_both_permit(asked: Scopes, allowed: Scopes) -> None:
    assert meaning(asked.narrowed_to(allowed)) == meaning(asked) & meaning(allowed)


@given(scopes, scopes)
def test_narrowing_is_the_same_from_either_side_and_once_is_enough(asked: Scopes, allowed: Scopes) -> None:
    granted = asked.narrowed_to(allowed)
    assert granted == allowed.narrowed_to(asked)
    assert granted == granted.narrowed_to(allowed) == granted.narrowed_to(granted)
    assert granted.is_within(asked)
    assert granted.is_within(allowed)


@given(scopes)
def test_what_is_written_is_read_again(given_: Scopes) -> None:
    assert Scopes.parse(str(given_)) == given_
    assert given_.narrowed_to(given_) == given_


@given(scopes, scopes)
def test_within_means_permitting_no_more(some: Scopes, others: Scopes) -> None:
    if some.is_within(others):
        assert meaning(some) <= meaning(others)
        assert some.narrowed_to(others) == some


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("patient/Observation.read", "patient/Observation.rs"),
        ("user/*.write", "user/*.cud"),
        ("system/*.*", "system/*.cruds"),
        ("patient/Condition.r  openid patient/Condition.s openid", "openid patient/Condition.rs"),
        ("patient/*.rs patient/Condition.r", "patient/*.rs"),
        ("patient/Condition.rs patient/*.r", "patient/*.r patient/Condition.s"),
        (
            "patient/Observation.rs?status=final&category=vital-signs",
            "patient/Observation.rs?category=vital-signs&status=final",
        ),
        ("", ""),
    ],
)
def test_each_meaning_has_one_form(text: str, written: str) -> None:
    assert str(Scopes.parse(text)) == written


@pytest.mark.parametrize(
    "text",
    [
        "everything",
        "email",
        "patient/Observation",
        "patient/Observation.",
        "patient/Observation.sr",
        "patient/Observation.rr",
        "patient/Observation.x",
        "patient/observation.r",
        "patient/Nothing.r",
        "patient/Observation.r?",
        "patient/Observation.r?category",
        "patient/Observation.r?category=",
        "patient/Observation.read?category=vital-signs",
        "patient/*.rs?_id=1",
        "patient/Observation.r?unknown=1",
        "patient/Observation.r?date=yesterday",
        "patient/Observation.r?_count=5",
        "patient/Observation.r?_include=Observation:subject",
        "patient/Observation.r?subject.name=x",
        "patient/Observation.r?_has:Provenance:target:agent=x",
        "patient/Observation.r?code:in=http://example.org/vs",
        "patient/Observation.r?category=%FF",
        'patient/Observation.r?category="x"',
        "patient/Observation.r\npatient/Condition.r",
        "Patient/Observation.r",
        "practitioner/Observation.r",
    ],
)
def test_what_cannot_be_evaluated_exactly_is_refused(text: str) -> None:
    with pytest.raises(ScopeInvalid):
        Scopes.parse(f"openid {text}")


@pytest.mark.parametrize(
    "text",
    [
        "x" * (MAX_LENGTH + 1),
        "openid " * (MAX_SCOPES + 1),
        " ".join(f"patient/Observation.r?_id={number}" for number in range(MAX_WITH_ARGUMENTS + 1)),
        "patient/Observation.r?" + "&".join(f"_id={number}" for number in range(MAX_ARGUMENTS + 1)),
    ],
)
def test_scopes_are_bounded(text: str) -> None:
    with pytest.raises(ScopeInvalid):
        Scopes.parse(text)


def test_what_narrowing_comes_to_is_bounded_too() -> None:
    some, others = (
        Scopes.parse(" ".join(f"patient/Observation.r?{name}={number}" for number in range(20)))
        for name in ("_id", "status")
    )
    with pytest.raises(ScopeInvalid):
        some.narrowed_to(others)


def test_a_refusal_repeats_nothing_that_could_not_be_shown() -> None:
    with pytest.raises(ScopeInvalid) as refused:
        Scopes.parse("patient/\x1b[31mX.r")
    assert "\x1b" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "letter", "type_", "patients", "expected"),
    [
        ("patient/Observation.rs", "r", "Observation", ("p1",), True),
        ("patient/Observation.rs", "r", "Observation", ("p2", "p1"), True),
        ("patient/Observation.rs", "r", "Observation", ("p2",), False),
        ("patient/Observation.rs", "r", "Condition", ("p1",), False),
        ("patient/Observation.r", "s", "Observation", ("p1",), False),
        ("patient/*.cruds", "u", "Observation", ("p1",), True),
        ("patient/*.cruds", "u", "Observation", ("p1", "p2"), False),
        ("patient/*.cruds", "r", "Medication", (), True),
        ("patient/*.cruds", "c", "Medication", (), False),
        ("user/*.cruds", "c", "Medication", (), True),
        ("user/*.r", "r", "Observation", ("p2",), True),
        ("system/*.cruds", "r", "Observation", ("p1",), False),
    ],
)
def test_of_whom_scopes_are(text: str, letter: str, type_: str, patients: tuple[str, ...], expected: bool) -> None:
    found = Scopes.parse(text)
    assert found.permits(letter, type_, patients=patients, launch_patient="p1", content=LABORATORY) is expected
    if text.startswith("patient/"):
        assert not found.permits(letter, type_, patients=patients, launch_patient=None, content=LABORATORY)


def test_an_app_that_acts_for_itself_has_scopes_of_its_own_level() -> None:
    personal, own = Scopes.parse("user/*.cruds patient/*.cruds"), Scopes.parse("system/*.r")
    assert not personal.permits("r", "Observation", launch_patient="p1", content=LABORATORY, machine=True)
    assert own.permits("r", "Observation", content=LABORATORY, machine=True)
    assert not own.permits("r", "Observation", launch_patient="p1", content=LABORATORY)


def test_arguments_are_met_by_what_a_record_says() -> None:
    found = Scopes.parse(f"user/Observation.rs?category={CATEGORY}|laboratory")
    assert found.permits("r", "Observation", content=LABORATORY)
    assert not found.permits("r", "Observation", content=VITALS)
    assert not found.permits("r", "Observation", content=None), "what is not told is not taken to be within"
    assert found.permits("s", "Observation", content=ANYTHING)
    assert not found.permits("s", "Condition", content=ANYTHING)


def test_in_words_says_everything_the_worst_last() -> None:
    text = f"patient/Condition.cruds patient/Observation.rs?category={CATEGORY}|laboratory openid offline_access"
    assert Scopes.parse(text).in_words() == (
        "See your laboratory results.",
        "See, add to, change and delete your diagnoses and health problems.",
        "Know that it is you.",
        "Do this when you are not there, until you take it back.",
    )


@given(scopes)
def test_there_is_a_sentence_for_every_scope(given_: Scopes) -> None:
    sentences = given_.in_words("the open patient's")
    assert len(sentences) == len(given_.rights) + len(given_.words)
    assert all(sentence.endswith(".") and sentence[0].isupper() for sentence in sentences)


def test_arguments_without_words_are_shown() -> None:
    assert Scopes.parse("user/Account.r?status=active").in_words() == (
        "See the records of the kind Account (only those with status = active) of everyone whose records you may see.",
    )


def test_meeting_is_of_one_level() -> None:
    assert Right("patient", "*", "r").meet(Right("user", "*", "r")) is None
