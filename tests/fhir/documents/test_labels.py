"""The high-water mark of security labels."""

from hypothesis import given
from hypothesis import strategies as st

from carekeep.fhir.documents import high_water_mark
from carekeep.fhir.documents.labels import CONFIDENTIALITY
from tests.fhir.documents.charts import labelled

LEVELS = "ULMNRV"
OTHER = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "HIV"}


@given(st.lists(st.lists(st.sampled_from(LEVELS), max_size=3), max_size=8))
def test_it_is_the_highest_of_all(levels: list[list[str]]) -> None:
    marks = high_water_mark(labelled({"resourceType": "Basic"}, *some) for some in levels)
    present = [level for some in levels for level in some]
    highest = [max(present, key=LEVELS.index)] if present else []
    assert [mark["code"] for mark in marks] == highest


def test_every_other_label_stays_once() -> None:
    one = {"meta": {"security": [OTHER, {"system": CONFIDENTIALITY, "code": "N"}]}}
    two = {"meta": {"security": [{"system": CONFIDENTIALITY, "code": "V"}, OTHER, {"code": "local"}]}}
    assert [mark["code"] for mark in high_water_mark([one, {}, two])] == ["V", "HIV", "local"]


def test_a_confidentiality_that_is_unknown_is_no_level() -> None:
    odd = {"meta": {"security": [{"system": CONFIDENTIALITY, "code": "Z"}, {"system": CONFIDENTIALITY, "code": "N"}]}}
    assert [mark["code"] for mark in high_water_mark([odd])] == ["N", "Z"]
