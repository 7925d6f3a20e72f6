"""What a patient is told: who looked, and to whom data was given out."""

from typing import Any

import pytest

from carekeep.audit import Agent, What
from carekeep.fhir import validate
from carekeep.web.fhir.auditing import told
from tests.web.auditing.test_audit_events import DISCLOSURES, add, note_all
from tests.web.clinic import Answer, Clinic, on_sqlite
from tests.web.test_consents import keep, with_mother
from tests.web.test_narrowed_apps import connect

LOOKED = "Patient/ada/$who-looked"
ACCOUNTING = "Patient/ada/$accounting-of-disclosures"
GIVEN: dict[str, Any] = {"recipient": "A registry <r@registry.example>", "purpose": "PUBHLTH"}


def rows(answer: Answer, name: str) -> list[dict[str, list[Any]]]:
    """The rows of a name, as values by the names of their parts."""
    assert answer.status == 200, answer.body
    assert validate(answer.json) == ()
    found = []
    for row in answer.json["parameter"]:
        if row["name"] == name:
            parts: dict[str, list[Any]] = {}
            for part in row["part"]:
                parts.setdefault(part["name"], []).append(next(v for k, v in part.items() if k.startswith("value")))
            found.append(parts)
    return found


def incomplete(answer: Answer) -> bool:
    return bool(next(row["valueBoolean"] for row in answer.json["parameter"] if row["name"] == "incomplete"))


async def test_a_patient_is_told_who_looked_and_why(clinic: Clinic) -> None:
    for path in ("Observation/ada-pulse", "Condition?patient=Patient/ada", "Patient/ada"):
        assert (await clinic.ask("GET", path, who="physician")).status == 200
    assert (await clinic.ask("GET", "Patient/ada", who="emergency")).status == 403
    for noted in (False, True):
        if noted:
            await note_all(clinic)
        answer = await clinic.ask("GET", LOOKED, who="ada")
        (look,) = [
            each for each in rows(answer, "look") if each.get("reference") == [{"reference": "Practitioner/physician"}]
        ]
        assert (look["times"], look["refused"], look["emergency"]) == ([3], [False], [False])
        assert look["why"] == ["to treat you"]
        assert "The clinician has a care relationship with this patient." in look["because"][0]
        assert "3 times" in look["said"][0]
        assert len(look["entry"]) == 3
        (refused,) = [each for each in rows(answer, "look") if each["refused"] == [True]]
        assert refused["reference"] == [{"reference": "Practitioner/emergency"}]
        assert not incomplete(answer)
        assert answer.entry is not None
        assert (answer.entry.action, answer.entry.patients) == (DISCLOSURES, ("ada",))


@on_sqlite
async def test_who_may_be_told(clinic: Clinic) -> None:
    for who, status in (("bob", 403), ("physician", 403), ("administrator", 403), ("auditor", 200)):
        for path in (LOOKED, ACCOUNTING):
            answer = await clinic.ask("GET", path, who=who)
            assert answer.status == status, who
            assert answer.entry is not None
            assert answer.entry.patients == ("ada",)


@on_sqlite
async def test_names_are_those_of_records_accounts_and_apps(clinic: Clinic) -> None:
    auditor = clinic.accounts["auditor"]
    await add(clinic, "ada", agent=Agent(auditor.id.hex(), "auditor"), action=DISCLOSURES, what=())
    await add(clinic, "ada", agent=Agent("f" * 32, "practitioner", "Practitioner/gone"))
    said = " ".join(look["said"][0] for look in rows(await clinic.ask("GET", LOOKED, who="ada"), "look"))
    assert "The auditor (auditor) looked at who looked" in said
    assert "a practitioner whose name is not known any more looked at" in said


@on_sqlite
async def test_nothing_of_another_patient_is_told(clinic: Clinic) -> None:
    what = (What("Observation/ada-pulse", 1), What("Condition/bob-asthma", 1))
    await add(clinic, "bob", "ada", what=what, minutes=1)
    await add(clinic, "bob", "ada", what=(), agent=Agent("b" * 32, "patient", "Patient/bob"), minutes=2)
    answer = await clinic.ask("GET", LOOKED + "?each=true&since=2026-11-05T12:00:30Z", who="ada")
    assert "bob" not in answer.body.decode()
    stranger, look = rows(answer, "look")
    assert look["what"] == ["measurements and test results"]
    assert "reference" not in stranger
    assert stranger["who"] == ["Another person with a patient's account"]


