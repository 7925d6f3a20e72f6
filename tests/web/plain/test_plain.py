"""Records in plain words: what is said, and that nothing is said that the record does not."""

from importlib import resources
from typing import Any

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from carekeep.fhir import parse_json
from carekeep.web.plain import (
    Speech,
    Standing,
    amount,
    band_of,
    moment,
    name_of,
    span,
    spoken_band,
    spoken_status,
    spoken_value,
    standing_of,
    text_of,
)
from carekeep.web.plain.familiar import FAMILIAR
from carekeep.web.plain.statuses import ALL

ENGLISH, GERMAN = Speech.of("en"), Speech.of("de")


@pytest.mark.parametrize(
    ("written", "english", "german"),
    [
        ("2026", "2026", "2026"),
        ("2026-03", "March 2026", "März 2026"),
        ("2026-03-01", "March 1, 2026", "1. März 2026"),
        ("2026-03-01T10:00:00+02:00", "1 Mar 2026, 08:00 UTC", "1. März 2026, 08:00 UTC"),
        ("2026-13", "", ""),
        ("<b>", "", ""),
        (None, "", ""),
        (2026, "", ""),
    ],
)
def test_dates_are_as_exact_as_they_were_written(written: object, english: str, german: str) -> None:
    assert (moment(ENGLISH, written).words, moment(GERMAN, written).words) == (english, german)


def test_spans_leave_out_what_is_not_known() -> None:
    assert span(ENGLISH, "2025", "2026") == "2025 to 2026"
    assert span(ENGLISH, None, "2026") == "until 2026"
    assert span(ENGLISH, "2026", "2026") == "2026"
    assert span(ENGLISH, None, None) == ""


@pytest.mark.parametrize(
    ("quantity", "english", "german"),
    [
        (b'{"value": 5.40, "unit": "mmol/L"}', "5.40 mmol/L", "5,40 mmol/L"),
        (b'{"value": 1200, "code": "/min"}', "1,200 per minute", "1.200 pro Minute"),
        (b'{"value": 3, "comparator": "<", "unit": "%"}', "less than 3 %", "weniger als 3 %"),
        (b'{"value": 1e3, "unit": "1"}', "1,000", "1.000"),
        (b'{"value": 1e300, "unit": "%"}', "", ""),
        (b'{"unit": "%"}', "", ""),
    ],
)
def test_quantities_keep_their_digits(quantity: bytes, english: str, german: str) -> None:
    given = parse_json(quantity)
    assert (amount(ENGLISH, given).words, amount(GERMAN, given).words) == (english, german)


BOTH = {"low": {"value": 70, "unit": "%"}, "high": {"value": 100, "unit": "%"}}
HIGH = {"high": {"value": 100, "unit": "%"}}


@pytest.mark.parametrize(
    ("value", "given", "mark", "expected"),
    [
        ({"value": 80}, BOTH, None, Standing.USUAL),
        ({"value": 100}, BOTH, None, Standing.USUAL),
        ({"value": 102}, BOTH, None, Standing.A_LITTLE_ABOVE),
        ({"value": 120}, BOTH, None, Standing.ABOVE),
        ({"value": 68}, BOTH, None, Standing.A_LITTLE_BELOW),
        ({"value": 10}, BOTH, "L", Standing.BELOW),
        ({"value": 120}, BOTH, "HH", Standing.FAR_ABOVE),
        ({"value": 80}, BOTH, "H", Standing.UNCLEAR),
        ({"value": 120}, BOTH, "N", Standing.UNCLEAR),
        ({"value": 80}, BOTH, "A", Standing.UNUSUAL),
        ({"value": 80}, None, None, Standing.NONE),
        ({"value": 80}, None, "H", Standing.ABOVE),
        ({"value": 50, "comparator": "<"}, HIGH, None, Standing.USUAL),
        ({"value": 80, "comparator": "<"}, BOTH, None, Standing.NONE),
        ({"value": 80, "comparator": ">"}, HIGH, None, Standing.NONE),
        ({"value": 100, "comparator": ">"}, HIGH, None, Standing.A_LITTLE_ABOVE),
        ({"value": 200, "comparator": "<"}, HIGH, None, Standing.NONE),
        ({"value": 80, "unit": "mg"}, BOTH, None, Standing.NONE),
        ({}, BOTH, None, Standing.NONE),
    ],
)
def test_a_verdict_is_what_range_and_laboratory_say(
    value: dict[str, Any], given: dict[str, Any] | None, mark: str | None, expected: Standing
) -> None:
    found = amount(ENGLISH, {"unit": "%"} | value)
    band = band_of(ENGLISH, [given] if given else None, found.unit)
    assert standing_of(found, band, [{"coding": [{"code": mark}]}] if mark else None) is expected


