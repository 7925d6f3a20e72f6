"""History of a record, of a type and of everything: each version decided by itself, deletions among them."""

from collections.abc import Sequence
from urllib.parse import urlsplit

import pytest

from carekeep.audit import What
from tests.web.clinic import MINUTE_MS, Answer, Clinic, Json, observation, on_sqlite

HOUR_MS = 60 * MINUTE_MS


def versions(answer: Answer) -> list[tuple[str, str]]:
    """(what, how) of each entry: ``("Observation/x/1", "PUT")``."""
    assert answer.status == 200, answer.body
    assert answer.json["type"] == "history"
    found = []
    for entry in answer.json.get("entry", ()):
        etag = entry["response"]["etag"].removeprefix('W/"').rstrip('"')
        reference = entry["fullUrl"].removeprefix("https://records.example.org/fhir/")
        found.append((f"{reference}/{etag}", entry["request"]["method"]))
    return found


def next_link(answer: Answer) -> str | None:
    links = {link["relation"]: link["url"] for link in answer.json["link"]}
    if "next" not in links:
        return None
    parts = urlsplit(links["next"])
    return f"{parts.path}?{parts.query}"


async def all_pages(clinic: Clinic, path: str, who: str) -> list[list[tuple[str, str]]]:
    pages = []
    following: str | None = path
    while following is not None:
        answer = await clinic.ask("GET", following, who=who)
        pages.append(versions(answer))
        following = next_link(answer)
    return pages


async def change(clinic: Clinic, steps: Sequence[tuple[str, float]], pace_ms: int = HOUR_MS) -> None:
    """Changes of ada's pulse, one after the other from NOON on."""
    for day, value in steps:
        clinic.time.now_ms += pace_ms
        await clinic.put(observation("ada-pulse", "ada", value, day))


async def test_history_of_a_type_is_newest_first_with_deletions(clinic: Clinic) -> None:
    await change(clinic, [("2026-03-01", 73)])
    clinic.time.now_ms += HOUR_MS
    await clinic.ask("DELETE", "Observation/ada-pulse-2")
    answer = await clinic.ask("GET", "Observation/_history", who="physician")
    assert versions(answer) == [
        ("Observation/ada-pulse-2/2", "DELETE"),
        ("Observation/ada-pulse/2", "PUT"),
        ("Observation/ada-pulse-2/1", "POST"),
        ("Observation/ada-pulse/1", "POST"),
    ]
    assert "resource" not in answer.json["entry"][0]
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.query) == ("fhir:record:history", "Observation/_history")
    assert answer.entry.patients == ("ada",)
    assert answer.entry.what == (
        What("Observation/ada-pulse-2", 2),
        What("Observation/ada-pulse", 2),
        What("Observation/ada-pulse-2", 1),
        What("Observation/ada-pulse", 1),
    )


async def test_history_of_everything_is_what_one_may_see(clinic: Clinic) -> None:
    everything = versions(await clinic.ask("GET", "_history"))
    assert len(everything) == 11
    bob = [what for what, _ in versions(await clinic.ask("GET", "_history", who="bob"))]
    assert bob == [
        "Condition/bob-asthma/1",
        "Observation/bob-pulse-2/1",
        "Observation/bob-pulse/1",
        "Patient/bob/1",
        "Practitioner/emergency/1",
        "Practitioner/physician/1",
    ]
    physician = [what for what, _ in versions(await clinic.ask("GET", "_history", who="physician"))]
    assert not [what for what in physician if "bob" in what]
    assert "CareTeam/ada-team/1" in physician
    denied = await clinic.ask("GET", "_history", who="auditor")
    assert denied.status == 403
    assert denied.entry is not None
    assert denied.entry.outcome == "denied"


@pytest.mark.parametrize("who", ["engine", "physician"])
async def test_pages_neither_skip_nor_repeat_while_others_write(clinic: Clinic, who: str) -> None:
    await change(clinic, [("2026-03-01", value) for value in range(60, 70)], MINUTE_MS)
    whole = [each for page in await all_pages(clinic, "Observation/_history?_count=500", who) for each in page]
    first = await clinic.ask("GET", "Observation/_history?_count=3", who=who)
    seen = versions(first)
    following = next_link(first)
    while following is not None:
        await change(clinic, [("2026-03-01", 99)], MINUTE_MS)
        answer = await clinic.ask("GET", following, who=who)
        assert len(versions(answer)) <= 3
        seen += versions(answer)
        following = next_link(answer)
    assert seen == whole


async def test_the_next_link_serves_its_holder_only(clinic: Clinic) -> None:
    link = next_link(await clinic.ask("GET", "Observation/_history?_count=1", who="physician"))
    assert link is not None
    for path, who in (
        (link, "emergency"),
        (link.replace("Observation", "Condition"), "physician"),
        (link[:-2], "physician"),
    ):
        answer = await clinic.ask("GET", path, who=who)
        assert (answer.status, answer.json["issue"][0]["expression"]) == (400, ["http._cursor"])


async def test_since(clinic: Clinic) -> None:
    await change(clinic, [("2026-03-01", 73), ("2026-03-01", 74)])
    for path in ("Observation/ada-pulse/_history", "Observation/_history", "_history"):
        answer = await clinic.ask("GET", f"{path}?_since=2026-11-05T13:30:00Z", who="physician")
        assert versions(answer) == [("Observation/ada-pulse/3", "PUT")]
        assert "_since=2026-11-05T13%3A30%3A00Z" in answer.json["link"][0]["url"]
        assert versions(await clinic.ask("GET", f"{path}?_since=2026-11-06", who="physician")) == []


