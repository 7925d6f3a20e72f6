"""Totals, summaries, elements, order, pages and their links; POST; searches of several types and of compartments."""

from urllib.parse import urlencode

import pytest

from tests.web.clinic import Answer, Clinic, Json, observation, on_sqlite, records_kept

BASE = "https://records.example.org"
FORM = {"content-type": "application/x-www-form-urlencoded"}
SUBSETTED = "SUBSETTED"


def found(answer: Answer) -> list[str]:
    assert answer.status == 200, answer.body
    return [entry["resource"]["id"] for entry in answer.json.get("entry", [])]


def link(answer: Answer, relation: str) -> str | None:
    links = {each["relation"]: each["url"] for each in answer.json["link"]}
    assert len(links) == len(answer.json["link"])
    return links.get(relation)


async def follow(clinic: Clinic, answer: Answer, relation: str = "next", who: str = "physician") -> Answer:
    url = link(answer, relation)
    assert url is not None
    return await clinic.ask("GET", url.removeprefix(BASE), who=who)


def form(**pairs: str) -> bytes:
    return urlencode(pairs).encode()


# ---- totals


@pytest.mark.parametrize(
    ("query", "total"),
    [
        ("", 2),  # the whole answer is there
        ("_count=1", None),
        ("_count=1&_total=none", None),
        ("_total=none", None),
        ("_count=1&_total=accurate", 2),
        ("_count=1&_total=estimate", 2),
        ("_count=0", 2),
        ("_summary=count", 2),
        ("_count=1&_sort=date&_total=accurate", 2),
    ],
)
@on_sqlite
async def test_totals(clinic: Clinic, query: str, total: int | None) -> None:
    answer = await clinic.ask("GET", f"Observation?{query}", who="physician")
    assert answer.json.get("total") == total
    assert len(found(answer)) == (0 if query in {"_count=0", "_summary=count"} else 1 if "_count" in query else 2)


# ---- parts of resources

