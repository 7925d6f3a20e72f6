"""Entries as AuditEvents: valid FHIR, of the BALP profiles that they name, and of the profile that they could be."""

from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.access import Action
from carekeep.audit import Agent, Entry, EntryId, Followed, What
from carekeep.audit.foreign.foreign import VERBS
from carekeep.audit.views import Server, audit_events, entry_id_of, for_patient
from carekeep.fhir import validate
from tests.audit.logs import NOON, an_entry
from tests.audit.views.balp import BY_NAME, INTERACTION, claimed, codes

SERVER = Server("https://records.example.org/fhir", "records.example.org")
ID = EntryId(bytes(range(16)))


def followed(entry: Entry) -> Followed:
    return Followed(7, ID, entry, ())


def events(**changes: Any) -> tuple[dict[str, Any], ...]:
    return audit_events(followed(an_entry(**changes)), SERVER)


READ = {"action": "fhir:record:read"}
SEARCH = {"action": "fhir:type:search", "query": "Observation?patient=Patient/p1"}
NOBODY = {"patients": ()}
LISTED = {"what": (What("Observation/1", 1), What("Observation/2", 4))}
# What an entry says, the profile that its first event is of (None: BALP has none for it), and its interaction.
CASES: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "read": (READ, "PatientRead", "read"),
    "read of nobody's": ({**READ, **NOBODY}, "Read", "read"),
    "vread": ({"action": "fhir:record:vread"}, "PatientRead", "vread"),
    "create": ({"action": "fhir:record:create"}, "PatientCreate", "create"),
    "create of nobody's": ({"action": "fhir:record:create", **NOBODY}, "Create", "create"),
    "update": ({"action": "fhir:record:update"}, "PatientUpdate", "update"),
    "delete": ({"action": "fhir:record:delete"}, "PatientDelete", "delete"),
    "delete of nobody's": ({"action": "fhir:record:delete", **NOBODY}, "Delete", "delete"),
    "search": ({**SEARCH, **LISTED}, "PatientQuery", "search-type"),
    "search with no match": ({**SEARCH, "what": (), **NOBODY}, "Query", "search-type"),
    "search of everything": ({**SEARCH, "query": "?_id=x"}, "PatientQuery", "search-system"),
    "search of several patients": ({**SEARCH, "patients": ("p1", "p2")}, None, "search-type"),
    "denied": ({**READ, "outcome": "denied"}, None, "read"),
    "failed": ({**READ, "outcome": "failed"}, None, "read"),
    "from nowhere": ({**READ, "agent": Agent("a1", "practitioner")}, None, "read"),
    "imported": ({**READ, "source": "Old system", "happened_ms": NOON - 9}, None, "read"),
    "history": ({"action": "fhir:record:history"}, None, "history"),
    "everything": ({**READ, "query": "Patient/p1/$everything"}, None, "operation"),
    "last of each": ({**SEARCH, "query": "Observation/$lastn?patient=p1"}, None, "operation"),
    "transaction": ({"action": "fhir:bundle:transaction", **LISTED}, None, "transaction"),
}


@pytest.mark.parametrize(("changes", "profile", "interaction"), CASES.values(), ids=list(CASES))
def test_an_interaction_is_of_its_profile(changes: dict[str, Any], profile: str | None, interaction: str) -> None:
    (event,) = events(**changes)
    assert validate(event) == ()
    assert claimed(event) == profile
    assert codes(event["subtype"][0]) == {f"{INTERACTION}|{interaction}"}
    if profile is not None:
        assert BY_NAME[profile].breaches(event) == []


def test_the_table_of_profiles_can_be_breached() -> None:
    """Each rule of it is one that a changed event breaks."""
    (event,) = events(**READ)
    broken = [
        {**event, "action": "U"},
        {**event, "outcome": "8"},
        {**event, "type": event["subtype"][0]},
        {**event, "subtype": []},
        {**event, "agent": event["agent"][:1]},
        {**event, "agent": [{**event["agent"][0], "network": None}, *event["agent"][1:]]},
        {**event, "agent": [*event["agent"][:2], {**event["agent"][2], "requestor": False}]},
        {**event, "entity": event["entity"][:1]},
        {**event, "entity": event["entity"][1:]},
    ]
    assert all(BY_NAME["PatientRead"].breaches(each) for each in broken)


def test_a_disclosure_and_a_decision_by_consents_are_events_of_their_own() -> None:
    told = events(**READ, consents=("Consent/c1", "Consent/c2"), recipient="A registry <r@registry.example>")
    assert [claimed(event) for event in told] == ["PatientRead", "AuthZconsent", "PrivacyDisclosure.Source"]
    for event in told:
        assert validate(event) == ()
        assert BY_NAME[claimed(event) or ""].breaches(event) == []
        assert entry_id_of(event["id"]) == ID.hex()
    assert len({event["id"] for event in told}) == len(told)
    decision, disclosure = told[1:]
    assert {entity["what"]["reference"] for entity in decision["entity"]} == {"Patient/p1", "Consent/c1", "Consent/c2"}
    assert disclosure["agent"][1]["who"] == {"display": "A registry <r@registry.example>"}
    denied = events(**READ, outcome="denied", consents=("Consent/c1",), reason="Denied by consent.")[1]
    assert (denied["outcome"], denied["outcomeDesc"]) == ("8", "Denied by consent.")
    assert BY_NAME["AuthZconsent"].breaches(denied) == []