def test_ranges_are_of_people_in_general() -> None:
    pregnant = {**BOTH, "type": {"coding": [{"code": "pre"}]}}
    assert band_of(ENGLISH, [pregnant], "%") is None
    assert spoken_band(ENGLISH, band_of(ENGLISH, [pregnant, HIGH], "%"), "%") == "at most 100 %"
    assert spoken_band(GERMAN, band_of(GERMAN, [BOTH], "%"), "%") == "70 bis 100 %"
    assert spoken_band(ENGLISH, band_of(ENGLISH, [{"text": "negative"}], ""), "") == "negative"


def test_names_are_plain_with_the_term_beside() -> None:
    sugar = {"coding": [{"system": "http://loinc.org", "code": "4548-4", "display": "Hemoglobin A1c"}]}
    found = name_of(GERMAN, sugar)
    assert (found.plain, found.term, found.codes[0].system) == ("Langzeit-Blutzucker", "Hemoglobin A1c", "LOINC")
    assert name_of(ENGLISH, {"text": "Ache", "coding": [{"code": "1", "display": "Pain"}]}).plain == "Ache"
    assert name_of(ENGLISH, {"coding": [{"code": "1"}]}).plain == "1"
    assert name_of(ENGLISH, None).plain == ""


def test_values_of_every_kind_have_words() -> None:
    assert spoken_value(ENGLISH, {"valueBoolean": True}) == "yes"
    assert spoken_value(ENGLISH, {"valueCodeableConcept": {"text": "negative"}}) == "negative"
    assert spoken_value(ENGLISH, {"valueSampledData": {}}) == "see the record itself"
    assert spoken_value(ENGLISH, {"dataAbsentReason": {"text": "broken"}}) == "broken"
    assert spoken_value(ENGLISH, {}) == ""


def test_statuses_speak_only_when_something_is_not_as_always() -> None:
    assert spoken_status(ENGLISH, {"resourceType": "Observation", "status": "final"}) == ""
    assert spoken_status(ENGLISH, {"resourceType": "Observation", "status": "preliminary"}).startswith("Not final")
    refuted = {"resourceType": "Condition", "verificationStatus": {"coding": [{"code": "refuted"}]}}
    assert spoken_status(ENGLISH, refuted) == "Was ruled out."


def test_a_narrative_is_its_text_and_no_markup() -> None:
    assert text_of("<div><p>One</p><table><tr><td>a</td><td>b</td></tr></table></div>") == ("One", "a · b")
    assert text_of("<div><script>alert(1)</script><style>x</style>&lt;b&gt; &amp;</div>") == ("<b> &",)
    assert text_of(None) == ()
    assert sum(map(len, text_of("x" * 100_000))) == 20_000


def test_everything_that_is_said_is_said_in_german() -> None:
    with resources.files("carekeep.web.plain").joinpath("languages", "de.po").open("rb") as file:
        catalogue = [message for message in read_po(file) if message.id and message.string]
    known = {text for each in catalogue for text in (each.id if isinstance(each.id, tuple) else (each.id,))}
    said = set(ALL) | {standing.value for standing in Standing if standing.value}
    said |= {text for each in FAMILIAR.values() for text in (each.name, each.about) if text}
    for room in ("plain", "portal"):
        found = extract_from_dir(
            str(resources.files(f"carekeep.web.{room}")),
            [("*.py", "python")],
            keywords={"say": None, "say_many": (1, 2)},
        )
        for _, _, message, _, _ in found:
            said |= set(message) if isinstance(message, tuple) else {message}
    said |= {"higher than last time ({value})", "lower than last time ({value})"}
    assert said - known == set()