RICH: Json = {
    **observation("rich", "ada", 61, "2026-05-01"),
    "text": {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Sixty-one</div>'},
    "meta": {"tag": [{"system": "urn:t", "code": "mine"}]},
    "note": [{"text": "after exercise"}],
    "interpretation": [{"text": "normal"}],
    "_effectiveDateTime": {"id": "e"},
    "component": [
        {
            "id": "c",
            "code": {"text": "part"},
            "valueQuantity": {"value": 1.10, "unit": "x"},
            "interpretation": [{"text": "normal"}],
            "referenceRange": [{"text": "usual"}],
        }
    ],
}


@pytest.mark.parametrize(
    ("query", "members"),
    [
        ("_summary=true", {"status", "code", "subject", "effectiveDateTime", "_effectiveDateTime", "valueQuantity",
                           "component"}),
        ("_summary=text", {"text", "status", "code"}),
        ("_summary=data", {*RICH} - {"resourceType", "id", "meta", "text"}),
        ("_elements=value", {"status", "code", "valueQuantity"}),
        ("_elements=effective,note", {"status", "code", "note", "effectiveDateTime", "_effectiveDateTime"}),
        ("_elements=nothing", {"status", "code"}),
    ],
)  # fmt: skip
@on_sqlite
async def test_parts_of_resources_are_marked(clinic: Clinic, query: str, members: set[str]) -> None:
    await clinic.put(RICH)
    answer = await clinic.ask("GET", f"Observation?_id=rich&{query}", who="physician")
    (entry,) = answer.json["entry"]
    resource = entry["resource"]
    assert {*resource} == members | {"resourceType", "id", "meta"}
    assert [tag["code"] for tag in resource["meta"]["tag"]] == ["mine", SUBSETTED]
    assert resource["meta"]["versionId"] == "1"
    if query == "_summary=true":
        assert resource["component"] == [
            {"id": "c", "code": {"text": "part"}, "valueQuantity": {"value": 1.1, "unit": "x"}}
        ]
        assert b"1.10" in answer.body or b"1.1" in answer.body
    whole = await clinic.ask("GET", "Observation?_id=rich&_summary=false", who="physician")
    assert [tag["code"] for tag in whole.json["entry"][0]["resource"]["meta"]["tag"]] == ["mine"]


@on_sqlite
async def test_a_summary_holds_for_what_comes_along_and_elements_do_not(clinic: Clinic) -> None:
    await clinic.put(RICH)
    short = await clinic.ask("GET", "Observation?_id=rich&_summary=true&_include=Observation:patient", who="physician")
    assert [SUBSETTED in str(entry["resource"]["meta"]) for entry in short.json["entry"]] == [True, True]
    some = await clinic.ask("GET", "Observation?_id=rich&_elements=note&_include=Observation:patient", who="physician")
    assert [SUBSETTED in str(entry["resource"]["meta"]) for entry in some.json["entry"]] == [True, False]


# ---- pages


async def add(clinic: Clinic, *days: int) -> None:
    for day in days:
        assert (await clinic.put(observation(f"d{day:02}", "ada", day, f"2026-06-{day:02}"))).status == 201


@pytest.mark.parametrize("sort", ["date", "-date", "value-quantity", "-value-quantity,_id", "code,-date", ""])
async def test_pages_survive_writes(clinic: Clinic, sort: str) -> None:
    await add(clinic, *range(1, 11))
    query = f"Observation?patient=ada&date=ge2026-06&_count=4&_sort={sort}".removesuffix("&_sort=")
    pages = [await clinic.ask("GET", query, who="physician")]
    await add(clinic, 11, 12, 13)
    await clinic.ask("DELETE", f"Observation/{found(pages[0])[-1]}")
    while link(pages[-1], "next") is not None:
        pages.append(await follow(clinic, pages[-1]))
        await clinic.ask("DELETE", f"Observation/{found(pages[-1])[0]}")
    ids = [id_ for page in pages for id_ in found(page)]
    assert len(ids) == len(set(ids))
    assert {f"d{day:02}" for day in range(1, 11)} <= set(ids)
    if sort in {"date", "value-quantity"}:
        assert ids == sorted(ids)


@on_sqlite
async def test_links_of_pages(clinic: Clinic) -> None:
    await add(clinic, 1, 2, 3)
    first = await clinic.ask("GET", "Observation?patient=ada&_count=2&_sort=-date", who="physician")
    assert link(first, "self") == f"{BASE}/fhir/Observation?patient=ada&_count=2&_sort=-date"
    assert link(first, "first") == link(first, "self")
    second = await follow(clinic, first)
    assert found(await follow(clinic, second, "self")) == found(second)
    assert found(await follow(clinic, second, "first")) == found(first)
    whole = await clinic.ask("GET", "Observation?patient=ada", who="physician")
    assert [each["relation"] for each in whole.json["link"]] == ["self"]


@on_sqlite
async def test_links_serve_one_account_one_place_and_no_forger(clinic: Clinic) -> None:
    page = await clinic.ask("GET", "Observation?_count=1", who="physician")
    url = (link(page, "next") or "").removeprefix(BASE)
    assert (await clinic.ask("GET", url, who="physician")).status == 200
    changed = url[:-6] + ("AAAAAA" if not url.endswith("AAAAAA") else "BBBBBB")
    refusals = [
        await clinic.ask("GET", url, who="engine"),
        await clinic.ask("GET", url.replace("Observation", "Condition"), who="physician"),
        await clinic.ask("GET", changed, who="physician"),
        await clinic.ask("GET", f"{url}&code=1", who="physician"),
        await clinic.ask("GET", f"{url}&_cursor=x", who="physician"),
        await clinic.ask("GET", "Observation?_cursor=" + "é", who="physician"),
    ]
    assert [each.status for each in refusals] == [400] * len(refusals)
    assert (await clinic.ask("GET", f"{url}&_format=json", who="physician")).status == 200


@on_sqlite
async def test_a_page_is_decided_anew(clinic: Clinic) -> None:
    page = await clinic.ask("GET", "Observation?patient=ada&_count=1", who="physician")
    assert (await clinic.ask("DELETE", "CareTeam/ada-team")).status == 204
    assert (await follow(clinic, page)).status == 403


# ---- POST


@pytest.mark.parametrize(
    ("place", "pairs"),
    [
        ("Observation", {"patient": "ada", "code": "8867-4", "_count": "1"}),
        ("Observation", {"patient.family": "Moreau", "_count": "1", "_sort": "date"}),
        ("", {"_type": "Observation", "_lastUpdated": "ge2020", "_count": "1"}),
        ("Patient/ada/Observation", {"code": "8867-4", "_count": "1"}),
    ],
)
@on_sqlite
async def test_what_is_posted_is_in_no_link(clinic: Clinic, place: str, pairs: dict[str, str]) -> None:
    path = f"{place}/_search".removeprefix("/")
    first = await clinic.ask("POST", path, form(**pairs), who="physician", headers=FORM)
    pages = [first, await follow(clinic, first)]
    assert sorted(found(pages[0]) + found(pages[1])) == ["ada-pulse", "ada-pulse-2"]
    for page in pages:
        urls = [each["url"].removeprefix(f"{BASE}/fhir/{place}".rstrip("/")) for each in page.json["link"]]
        assert all(url.startswith("?_cursor=") for url in urls)
        assert not any(word in url for url in urls for word in ("Moreau", "8867", "ada", "code", "patient"))
        assert found(await follow(clinic, page, "self")) == found(page)
        assert found(await follow(clinic, page, "first")) == found(first)
    assert link(pages[1], "next") is None


# ---- several types


@pytest.mark.parametrize(
    ("query", "types"),
    [
        ("_type=Patient", {"Patient": 1}),
        ("_type=Patient,Observation", {"Patient": 1, "Observation": 2}),
        ("_type=Patient,Condition&_id=ada", {"Patient": 1}),
        ("_type=Patient,Practitioner&_sort=-_lastUpdated", {"Patient": 1, "Practitioner": 2}),
        ("_type=Patient,Practitioner&family=okafor", {"Practitioner": 1}),
        ("_type=Observation,Condition&patient=ada&_lastUpdated=ge2026-11-05", {"Observation": 2, "Condition": 1}),
        ("_type=Observation&_lastUpdated=gt2026-11-06", {}),
        ("_type=Observation,Condition&patient.family=moreau", {"Observation": 2, "Condition": 1}),
        ("_lastUpdated=ge2026", {"Patient": 1, "Observation": 2, "Condition": 1, "CareTeam": 1, "Practitioner": 2}),
        ("", {"Patient": 1, "Observation": 2, "Condition": 1, "CareTeam": 1, "Practitioner": 2}),
        ("_id=ada,bob,physician", {"Patient": 1, "Practitioner": 1}),
    ],
)
async def test_several_types_at_once(clinic: Clinic, query: str, types: dict[str, int]) -> None:
    for answer in (
        await clinic.ask("GET", f"?{query}", who="physician"),
        await clinic.ask("POST", "_search", query.encode(), who="physician", headers=FORM),
    ):
        assert answer.status == 200, answer.body
        counted: dict[str, int] = {}
        for entry in answer.json.get("entry", []):
            counted[entry["resource"]["resourceType"]] = counted.get(entry["resource"]["resourceType"], 0) + 1
        assert counted == types
        assert answer.json["total"] == sum(types.values())


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("_type=Vibration", "value"),
        ("_type=Patient&_type=Observation", "invalid"),
        ("_type=Patient,Observation&family=x", "not-supported"),
        ("family=x", "not-supported"),
        ("_has:Observation:patient:code=1", "not-supported"),
        ("_type=Observation,Patient&_sort=date", "value"),
        ("_type=Observation,Condition&_sort=code", None),
        ("_type=Encounter,Measure&_sort=date", None),
        ("_type=Patient,Observation&_include=Condition:patient", "value"),
    ],
)
@on_sqlite
async def test_several_types_that_have_nothing_in_common(clinic: Clinic, query: str, code: str | None) -> None:
    answer = await clinic.ask("GET", f"?{query}", who="engine")
    assert answer.status == (200 if code is None else 400)
    if code is not None:
        assert answer.json["issue"][0]["code"] == code, answer.body


