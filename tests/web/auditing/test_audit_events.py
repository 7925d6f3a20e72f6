"""AuditEvents over REST: decided like all else, each reading an entry itself, and nothing of others."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from carekeep.access import Purpose
from carekeep.audit import Agent, Entry, EntryIndexer, What
from carekeep.fhir import validate
from carekeep.storage import StorageError
from carekeep.web.fhir.auditing import searching
from tests.audit.views.balp import BY_NAME, claimed
from tests.web.clinic import NOON, Answer, Clinic, on_sqlite

MINUTE_MS = 60_000
DISCLOSURES = "fhir:patient:disclosures"


def events_of(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    return [entry["resource"] for entry in answer.json.get("entry", [])]


def link(answer: Answer, relation: str) -> str | None:
    return next((each["url"] for each in answer.json["link"] if each["relation"] == relation), None)


async def pages(clinic: Clinic, path: str, who: str) -> list[list[dict[str, Any]]]:
    found = []
    following: str | None = path
    while following is not None:
        answer = await clinic.ask("GET", following.removeprefix("https://records.example.org/fhir/"), who=who)
        found.append(events_of(answer))
        following = link(answer, "next")
    return found


async def note_all(clinic: Clinic) -> None:
    await clinic.integrate()
    services = clinic.system.services
    indexer = EntryIndexer(services.database, services.ledger, clinic.system.keyring.index)
    while await indexer.step():
        pass


async def add(clinic: Clinic, *patients: str, minutes: int = 1, **changes: Any) -> str:
    """An entry as something of ours would have recorded it, so many minutes after noon; its id."""
    clinic.time.now_ms = max(clinic.time.now_ms, NOON + minutes * MINUTE_MS)
    facts: dict[str, Any] = {
        "action": "fhir:record:read",
        "agent": Agent("a" * 32, "practitioner", "Practitioner/physician", "s1", "d1", "192.0.2.7"),
        "purpose": Purpose.TREAT.value,
        "outcome": "permitted",
        "what": (What("Observation/ada-pulse", 1),),
        "request_id": "added",
        "at_ms": NOON + minutes * MINUTE_MS,
    }
    return (await clinic.system.services.ledger.record(Entry(patients=patients, **(facts | changes)))).hex()


async def test_a_patient_sees_an_access_at_once_and_after_it_was_noted(clinic: Clinic) -> None:
    read = await clinic.ask("GET", "Observation/ada-pulse", who="physician")
    name = read.headers["x-ledger-entry"]
    for _ in range(2):
        answer = await clinic.ask("GET", "AuditEvent?subtype=read&_count=1", who="ada")
        (event,) = events_of(answer)
        assert (event["id"], event["agent"][2]["who"]["reference"]) == (name, "Practitioner/physician")
        assert answer.entry is not None
        assert (answer.entry.action, answer.entry.outcome, answer.entry.patients) == (
            DISCLOSURES,
            "permitted",
            ("ada",),
        )
        assert answer.entry.what == (What(f"AuditEvent/{name}"),)
        alone = await clinic.ask("GET", f"AuditEvent/{name}", who="ada")
        assert alone.json == event
        await note_all(clinic)


@on_sqlite
async def test_events_are_valid_and_of_the_profiles_that_they_name(clinic: Clinic) -> None:
    await clinic.ask("GET", "Observation/ada-pulse", who="physician")
    await clinic.ask("GET", "Observation?patient=Patient/ada", who="physician")
    await clinic.ask("DELETE", "Observation/ada-pulse")
    named = set()
    for page in await pages(clinic, "AuditEvent?_count=7", "auditor"):
        for event in page:
            assert validate(event) == ()
            if (profile := claimed(event)) is not None:
                assert BY_NAME[profile].breaches(event) == []
                named.add(profile)
    assert {"PatientRead", "PatientQuery", "PatientUpdate", "PatientDelete"} <= named
    bundle = (await clinic.ask("GET", "AuditEvent?_count=5", who="auditor")).json
    assert validate(bundle) == ()


@on_sqlite
async def test_the_same_request_twice_gives_two_events_that_share_nothing_but_content(clinic: Clinic) -> None:
    for _ in range(2):
        await clinic.ask("GET", "Observation/ada-pulse", who="physician", headers={"x-request-id": "visit-7"})
    one, other = events_of(await clinic.ask("GET", "AuditEvent?subtype=read&patient=ada", who="auditor"))
    assert one.pop("id") != other.pop("id")
    assert one == other


# Who asks, what, and how it ends.
REFUSED = {
    "another patient's": ("bob", "AuditEvent?patient=Patient/ada"),
    "another patient's compartment": ("bob", "Patient/ada/AuditEvent"),
    "a practitioner": ("physician", "AuditEvent?patient=Patient/ada"),
    "a practitioner of everything": ("physician", "AuditEvent"),
    "an administrator": ("administrator", "AuditEvent"),
    "the engine": ("engine", "AuditEvent?patient=Patient/ada"),
    "an app": ("app", "AuditEvent"),
}


@on_sqlite
async def test_who_may_not_is_refused_and_that_is_an_entry(clinic: Clinic) -> None:
    for name, (who, path) in REFUSED.items():
        answer = await clinic.ask("GET", path, who=who)
        assert answer.status == 403, name
        assert answer.entry is not None
        assert (answer.entry.action, answer.entry.outcome) == (DISCLOSURES, "denied")


@on_sqlite
async def test_a_patient_sees_only_what_is_about_them(clinic: Clinic) -> None:
    """Not the entries about others, not those about nobody, and of shared ones nothing of the others."""
    about_bob = await add(clinic, "bob")
    about_nobody = await add(clinic)
    signed_in = await add(clinic, agent=Agent("b" * 32, "patient", "Patient/ada"), action="identity:session:open")
    bobs: dict[str, Any] = {"what": (What("Observation/bob-pulse", 1), What("Patient/bob", 1), What("Patient/ada", 1))}
    shared = await add(clinic, "bob", "ada", query="Observation?patient=bob,ada", action="fhir:type:search", **bobs)
    for hidden in (about_bob, about_nobody, signed_in, "0" * 32, "nonsense", f"{shared}.disclosure"):
        answer = await clinic.ask("GET", f"AuditEvent/{hidden}", who="ada")
        assert answer.status == 404
        assert answer.entry is not None
        assert answer.entry.outcome == "failed"
    seen = [event for page in await pages(clinic, "AuditEvent", "ada") for event in page]
    assert not {about_bob, about_nobody, signed_in} & {event["id"] for event in seen}
    assert shared in {event["id"] for event in seen}
    assert "bob" not in str(seen)
    alone = await clinic.ask("GET", f"AuditEvent/{shared}", who="ada")
    assert "bob" not in alone.body.decode()
    assert "Patient/ada/_history/1" in alone.body.decode()
    assert "192.0.2.7" not in alone.body.decode()
    everything = await clinic.ask("GET", f"AuditEvent/{shared}", who="auditor")
    assert "Observation/bob-pulse/_history/1" in everything.body.decode()
    assert "192.0.2.7" in everything.body.decode()


@on_sqlite
async def test_what_is_the_patients_in_a_shared_entry_is_shown(clinic: Clinic) -> None:
    both: dict[str, Any] = {"what": (What("Observation/ada-pulse", 1), What("Observation/bob-pulse", 1))}
    shared = await add(clinic, "bob", "ada", **both)
    for who, shown, hidden in (("ada", "ada-pulse", "bob"), ("bob", "bob-pulse", "ada")):
        text = (await clinic.ask("GET", f"AuditEvent/{shared}", who=who)).body.decode()
        assert shown in text
        assert hidden not in text


# Parameters, and which of the entries 0 to 3 (see below) they find.
QUESTIONS = {
    "patient=ada": "013",
    "patient=Patient/ada": "013",
    "patient=https://records.example.org/fhir/Patient/ada": "013",
    "entity=Patient/bob": "2",
    "agent=Practitioner/emergency": "1",
    "agent=Practitioner/emergency&patient=bob": "",
    "action=U": "2",
    "action=R,U": "0123",
    "outcome=8": "3",
    "subtype=http://hl7.org/fhir/restful-interaction|read": "013",
    "type=http://terminology.hl7.org/CodeSystem/audit-event-type|rest&action=U": "2",
    "entity=Condition/bob-asthma": "2",
    "address=192.0.2.8": "1",
    "policy=https://carekeep.example/policy/care.read": "3",
    "date=ge2026-11-05T12:15": "23",
    "date=lt2026-11-05T12:15": "01",
    "date=ge2026-11-05T12:05&date=le2026-11-05T12:20": "12",
    "date=2027": "",
    "_sort=-date&patient=ada": "013",
}


@on_sqlite
async def test_the_parameters_of_a_search(clinic: Clinic) -> None:
    ids = [
        await add(clinic, "ada"),
        await add(
            clinic, "ada", minutes=10, agent=Agent("c", "practitioner", "Practitioner/emergency", address="192.0.2.8")
        ),
        await add(clinic, "bob", minutes=20, action="fhir:record:update", what=(What("Condition/bob-asthma", 2),)),
        await add(clinic, "ada", minutes=30, outcome="denied", policies=("care.read",)),
    ]
    for question, found in QUESTIONS.items():
        searched = f"AuditEvent?{question}&date=ge2026-11-05&_count=1000"
        events = [event["id"] for event in events_of(await clinic.ask("GET", searched, who="auditor"))]
        wanted = [ids[int(number)] for number in reversed(found)]
        assert [each for each in events if each in ids] == wanted, question


REFUSED_SHAPES = [
    "_sort=date", "_include=AuditEvent:patient", "patient.name=x", "_total=accurate", "_summary=count", "_count=0",
    "agent-colour=red", "_cursor=nonsense", "date=never",
]  # fmt: skip


@on_sqlite
async def test_what_is_not_served_is_refused(clinic: Clinic) -> None:
    for question in REFUSED_SHAPES:
        assert (await clinic.ask("GET", f"AuditEvent?{question}", who="auditor")).status == 400, question


async def test_pages_hold_every_event_once(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """Across entries that are noted, in the log, and waiting; and across the several events of one entry."""
    monkeypatch.setattr(searching, "EXAMINED", 4)
    ids = []
    for number in range(9):
        extra: dict[str, Any] = {"recipient": "A registry", "consents": ("Consent/c",)} if number % 4 == 1 else {}
        added = await add(clinic, "ada", action="made:for:pages", **extra)
        ids += [added, *(f"{added}.{part}" for part in ("consent", "disclosure") if extra)]
        if number == 2:
            await note_all(clinic)
        if number == 5:
            await clinic.integrate()
    path = "AuditEvent?patient=ada&entity=Patient/ada&_count=2"
    found = [event["id"] for page in await pages(clinic, path, "ada") for event in page]
    wanted = [each for each in found if each in ids]
    assert len(wanted) == len(set(wanted))
    assert sorted(wanted) == sorted(ids)
    assert all(len(page) <= 2 for page in await pages(clinic, path, "ada"))


@on_sqlite
async def test_a_search_by_post_leaves_nothing_of_it_in_links(clinic: Clinic) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    for path, who in (("AuditEvent/_search", "auditor"), ("Patient/ada/AuditEvent/_search", "ada")):
        answer = await clinic.ask("POST", path, b"patient=Patient%2Fada&_count=1", who=who, headers=form)
        assert len(events_of(answer)) == 1
        for relation in ("self", "next"):
            url = link(answer, relation)
            assert url is not None
            assert parse_qs(urlsplit(url).query).keys() == {"_cursor"}
        url = link(answer, "next")
        assert url is not None
        following = url.removeprefix("https://records.example.org/fhir/")
        assert events_of(await clinic.ask("GET", following, who=who))[0]["id"] != events_of(answer)[0]["id"]
        assert (await clinic.ask("GET", following, who="bob")).status == 400


@on_sqlite
async def test_an_event_comes_as_it_is_shaped(clinic: Clinic) -> None:
    (event,) = events_of(await clinic.ask("GET", "AuditEvent?_elements=recorded&_count=1", who="ada"))
    assert {"recorded", "meta", "id"} <= event.keys()
    assert "entity" not in event
    (event,) = events_of(await clinic.ask("GET", "AuditEvent?_summary=true&_count=1", who="ada"))
    assert "recorded" in event


@on_sqlite
async def test_nobody_writes_events(clinic: Clinic) -> None:
    body = {"resourceType": "AuditEvent", "id": "x"}
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        path = "AuditEvent" if method == "POST" else "AuditEvent/x"
        assert (await clinic.ask(method, path, body, who="engine")).status in {404, 405, 415, 422}, method


@on_sqlite
async def test_no_event_leaves_without_the_entry_of_its_reading(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = await add(clinic, "ada")

    async def fail(*_: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(clinic.system.services.ledger, "record", fail)
    for path in (f"AuditEvent/{name}", "AuditEvent", "Patient/ada/$who-looked"):
        answer = await clinic.ask("GET", path, who="ada")
        assert answer.status == 503
        assert name not in answer.body.decode()


@on_sqlite
async def test_the_capability_statement_says_so(clinic: Clinic) -> None:
    resources = (await clinic.ask("GET", "metadata", who=None)).json["rest"][0]["resource"]
    told = next(each for each in resources if each["type"] == "AuditEvent")
    assert [each["code"] for each in told["interaction"]] == ["read", "search-type"]
    assert {"patient", "date", "agent", "action", "entity"} <= {each["name"] for each in told["searchParam"]}
    assert not told.keys() & {"searchInclude", "searchRevInclude"}
    assert not any("AuditEvent" in value for each in resources for value in each.get("searchRevInclude", ()))
