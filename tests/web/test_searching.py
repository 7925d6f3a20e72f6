"""Search over HTTP: the right matches, in pages that add up, of what one may see; and what the ledger says of it."""

from urllib.parse import urlencode

import pytest

from carekeep.audit import What
from tests.web.clinic import Answer, Clinic, Json, observation, on_sqlite, records_kept

FORM = {"content-type": "application/x-www-form-urlencoded"}


def found(answer: Answer) -> list[str]:
    """The ids of a searchset's matches."""
    assert answer.status == 200, answer.body
    assert answer.json["type"] == "searchset"
    return [entry["resource"]["id"] for entry in answer.json.get("entry", [])]


def next_link(answer: Answer) -> str | None:
    links = {link["relation"]: link["url"] for link in answer.json["link"]}
    return links["next"].removeprefix("https://records.example.org") if "next" in links else None


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("Observation?patient=ada", {"ada-pulse", "ada-pulse-2"}),
        ("Observation?patient=Patient/ada&date=ge2026-03-15", {"ada-pulse-2"}),
        ("Observation?code=http://loinc.org|8867-4&value-quantity=gt80", {"ada-pulse-2"}),
        ("Observation?_id=ada-pulse,bob-pulse", {"ada-pulse"}),
        ("Observation?subject:Patient=ada&status=final", {"ada-pulse", "ada-pulse-2"}),
        ("Observation?patient=ada&code=1-1", set()),
        ("Patient?family=mor", {"ada"}),
        ("Patient?family=lindqvist", set()),
        ("Patient?birthdate=1970-02-28", {"ada"}),
        ("Practitioner?family=okafor", {"physician"}),
        ("Condition?code:text=asthma", {"ada-asthma"}),
    ],
)
async def test_a_clinician_finds_among_their_patients(clinic: Clinic, query: str, ids: set[str]) -> None:
    answer = await clinic.ask("GET", query, who="physician")
    assert set(found(answer)) == ids
    assert answer.entry is not None
    assert answer.entry.action == "fhir:type:search"
    assert {what.reference.partition("/")[2] for what in answer.entry.what} == ids


async def test_posting_the_search_is_the_same(clinic: Clinic) -> None:
    form = urlencode({"patient": "ada", "date": "ge2026-03-15"}).encode()
    answer = await clinic.ask("POST", "Observation/_search", form, who="physician", headers=FORM)
    assert found(answer) == ["ada-pulse-2"]
    assert answer.entry is not None
    assert answer.entry.query == "Observation?patient=ada&date=ge2026-03-15"


async def test_a_patient_sees_their_own_and_no_other(clinic: Clinic) -> None:
    own = await clinic.ask("GET", "Observation", who="ada")
    assert set(found(own)) == {"ada-pulse", "ada-pulse-2"}
    assert own.entry is not None
    assert own.entry.patients == ("ada",)
    other = await clinic.ask("GET", "Observation?patient=bob", who="ada")
    assert other.status == 403
    assert other.entry is not None
    assert (other.entry.outcome, other.entry.patients, other.entry.what) == ("denied", ("bob",), ())


async def test_what_is_not_seen_is_not_counted(clinic: Clinic) -> None:
    totals = {
        who: (await clinic.ask("GET", "Observation?_summary=count", who=who)).json["total"]
        for who in ("engine", "physician", "emergency", "ada")
    }
    assert totals == {"engine": 4, "physician": 2, "emergency": 0, "ada": 2}
    accurate = await clinic.ask("GET", "Observation?_total=accurate&_count=1", who="physician")
    assert (accurate.json["total"], len(found(accurate))) == (2, 1)