async def test_what_was_current_at_a_time(clinic: Clinic) -> None:
    await change(clinic, [("2026-03-01", 73), ("2026-03-01", 74)])  # at 13:00 and at 14:00
    clinic.time.now_ms += HOUR_MS
    await clinic.ask("DELETE", "Observation/ada-pulse")  # at 15:00
    expected = {
        "2026-11-05T12:30:00Z": [("Observation/ada-pulse/1", "POST")],
        "2026-11-05T13:30:00Z": [("Observation/ada-pulse/2", "PUT")],
        "2026-11-05T13:00:00.000Z": [("Observation/ada-pulse/2", "PUT"), ("Observation/ada-pulse/1", "POST")],
        "2026-11-05T14:30:00Z": [("Observation/ada-pulse/3", "PUT")],
        "2026-11-05T16:00:00Z": [],
        "2026-11-04": [],
        "2026-11-05": [
            ("Observation/ada-pulse/4", "DELETE"),
            ("Observation/ada-pulse/3", "PUT"),
            ("Observation/ada-pulse/2", "PUT"),
            ("Observation/ada-pulse/1", "POST"),
        ],
    }
    for at, wanted in expected.items():
        for path in ("Observation/ada-pulse/_history", "Observation/_history"):
            answer = await clinic.ask("GET", f"{path}?_at={at}", who="physician")
            found = [each for each in versions(answer) if each[0].startswith("Observation/ada-pulse/")]
            assert found == wanted, (at, path)


async def test_each_version_is_decided_by_itself(clinic: Clinic) -> None:
    await clinic.put(observation("ada-pulse", "bob", 99, "2026-04-01"))
    moved, kept = ("Observation/ada-pulse/2", "PUT"), ("Observation/ada-pulse/1", "POST")
    assert versions(await clinic.ask("GET", "Observation/ada-pulse/_history", who="bob")) == [moved]
    assert versions(await clinic.ask("GET", "Observation/ada-pulse/_history", who="ada")) == [kept]
    assert versions(await clinic.ask("GET", "Observation/ada-pulse/_history")) == [moved, kept]
    assert moved in versions(await clinic.ask("GET", "Observation/_history", who="bob"))
    assert moved not in versions(await clinic.ask("GET", "Observation/_history", who="ada"))
    assert kept in versions(await clinic.ask("GET", "Observation/_history", who="ada"))


async def test_the_history_of_what_one_may_not_see_is_denied(clinic: Clinic) -> None:
    for path in ("Observation/bob-pulse/_history", "Observation/bob-pulse/_history?_since=2030-01-01"):
        answer = await clinic.ask("GET", path, who="physician")
        assert answer.status == 403
        assert answer.entry is not None
        assert (answer.entry.outcome, answer.entry.patients) == ("denied", ("bob",))


async def test_a_record_of_many_versions_comes_in_pages(clinic: Clinic) -> None:
    await change(clinic, [("2026-03-01", value) for value in range(60, 67)])
    pages = await all_pages(clinic, "Observation/ada-pulse/_history?_count=3", "physician")
    assert [len(page) for page in pages] == [3, 3, 2]
    numbers = [int(what.rpartition("/")[2]) for page in pages for what, _ in page]
    assert numbers == [8, 7, 6, 5, 4, 3, 2, 1]


async def test_forgotten_patients_have_no_history(clinic: Clinic) -> None:
    await clinic.record("bob is forgotten", await clinic.system.services.vault.prepare_forget("bob"))
    clinic.system.services.generations.changed("keys")
    assert not [what for what, _ in versions(await clinic.ask("GET", "_history")) if "bob" in what]


@on_sqlite
@pytest.mark.parametrize("place", ["Observation/ada-pulse/", "Observation/", ""])
@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("_count=x", "_count"),
        ("_count=-1", "_count"),
        ("_since=yesterday", "_since"),
        ("_since=2026-13-01", "_since"),
        ("_at=2026-02-30T10:00:00Z", "_at"),
        ("_at=", "_at"),
        ("_since=2026&_since=2027", "_since"),
        ("_cursor=x", "_cursor"),
        ("_before=x", "_before"),
        ("_sort=_lastUpdated", "_sort"),
        ("family=Moreau", "family"),
    ],
)
async def test_odd_parameters_are_refused_by_name(clinic: Clinic, place: str, query: str, name: str) -> None:
    answer = await clinic.ask("GET", f"{place}_history?{query}")
    assert (answer.status, answer.json["issue"][0]["expression"]) == (400, [f"http.{name}"])


@on_sqlite
async def test_other_ways_are_refused(clinic: Clinic) -> None:
    assert (await clinic.ask("POST", "Observation/_history")).status == 405
    assert (await clinic.ask("GET", "Vibration/_history")).status == 404
    assert (await clinic.ask("GET", "Observation/a/b/_history")).status == 404
    assert (await clinic.ask("GET", "Observation/nothing/_history")).status == 404
    assert (await clinic.ask("GET", "Observation/_history", headers={"accept": "text/html"})).status == 406


@on_sqlite
async def test_the_statement_says_so(clinic: Clinic) -> None:
    rest: Json = (await clinic.ask("GET", "metadata", who=None)).json["rest"][0]
    assert {"code": "history-system"} in rest["interaction"]
    kept = [each for each in rest["resource"] if each["type"] != "AuditEvent"]  # entries have no versions
    assert all({"code": "history-type"} in each["interaction"] for each in kept)