@on_sqlite
async def test_whoever_may_search_nothing_searches_nothing(clinic: Clinic) -> None:
    before = await records_kept(clinic.system.services.database)
    for who in ("auditor", "administrator", "app"):
        assert (await clinic.ask("GET", "?_lastUpdated=ge2020", who=who)).status == 403
    assert await records_kept(clinic.system.services.database) == before


# ---- compartments


async def both(clinic: Clinic) -> None:
    """An appointment of bob and ada, in that order."""
    people = [{"actor": {"reference": f"Patient/{name}"}, "status": "accepted"} for name in ("bob", "ada")]
    meeting = {"resourceType": "Appointment", "id": "both", "status": "proposed", "participant": people}
    assert (await clinic.put(meeting)).status == 201


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        ("Patient/ada/Observation", {"ada-pulse", "ada-pulse-2"}),
        ("Patient/ada/Observation?date=ge2026-03-15", {"ada-pulse-2"}),
        ("Patient/ada/Condition?code:text=asthma", {"ada-asthma"}),
        ("Patient/ada/Appointment", {"both"}),
        ("Patient/ada/Patient", {"ada"}),
        ("Patient/ada/*", {"ada", "ada-pulse", "ada-pulse-2", "ada-asthma", "ada-team", "both"}),
        ("Patient/ada/*?_type=Condition,CareTeam", {"ada-asthma", "ada-team"}),
        ("Patient/ada/*?_lastUpdated=lt2020", set()),
    ],
)
async def test_a_patients_compartment(clinic: Clinic, path: str, ids: set[str]) -> None:
    await both(clinic)
    for who in ("engine", "physician", "ada"):
        answer = await clinic.ask("GET", path, who=who)
        assert set(found(answer)) == ids, who
        assert len(found(answer)) == len(ids)


