"""The whole search, encrypted and over HTTP, against a plain evaluation in memory; and what sight has to do with it.

The engine sees everything, so its answers are those of the model. The physician sees the panel: the model is given only
what the physician may read, so that anything else must be as if it were not there, whatever way a question asks for it.
"""

from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from carekeep.fhir import RESOURCE_TYPES, patient_compartment, patients_of
from tests.web.clinic import MINUTE_MS, Clinic, care_team
from tests.web.search_model import Json, answer
from tests.web.search_questions import TYPES, charts, pair, questions

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def fill(clinic: Clinic) -> dict[str, Json]:
    """Records at several times, some changed, some moved to another patient, some deleted; what is there in the end."""
    resources = charts(4)
    for start in range(0, len(resources), 50):
        draft = clinic.system.services.vault.draft()
        for resource in resources[start : start + 50]:
            await draft.create(dict(resource), resource["id"])
        await clinic.record("records were brought along", draft.prepared())
        clinic.time.now_ms += 17 * MINUTE_MS
    clinic.time.now_ms -= 40 * MINUTE_MS  # clocks are put right
    patients = [each["id"] for each in resources if each["resourceType"] == "Patient"]
    conditions = [each for each in resources if each["resourceType"] == "Condition"]
    await clinic.put({**conditions[0], "subject": {"reference": f"Patient/{patients[1]}"}})
    await clinic.put({**conditions[1], "code": {"text": "Something else"}})
    for patient in patients[:2]:
        await clinic.put(care_team(patient))
    for gone in ("Organization/whole", f"Condition/{conditions[2]['id']}"):
        assert (await clinic.ask("DELETE", gone)).status == 204
    return await seen_by(clinic, "engine")


async def seen_by(clinic: Clinic, who: str) -> dict[str, Json]:
    """Everything that a person may read, asked for one by one and not by search."""
    engine = await clinic.ask("GET", "?_count=1000", who="engine")
    assert not [link for link in engine.json["link"] if link["relation"] == "next"]
    references = [f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in engine.json["entry"]]
    answers = {reference: await clinic.ask("GET", reference, who=who) for reference in references}
    return {reference: each.json for reference, each in answers.items() if each.status == 200}


async def ask(clinic: Clinic, who: str, type_: str, pairs: list[tuple[str, str]], *, posted: bool) -> set[str]:
    """The references of all matches; none where the person is refused for the patients that are named."""
    asked = [*pairs, ("_count", "1000")]
    if posted:
        found = await clinic.ask("POST", f"{type_}/_search", urlencode(asked).encode(), who=who, headers=FORM)
    else:
        found = await clinic.ask("GET", f"{type_}?{urlencode(asked)}", who=who)
    if found.status == 403:
        assert who != "engine"
        return set()
    assert found.status == 200, (pairs, found.said)
    references = [f"{each['resource']['resourceType']}/{each['resource']['id']}" for each in entries_of(found.json)]
    assert found.json["total"] == len(references) == len(set(references))
    return set(references)


def entries_of(bundle: Json) -> list[Json]:
    entries: list[Json] = bundle.get("entry", [])
    return entries


@pytest.fixture
async def stores(clinic: Clinic) -> dict[str, dict[str, Json]]:
    """What there is, by who sees it."""
    everything = await fill(clinic)
    own = await seen_by(clinic, "physician")
    assert {"Patient", "Observation", "Organization"} <= {each["resourceType"] for each in own.values()}
    assert len(own) < len(everything) - 50
    return {"engine": everything, "physician": own}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=3 * settings().max_examples)
@given(data=st.data())
async def test_search_is_what_the_model_says(
    clinic: Clinic, stores: dict[str, dict[str, Json]], data: st.DataObject
) -> None:
    type_, pairs = data.draw(questions(stores["engine"]))
    now = datetime.fromtimestamp(clinic.time() / 1000, UTC)
    for who, store in stores.items():
        expected = answer(store, type_, pairs, now)
        event(f"{who}: {'some' if expected else 'none'}")
        assert await ask(clinic, who, type_, pairs, posted=data.draw(st.booleans())) == expected


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(data=st.data())
async def test_pages_in_order_join_to_the_model(
    clinic: Clinic, stores: dict[str, dict[str, Json]], data: st.DataObject
) -> None:
    who = data.draw(st.sampled_from(sorted(stores)))
    types = data.draw(st.lists(st.sampled_from(TYPES), unique=True, min_size=1, max_size=3))
    since = data.draw(st.sampled_from([each["meta"]["lastUpdated"] for each in stores["engine"].values()]))
    updated = ("_lastUpdated", data.draw(st.sampled_from(["ge", "gt", "sa", "lt", "le"])) + since)
    now = datetime.fromtimestamp(clinic.time() / 1000, UTC)
    expected = set().union(*(answer(stores[who], type_, [updated], now) for type_ in types))
    sort = data.draw(st.sampled_from(["", "_lastUpdated", "-_lastUpdated,_id", "-_id"]))
    asked = [("_type", ",".join(types)), updated, ("_count", str(data.draw(st.integers(3, 40))))]
    url = f"?{urlencode([*asked, ('_sort', sort)] if sort else asked)}"
    found: list[Json] = []
    while url:
        page = (await clinic.ask("GET", url, who=who)).json
        event("a page")
        found += [each["resource"] for each in entries_of(page)]
        links = {link["relation"]: link["url"] for link in page["link"]}
        url = links.get("next", "").removeprefix("https://records.example.org")
    references = [f"{each['resourceType']}/{each['id']}" for each in found]
    assert len(references) == len(set(references))
    assert set(references) == expected
    keys = [each["id"] if sort == "-_id" else each["meta"]["lastUpdated"] for each in found]
    if sort:
        assert keys == sorted(keys, reverse=sort.startswith("-"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(data=st.data())
async def test_compartments_hold_what_the_model_says(
    clinic: Clinic, stores: dict[str, dict[str, Json]], data: st.DataObject
) -> None:
    patient = data.draw(st.sampled_from([each for each in stores["engine"] if each.startswith("Patient/")]))
    inside = {r: each for r, each in stores["engine"].items() if patient.partition("/")[2] in patients_of(each)}
    type_ = data.draw(
        st.sampled_from([each for each in TYPES if each == "Patient" or patient_compartment(each)] + ["*"])
    )
    pairs = []
    if type_ in {each["resourceType"] for each in inside.values()} and data.draw(st.booleans()):
        pairs = [data.draw(pair(inside, type_, 2))]
    types = RESOURCE_TYPES if type_ == "*" else [type_]
    now = datetime.fromtimestamp(clinic.time() / 1000, UTC)
    expected = set().union(*(answer(inside, each, pairs, now) for each in types))
    assert await ask(clinic, "engine", f"{patient}/{type_}", pairs, posted=data.draw(st.booleans())) == expected