async def test_a_count_of_matches_gives_no_records_away(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Observation?_summary=count", who="physician")
    assert "entry" not in answer.json
    assert answer.entry is not None
    assert answer.entry.what == ()


@pytest.mark.parametrize("sort", ["", "&_sort=date", "&_sort=-date"])
async def test_pages_add_up(clinic: Clinic, sort: str) -> None:
    for day in range(1, 24):
        await clinic.put(observation(f"more-{day:02}", "ada", day, f"2026-06-{day:02}"))
    path: str | None = f"/fhir/Observation?patient=ada&_count=7{sort}"
    seen: list[str] = []
    while path is not None:
        page = await clinic.ask("GET", path, who="physician")
        ids = found(page)
        assert 1 <= len(ids) <= 7
        assert page.entry is not None
        assert page.entry.what == tuple(What(f"Observation/{id_}", 1) for id_ in ids)
        seen += ids
        path = next_link(page)
    expected = {"ada-pulse", "ada-pulse-2", *(f"more-{day:02}" for day in range(1, 24))}
    assert len(seen) == len(expected)
    assert set(seen) == expected
    in_time = ["ada-pulse", "ada-pulse-2", *(f"more-{day:02}" for day in range(1, 24))]
    if sort:
        assert seen == (in_time if sort == "&_sort=date" else in_time[::-1])


async def test_the_self_link_says_what_was_understood(clinic: Clinic) -> None:
    query = "Observation?patient=ada&nonsense=1"
    refused = await clinic.ask("GET", query)
    assert (refused.status, refused.json["issue"][0]["expression"]) == (400, ["http.nonsense"])
    lenient = await clinic.ask("GET", query, headers={"prefer": "handling=lenient"})
    assert lenient.json["link"][0]["url"] == "https://records.example.org/fhir/Observation?patient=ada"


@on_sqlite
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("Observation?date=yesterday", 400),
        ("Observation?value-quantity=lots", 400),
        ("Observation?_sort=nonsense", 400),
        ("Observation?_count=-1", 400),
        ("Observation?_count=many", 400),
        ("Observation?patient:nonsense=ada", 400),
        ("Observation?_elements=code&_summary=data", 400),
        ("Observation?_summary=text&_include=Observation:patient", 400),
        ("Observation?_format=xml", 406),
        ("Observation?_cursor=rubbish", 400),
        ("Nonsense?_id=1", 404),
    ],
)
async def test_searches_that_mean_nothing_are_refused(clinic: Clinic, query: str, status: int) -> None:
    answer = await clinic.ask("GET", query)
    assert answer.status == status, answer.body
    assert answer.json["issue"][0]["diagnostics"]


async def test_deleted_and_changed_records_are_not_found_by_what_they_were(clinic: Clinic) -> None:
    await clinic.ask("DELETE", "Observation/ada-pulse")
    await clinic.put(observation("ada-pulse-2", "ada", 10, "2020-01-01"))
    assert found(await clinic.ask("GET", "Observation?patient=ada&date=ge2026")) == []
    assert found(await clinic.ask("GET", "Observation?patient=ada&value-quantity=10")) == ["ada-pulse-2"]


async def test_the_cursor_of_another_person_shows_nothing_more(clinic: Clinic) -> None:
    first = await clinic.ask("GET", "Observation?_count=1", who="engine")
    path = next_link(first)
    assert path is not None
    taken = await clinic.ask("GET", path, who="emergency")
    assert taken.status == 400 or found(taken) == []


@pytest.mark.parametrize("who", ["administrator", "auditor", "app"])
async def test_who_may_not_search_is_told_and_recorded(clinic: Clinic, who: str) -> None:
    answer = await clinic.ask("GET", "Patient?family=moreau", who=who)
    assert answer.status == 403
    assert answer.entry is not None
    assert (answer.entry.outcome, answer.entry.agent.role) == ("denied", clinic.accounts[who].kind)


async def test_a_search_stores_nothing(clinic: Clinic) -> None:
    before = await records_kept(clinic.system.database)
    await clinic.ask("POST", "Observation/_search", b"patient=ada", headers=FORM)
    assert await records_kept(clinic.system.database) == before


async def test_strings_are_found_whatever_their_case_and_accents(clinic: Clinic) -> None:
    zoe: Json = {"resourceType": "Patient", "id": "zoe", "name": [{"family": "Nuñez-Øster", "given": ["Zoë"]}]}
    await clinic.put(zoe)
    for query in ("family=nunez", "given=ZOE", "name=nuñez", "family:exact=Nuñez-Øster", "family:contains=unez"):
        assert found(await clinic.ask("GET", f"Patient?{query}")) == ["zoe"], query
    assert found(await clinic.ask("GET", "Patient?family:exact=nunez-oster")) == []
