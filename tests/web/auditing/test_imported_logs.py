"""Another system's log over REST: taken over by auditors only, once, and then seen by the patient."""

import json
from typing import Any

import pytest

from carekeep.fhir import validate
from carekeep.web.exchange import log_import
from tests.web.auditing.test_audit_events import events_of, note_all
from tests.web.auditing.test_who_looked import LOOKED, rows
from tests.web.clinic import Answer, Clinic, on_sqlite

PLACE = "/ledger/import?source=old-ehr"
ATNA = (
    '<AuditMessage><EventIdentification EventActionCode="U" EventDateTime="2026-01-02T03:04:05Z" '
    'EventOutcomeIndicator="0"/><ActiveParticipant UserID="ng" UserIsRequestor="true"/>'
    '<ParticipantObjectIdentification ParticipantObjectID="ada" ParticipantObjectTypeCodeRole="1"/></AuditMessage>'
)


def event(**changes: Any) -> bytes:
    given: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "recorded": "2026-01-02T03:04:05Z",
        "action": "R",
        "agent": [{"requestor": True, "who": {"display": "Nurse Ng"}, "network": {"address": "10.0.0.1"}}],
        "entity": [{"what": {"reference": "Patient/ada"}}, {"what": {"reference": "Observation/9"}}],
    }
    return json.dumps(given | changes).encode() + b"\n"


async def send(clinic: Clinic, body: bytes, who: str | None = "auditor", place: str = PLACE) -> Answer:
    return await clinic.ask("POST", place, body, who=who, headers={"x-request-id": "import-1"})


async def test_what_was_taken_over_is_seen_by_the_patient(clinic: Clinic) -> None:
    log = event() + event(action="D", recorded="2026-01-03T00:00:00Z") + b"{}\n"
    answer = await send(clinic, log)
    assert answer.status == 200, answer.body
    assert (answer.json["taken"], answer.json["seen"], answer.json["refused"]) == (2, 0, 1)
    assert answer.json["refusals"] == [{"line": 3, "reason": "it is no AuditEvent"}]
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.outcome) == ("audit:entry:import", "permitted")
    assert answer.entry.query == "source=old-ehr&format=fhir"
    again = await send(clinic, log)
    assert (again.json["taken"], again.json["seen"]) == (0, 2)
    for noted in (False, True):
        if noted:
            await note_all(clinic)
        found = events_of(await clinic.ask("GET", "AuditEvent?patient=Patient/ada&action=R,D", who="ada"))
        told = {each["action"]: each for each in found if each["source"]["observer"] == {"display": "old-ehr"}}
        assert sorted(told) == ["D", "R"]
        assert told["R"]["period"]["start"] == "2026-01-02T03:04:05.000Z"
        assert told["R"]["recorded"].startswith("2026-11-05")  # here; the period is when it happened there
        assert validate(told["R"]) == ()
        looked = rows(await clinic.ask("GET", LOOKED + "?since=2026-01-01&until=2026-02-01", who="ada"), "look")
        assert [look["said"][0].partition(", ")[2] for look in looked] == [
            f"Nurse Ng (foreign) {done} your measurements and test results, as the log of old-ehr says."
            for done in ("changed or added to", "looked at")
        ]


@on_sqlite
async def test_atna(clinic: Clinic) -> None:
    answer = await send(clinic, f"<85>1 - {ATNA}\n".encode(), place=PLACE + "&format=atna")
    assert (answer.status, answer.json["taken"]) == (200, 1)
    (look,) = rows(await clinic.ask("GET", LOOKED + "?since=2026-01-01&until=2026-02-01", who="ada"), "look")
    assert look["source"] == ["old-ehr"]


@on_sqlite
@pytest.mark.parametrize("who", ["ada", "physician", "administrator", "engine", None])
async def test_only_auditors_may(clinic: Clinic, who: str | None) -> None:
    ledger = clinic.system.services.ledger
    before = [sealed.entry_id async for sealed in ledger.waiting()]
    answer = await send(clinic, event(), who)
    assert answer.status == (401 if who is None else 403)
    (entry,) = [ledger.open(each.leaf)[0] async for each in ledger.waiting() if each.entry_id not in before]
    assert (entry.action, entry.outcome) == ("audit:entry:import", "denied")


# What is asked, with what body, and the answer.
REFUSED = [
    ("/ledger/import", event(), 400),
    ("/ledger/import?source=a%20b", event(), 400),
    (PLACE + "&format=csv", event(), 400),
    (PLACE + "&patient-system=" + "x" * 201, event(), 400),
    (PLACE, b'{"resourceType":"Bundle",', 400),
    (PLACE, b"x" * 2_001, 413),
]


@on_sqlite
async def test_what_is_refused_takes_nothing_over(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_import, "LARGEST_LOG", 2_000)
    for place, body, status in REFUSED:
        assert (await send(clinic, body, place=place)).status == status, place
    ledger = clinic.system.services.ledger
    actions = [ledger.open(sealed.leaf)[0].action async for sealed in ledger.waiting()]
    assert not [action for action in actions if action.startswith("foreign:")]
    assert actions.count("audit:entry:import") == len(REFUSED)