@on_sqlite
async def test_a_period_is_by_when_it_happened(clinic: Clinic) -> None:
    """An entry that was taken over from another system was recorded later than it happened."""
    happened_ms = 1_780_000_000_000  # May 2026
    await add(clinic, "ada", source="Old system", happened_ms=happened_ms, agent=Agent("", "user", "Nurse Ng"))
    (look,) = rows(await clinic.ask("GET", LOOKED + "?since=2026-05-01&until=2026-06-01", who="ada"), "look")
    assert (look["source"], look["who"]) == (["Old system"], ["Nurse Ng"])
    assert rows(await clinic.ask("GET", LOOKED + "?until=2026-05-01", who="ada"), "look") == []
    assert (await clinic.ask("GET", LOOKED + "?since=yesterday", who="ada")).status == 400


@on_sqlite
async def test_more_than_is_told_at_once_is_said(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "MOST", 3)
    answer = await clinic.ask("GET", LOOKED, who="ada")
    assert incomplete(answer)
    assert sum(look["times"][0] for look in rows(answer, "look")) == 3


async def test_a_patient_gets_an_accounting_of_disclosures(clinic: Clinic) -> None:
    for minutes in (1, 2):
        await add(clinic, "ada", minutes=minutes, **GIVEN)
    await add(clinic, "ada", recipient="Another hospital", purpose="TREAT")
    await add(clinic, "bob", **GIVEN)
    await add(clinic, "ada", minutes=-60 * 24 * 365 * 7, **GIVEN)
    for _ in range(2):
        answer = await clinic.ask("GET", ACCOUNTING, who="ada")
        (line,) = rows(answer, "disclosure")
        assert (line["recipient"], line["address"], line["times"]) == (["A registry"], ["r@registry.example"], [2])
        assert (line["purpose"], line["description"]) == (
            ["to protect public health"],
            ["measurements and test results"],
        )
        assert line["date"] == [{"start": "2026-11-05T12:01:00.000Z", "end": "2026-11-05T12:02:00.000Z"}]
        (left_out,) = rows(answer, "left-out")
        assert left_out["times"] == [1]
        assert "164.528(a)(1)(i)" in left_out["exception"][0]
        every = rows(await clinic.ask("GET", f"{ACCOUNTING}?all=true&since=2015", who="ada"), "disclosure")
        assert [line["times"] for line in every] == [[3], [1]]
        await note_all(clinic)


@on_sqlite
async def test_an_app_is_told_what_its_scopes_hold(clinic: Clinic) -> None:
    """The patient's own app, with and without AuditEvent among its scopes."""
    for scopes, status in (("patient/AuditEvent.rs", 200), ("patient/Observation.rs", 403)):
        who = await connect(clinic, "ada", scopes)
        for path in ("AuditEvent?patient=ada", LOOKED, ACCOUNTING):
            assert (await clinic.ask("GET", path, who=who)).status == status, path
    reads = await connect(clinic, "ada", "patient/AuditEvent.r")
    assert (await clinic.ask("GET", "AuditEvent?patient=ada", who=reads)).status == 403


@on_sqlite
async def test_who_acts_for_a_patient_is_told_as_far_as_the_consent_permits(clinic: Clinic) -> None:
    await with_mother(clinic)
    asked = ("AuditEvent?patient=ada", "AuditEvent", LOOKED, ACCOUNTING)
    for given, status in (
        ("permit | to RelatedPerson/mother | class Observation", 403),
        ("permit | to RelatedPerson/mother | class AuditEvent", 200),
        ("permit | to RelatedPerson/mother", 200),
        ("status inactive\npermit | to RelatedPerson/mother", 403),
    ):
        await keep(clinic, given, "mother")
        for path in asked:
            answer = await clinic.ask("GET", path, who="mother")
            assert answer.status == status, (given, path)
            assert "bob" not in answer.body.decode()
        assert (await clinic.ask("GET", "Patient/bob/$who-looked", who="mother")).status == 403
