"""What the form of people who act for a patient takes, and that what is written reads back as it was meant."""

import pytest

from carekeep.access.consents import read_consent
from carekeep.access.consents.acting import Acting, acting_of, consent_to_acting
from carekeep.web.portal.people_views import KINDS, Person, asked_of, days

NOW_MS = 1_780_000_000_000  # 2026-05-28
GOOD = {"name": " Zoë ", "relationship": "SIB", "kind-results": "yes", "until": "2026-06-01"}


@pytest.mark.parametrize("sensitive", [True, False])
@pytest.mark.parametrize("in_force", [True, False])
def test_what_is_written_reads_back(*, sensitive: bool, in_force: bool) -> None:
    types = KINDS["results"][1]
    acting = Acting("RelatedPerson/zoe", types, sensitive, "2026-06-01", "c-1", in_force)
    resource = consent_to_acting(acting, "ada", "2026-05-28T00:00:00Z")
    assert acting_of(resource) == acting
    assert (read_consent(resource) is not None) is in_force
    assert Person(acting, "Zoë", "", holds=True).kinds == ("results",)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "entered-in-error"},
        {"policy": [{"uri": "https://elsewhere.example"}]},
        {"provision": None},
        {"provision": {"type": "permit"}},
    ],
)
def test_another_consent_is_left_alone(change: dict[str, object]) -> None:
    acting = Acting("RelatedPerson/zoe", frozenset({"Observation"}), sensitive=False, last_day="2026-06-01")
    assert acting_of(consent_to_acting(acting, "ada", "2026-05-28T00:00:00Z") | change) is None


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({}, ""),
        ({"until": "2027-05-28"}, ""),
        ({"until": "2026-05-28"}, ""),
        ({"name": " "}, "name"),
        ({"name": "a" * 121}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"relationship": "ONESELF"}, "who the person is"),
        ({"kind-results": ""}, "kind of records"),
        ({"until": "2027-05-29"}, "last day"),
        ({"until": "2026-05-27"}, "last day"),
        ({"until": "20260601"}, "last day"),
        ({"until": ""}, "last day"),
    ],
)
def test_a_form_is_checked(change: dict[str, str], trouble: str) -> None:
    fields = GOOD | change
    asked = asked_of(lambda name: fields.get(name, ""), NOW_MS, needs_person=True)
    assert trouble in asked.trouble
    assert bool(trouble) is bool(asked.trouble)


def test_a_year_is_the_longest() -> None:
    assert days(NOW_MS) == ("2026-05-28", "2027-05-28")