def test_an_event_says_what_the_entry_says() -> None:
    agent = Agent("a1", "practitioner", "Practitioner/7", "s1", "d1", "192.0.2.1", "app-1", "Example Clinic")
    entry = an_entry(action="fhir:type:search", agent=agent, query="Observation?code=ü&x=1", purpose="ETREAT")
    (event,) = audit_events(followed(entry), SERVER)
    client, server, user, behalf = event["agent"]
    assert (event["id"], event["recorded"]) == (ID.hex(), "2026-11-05T12:00:00.000Z")
    assert event["purposeOfEvent"][0]["coding"][0]["code"] == user["purposeOfUse"][0]["coding"][0]["code"] == "ETREAT"
    assert event["outcomeDesc"] == entry.reason
    assert (client["who"]["identifier"]["value"], client["altId"]) == ("app-1", "d1")
    assert client["network"] == {"address": "192.0.2.1", "type": "2"}
    assert server["network"] == {"address": SERVER.url, "type": "5"}
    assert user["who"] == {
        "reference": "Practitioner/7",
        "identifier": {"system": "https://carekeep.example/account", "value": "a1"},
    }
    assert user["policy"] == ["https://carekeep.example/policy/care-team"]
    assert behalf["who"] == {"display": "Example Clinic"}
    query = next(entity["query"] for entity in event["entity"] if "query" in entity)
    assert b64decode(query).decode() == entry.query
    references = [entity.get("what", {}).get("reference") for entity in event["entity"]]
    assert "Observation/o0/_history/1" in references
    assert event["entity"][2]["what"]["identifier"]["value"] == "request-0"


def test_an_imported_entry_says_whose_log_told_it_and_when_it_happened() -> None:
    (event,) = events(**READ, source="Old system", happened_ms=NOON - 1_000, agent=Agent("", "user", "Nurse Ng"))
    assert event["source"] == {"observer": {"display": "Old system"}}
    assert event["period"] == {"start": "2026-11-05T11:59:59.000Z", "end": "2026-11-05T11:59:59.000Z"}
    (user,) = event["agent"]  # neither this server nor its pages had a part in it
    assert (user["who"], user["requestor"]) == ({"display": "Nurse Ng"}, True)


@pytest.mark.parametrize("verb", VERBS)
def test_an_imported_action_has_the_code_of_what_was_done(verb: str) -> None:
    agent = Agent("", "nurse", "Nurse Ng", address="10.0.0.1", app="app-1")
    (event,) = events(action=f"foreign:{verb}", source="old", happened_ms=NOON, agent=agent)
    assert validate(event) == ()
    does = {"read": "R", "export": "R", "create": "C", "update": "U", "delete": "D"}
    assert event["action"] == does.get(verb, "E")
    program, user = event["agent"]
    assert (program["who"], program["network"]["address"]) == ({"display": "app-1"}, "10.0.0.1")
    assert user["who"] == {"display": "Nurse Ng"}
    assert "profile" not in event["meta"]


@pytest.mark.parametrize("action", [*(each.value for each in Action), "made:up:later", "Opened  chart", ""])
@pytest.mark.parametrize("outcome", ["permitted", "denied", "failed"])
def test_every_action_gives_valid_events(action: str, outcome: str) -> None:
    for event in events(action=action, outcome=outcome, recipient="R", consents=("Consent/c",)):
        assert validate(event) == ()


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).map(str.strip).filter(bool)


@given(st.builds(Agent, *(TEXTS,) * 8), TEXTS, st.lists(TEXTS, max_size=3))
def test_whatever_stands_in_an_entry_the_event_is_valid(agent: Agent, text: str, texts: list[str]) -> None:
    for event in events(agent=agent, reason=text, query=text, request_id=text, policies=tuple(texts), recipient=text):
        assert validate(event) == ()


SHARED = an_entry(
    action="fhir:type:search",
    patients=("p1", "p2"),
    what=(What("Observation/mine", 1), What("Observation/other", 2), What("Patient/p1", 3), What("Patient/p2", 3)),
    query="Observation?patient=Patient/p2",
    consents=("Consent/mine", "Consent/other"),
)


def test_a_patient_sees_nothing_of_another_one_in_the_same_entry() -> None:
    narrowed = for_patient(followed(SHARED), "p1", {"Observation/mine", "Consent/mine"})
    told = str(audit_events(narrowed, SERVER))
    assert "Observation/mine" in told
    assert "Consent/mine" in told
    assert "Patient/p1" in told
    for hidden in ("p2", "Observation/other", "Consent/other"):
        assert hidden not in told
    query = next(e["query"] for e in audit_events(narrowed, SERVER)[0]["entity"] if "query" in e)
    assert b64decode(query) == b"Observation"


@pytest.mark.parametrize(
    ("agent", "kept"),
    [
        (Agent("a1", "practitioner", "Practitioner/7", "s1", "d1", "192.0.2.1", "app"), ("Practitioner/7", None, None)),
        (Agent("a2", "patient", "Patient/p1", "s1", "d1", "192.0.2.1"), ("Patient/p1", "d1", "192.0.2.1")),
        (Agent("a3", "patient", "Patient/p2", "s1", "d1", "192.0.2.1"), (None, None, None)),
    ],
)
def test_a_patient_sees_who_but_of_others_not_from_where(
    agent: Agent, kept: tuple[str | None, str | None, str | None]
) -> None:
    for entry in (an_entry(agent=agent), an_entry(agent=agent, patients=("p1", "p2"))):
        found = for_patient(followed(entry), "p1").entry.agent
        assert (found.who, found.device, found.address) == kept
        assert found.session == (agent.session if kept[2] else None)
