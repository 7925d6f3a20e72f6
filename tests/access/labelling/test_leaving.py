"""What goes with sensitive records that leave, and what stays behind."""

import pytest

from carekeep.access.labelling import PART2_NOTICE, Rules, leaves_out, notice_for, notice_for_labels, with_notice
from carekeep.fhir import labels_of
from tests.access.labelling.labels import ICD, LABELLING, Json, coded, labelled_by_hand, short

OPIOID, HIV, PLAIN = (LABELLING.labelled(coded((ICD, code))) for code in ("F11.20", "B20", "I10"))

# What leaves, and whether the notice of 42 CFR 2.32 goes with it.
LEAVING: list[tuple[list[Json], bool]] = [
    ([], False),
    ([PLAIN], False),
    ([HIV, PLAIN], False),
    ([PLAIN, OPIOID], True),
    ([labelled_by_hand(PLAIN, "ETH")], True),
    ([labelled_by_hand(PLAIN, "SUD")], True),
    ([labelled_by_hand(PLAIN, "NORDSCLCD")], False),
]


@pytest.mark.parametrize(("resources", "needed"), LEAVING)
def test_when_the_notice_goes_along(resources: list[Json], needed: bool) -> None:
    assert notice_for(resources) == (PART2_NOTICE if needed else None)
    assert notice_for_labels(each for one in resources for each in labels_of(one)) == notice_for(resources)


def test_the_notice_is_the_words_of_the_rule() -> None:
    assert PART2_NOTICE.text == "42 CFR part 2 prohibits unauthorized use or disclosure of these records."
    assert short({"meta": {"security": list(PART2_NOTICE.labels)}}) == {"NORDSCLCD", "RedisclosureProhibitionMark"}


def test_labels_of_the_notice_come_once() -> None:
    labels = with_notice(OPIOID["meta"]["security"], PART2_NOTICE)
    assert [each["code"] for each in labels] == ["OPIOIDUD", "R", "NORDSCLCD", "RedisclosureProhibitionMark"]
    assert with_notice(labels, PART2_NOTICE) == labels
    assert with_notice(HIV["meta"]["security"], None) == HIV["meta"]["security"]


EVERYTHING = {category.id for category in Rules.bundled().categories}


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (EVERYTHING, [OPIOID, HIV, PLAIN]),
        (EVERYTHING - {"hiv"}, [OPIOID, PLAIN]),
        (set(), [PLAIN]),
        ({"hiv"}, [HIV, PLAIN]),
    ],
)
def test_what_is_not_wanted_stays_behind(wanted: set[str], kept: list[Json]) -> None:
    assert list(leaves_out([OPIOID, HIV, PLAIN], wanted).kept) == kept


def test_the_sentence_tells_nothing_of_what_was_there() -> None:
    """Equal whether something is held back, and how much; absent only where nothing can be."""
    said = {leaves_out(chart, {"genetic"}).sentence for chart in ([], [PLAIN], [HIV], [HIV, HIV, OPIOID])}
    assert len(said) == 1
    assert said.pop()
    assert not leaves_out([HIV], EVERYTHING).sentence


def test_a_record_of_two_kinds_needs_both() -> None:
    both = LABELLING.labelled(coded((ICD, "F11.20"), (ICD, "B20")))
    assert not leaves_out([both], {"hiv"}).kept
    assert leaves_out([both], {"hiv", "substance-use"}).kept == (both,)