@pytest.mark.parametrize("who", ["physician", "ada"])
async def test_a_record_of_two_patients_is_found_by_either(clinic: Clinic, who: str) -> None:
    await both(clinic)
    for query in ("Appointment", "Appointment?actor=Patient/ada", "Appointment?status=proposed", "?_type=Appointment"):
        assert found(await clinic.ask("GET", query, who=who)) == ["both"], query
    alone = {"resourceType": "Appointment", "id": "both", "status": "proposed", "participant": [
        {"actor": {"reference": "Patient/bob"}, "status": "accepted"}]}  # fmt: skip
    assert (await clinic.put(alone)).status == 200
    assert found(await clinic.ask("GET", "Appointment", who=who)) == []


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("Patient/bob/Observation", 403, "forbidden"),
        ("Patient/bob/*", 403, "forbidden"),
        ("Patient/ada/Organization", 400, "not-supported"),
        ("Patient/ada/Vibration", 404, "not-supported"),
        ("Practitioner/physician/Observation", 400, "not-supported"),
        ("Encounter/x/Observation", 400, "not-supported"),
        ("Patient/ada/Observation/x/y", 404, "not-found"),
        ("Patient/ada/*?_type=Organization", 400, "value"),
    ],
)
@on_sqlite
async def test_what_is_no_compartment_in_sight(clinic: Clinic, path: str, status: int, code: str) -> None:
    answer = await clinic.ask("GET", path, who="physician")
    assert (answer.status, answer.json["issue"][0]["code"]) == (status, code)


@on_sqlite
async def test_a_lenient_search_says_what_it_passed_over(clinic: Clinic) -> None:
    asked = "Observation?patient=ada&colour=blue"
    answer = await clinic.ask("GET", asked, who="physician", headers={"prefer": "handling=lenient"})
    assert answer.json["total"] == 2
    remark = answer.json["entry"][-1]
    assert remark["search"]["mode"] == "outcome"
    assert "1" in remark["resource"]["issue"][0]["diagnostics"]
    assert "colour" not in answer.body.decode()
