"""The clinician's chart: what is shown, to whom it stays shut, and what is written once. Attacks included."""

import base64
import re
import uuid

import pytest

from carekeep.identity.supervising import prepare_supervisor
from tests.web.clinic import Clinic, Json, on_sqlite
from tests.web.console.clinician import Answer, Clinician, at_console

pytestmark = on_sqlite
ACTIVE = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
HOSTILE = "<img src=x onerror=alert(1)>\"'{{7*7}}"
WORDS = "Found unconscious at the station, nobody knows her."


def allergy(**more: object) -> Json:
    return {
        "resourceType": "AllergyIntolerance",
        "id": "ada-penicillin",
        "patient": {"reference": "Patient/ada"},
        "clinicalStatus": {"coding": [{"system": ACTIVE, "code": "active"}]},
        "code": {"text": "Penicillin"},
        "criticality": "high",
        **more,
    }


async def note(person: Clinician, text: str, key: str = "") -> Answer:
    key = key or str(uuid.uuid4())
    return await person.post("/patient/ada/write/note", key=key, kind="11506-3", title="", text=text, do="send")


async def written(clinic: Clinic, type_: str) -> list[Json]:
    found = await clinic.ask("GET", f"{type_}?patient=Patient/ada")
    return [each["resource"] for each in found.json.get("entry", ())]


async def test_the_chart_shows_what_is_on_record_and_the_ledger_has_it(clinic: Clinic) -> None:
    await clinic.put(allergy())
    page = await (await at_console(clinic)).get("/patient/ada")
    assert page.status == 200, page.text
    for said in ("Robin Moreau", "Penicillin", "Asthma", "72 /min", "88 /min"):
        assert said in page.text
    assert page.entry is not None
    assert (page.entry.purpose, page.entry.patients) == ("TREAT", ("ada",))
    assert {"Patient/ada", "Observation/ada-pulse", "AllergyIntolerance/ada-penicillin"} <= {
        what.reference for what in page.entry.what
    }


@pytest.mark.parametrize("path", ["", "/results", "/record/Observation/x", "/write/note", "/write/medicine"])
async def test_a_stranger_and_nobody_at_all_look_the_same(clinic: Clinic, path: str) -> None:
    person = await at_console(clinic)
    pages = {}
    for patient in ("bob", "zzz"):
        page = await person.get(f"/patient/{patient}{path}")
        assert page.entry is not None
        assert (page.status, page.entry.outcome, page.entry.patients) == (403, "denied", (patient,))
        assert page.entry.reason
        assert "Lindqvist" not in page.text
        pages[patient] = re.sub(r"[0-9a-f]{32}", "", re.sub(rf"\b{patient}\b", "?", page.text))
        pages[patient] = re.sub(r'data-lasts="\d+"', "", pages[patient])
    assert pages["bob"] == pages["zzz"]


async def test_another_patients_record_is_not_found_in_a_chart(clinic: Clinic) -> None:
    page = await (await at_console(clinic)).get("/patient/ada/record/Observation/bob-pulse")
    assert page.entry is not None
    assert (page.status, page.entry.outcome) == (404, "failed")


async def test_what_is_hidden_leaves_no_trace(clinic: Clinic) -> None:
    """The emergency physician sees ada by an encounter; substance use is for the care team."""
    encounter = {
        "resourceType": "Encounter",
        "id": "ada-visit",
        "status": "in-progress",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "EMER"},
        "subject": {"reference": "Patient/ada"},
        "participant": [{"individual": {"reference": "Practitioner/emergency"}}],
        "period": {"start": "2026-11-05T11:00:00Z"},
    }
    assert (await clinic.put(encounter)).status == 201
    person = await at_console(clinic, "emergency")

    async def seen() -> str:
        page = await person.get("/patient/ada")
        assert page.status == 200
        return re.sub(r'[0-9a-f]{32}|data-lasts="\d+"', "", page.text)

    before = await seen()
    sud = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "SUD"}
    hidden = {
        "resourceType": "Condition",
        "id": "ada-hidden",
        "meta": {"security": [sud]},
        "subject": {"reference": "Patient/ada"},
        "code": {"text": "Opioid dependence"},
    }
    assert (await clinic.put(hidden)).status == 201
    assert await seen() == before
    assert (await person.get("/patient/ada/record/Condition/ada-hidden")).status == 404
    assert "Opioid dependence" in (await (await at_console(clinic)).get("/patient/ada")).text


async def test_a_note_is_written_once_however_often_it_is_sent(clinic: Clinic) -> None:
    person, key = await at_console(clinic), str(uuid.uuid4())
    for _ in range(2):
        sent = await note(person, "Better today.", key)
        assert (sent.status, sent.place) == (303, "/patient/ada?done=note#notes")
    (document,) = await written(clinic, "DocumentReference")
    assert base64.b64decode(document["content"][0]["attachment"]["data"]) == b"Better today."
    assert document["author"][0]["reference"] == "Practitioner/physician"
    assert "Better today." in (await person.get("/patient/ada")).text


async def test_who_was_slower_keeps_what_they_typed(clinic: Clinic) -> None:
    person, key = await at_console(clinic), str(uuid.uuid4())
    await note(person, "First words.", key)
    path, fields = f"/patient/ada/write/note/{key}", {"kind": "11506-3", "title": "", "do": "send"}
    assert (await person.post(path, version="1", text="Second words.", **fields)).status == 303
    late = await person.post(path, version="1", text="Third words.", **fields)
    assert late.status == 409
    for said in ("Somebody changed this", "Second words.", "Third words.", 'name="version" value="2"'):
        assert said in late.text
    assert (await person.post(path, version="2", text="Third words.", **fields)).status == 303
    cancelled = await person.post(path, version="3", text="", kind="", title="", do="cancel")
    assert cancelled.status == 303
    assert (await written(clinic, "DocumentReference"))[0]["status"] == "entered-in-error"


async def test_a_colleagues_note_is_not_mine_to_change(clinic: Clinic) -> None:
    other = {
        "resourceType": "DocumentReference",
        "id": "ada-letter",
        "status": "current",
        "subject": {"reference": "Patient/ada"},
        "author": [{"reference": "Practitioner/emergency"}],
        "content": [{"attachment": {"contentType": "text/plain", "data": base64.b64encode(b"theirs").decode()}}],
    }
    assert (await clinic.put(other)).status == 201
    person = await at_console(clinic)
    assert "/write/note/ada-letter" not in (await person.get("/patient/ada")).text
    assert (await person.get("/patient/ada/write/note/ada-letter")).status == 404
    sent = await person.post("/patient/ada/write/note/ada-letter", version="1", text="mine", do="send")
    assert sent.status == 404


async def test_an_allergy_speaks_up_before_a_medicine_is_ordered(clinic: Clinic) -> None:
    await clinic.put(allergy())
    person, key = await at_console(clinic), str(uuid.uuid4())
    order = {
        "key": key,
        "medicine": "Amoxicillin 500 mg",
        "dose": "1 capsule 3 times a day",
        "reason": "",
        "do": "send",
    }
    warned = await person.post("/patient/ada/write/medicine", **order)
    assert warned.status == 422
    assert "There is an allergy on record: Penicillin" in warned.text
    assert await written(clinic, "MedicationRequest") == []
    despite = await person.post("/patient/ada/write/medicine", **order, despite="Tolerated well in 2024.")
    assert despite.status == 303, despite.text
    (made,) = await written(clinic, "MedicationRequest")
    assert (made["status"], made["note"][0]["text"][-23:]) == ("active", "Tolerated well in 2024.")


async def test_a_test_is_drafted_ordered_and_cancelled(clinic: Clinic) -> None:
    person, key = await at_console(clinic), str(uuid.uuid4())
    name = "Hemoglobin A1c/Hemoglobin.total in Blood"
    order = {"test": name, "priority": "urgent", "reason": ""}
    assert (await person.post("/patient/ada/write/test", key=key, do="draft", **order)).status == 303
    for version, do, status in (("1", "send", "active"), ("2", "cancel", "revoked")):
        sent = await person.post(f"/patient/ada/write/test/{key}", version=version, do=do, **order)
        assert sent.status == 303
        (made,) = await written(clinic, "ServiceRequest")
        assert (made["status"], made["code"]["coding"][0]["code"]) == (status, "4548-4")


async def test_nothing_is_written_from_another_site_or_without_words(clinic: Clinic) -> None:
    person = await at_console(clinic)
    forged = await person.forge("/patient/ada/write/note", key=str(uuid.uuid4()), text="forged", do="send")
    assert (forged.status, forged.entry and forged.entry.outcome) == (403, "denied")
    assert (await note(person, "  ")).status == 422
    assert (await note(person, "bell \x07")).status == 422
    assert await written(clinic, "DocumentReference") == []


async def test_markup_in_records_stays_text(clinic: Clinic) -> None:
    person = await at_console(clinic)
    hostile = {"text": HOSTILE}
    await clinic.put(allergy(code=hostile))
    patient = {"resourceType": "Patient", "id": "ada", "name": [{"text": HOSTILE}], "identifier": [{"value": HOSTILE}]}
    await clinic.put(patient)
    subject = {"subject": {"reference": "Patient/ada"}}
    await clinic.put({"resourceType": "Condition", "id": "c", "code": hostile, **subject})
    pulse = {"resourceType": "Observation", "id": "o", "status": "final", "code": hostile, "valueString": HOSTILE}
    await clinic.put({**pulse, **subject})
    await note(person, HOSTILE)
    paths = ("/patients", "/patient/ada", "/patient/ada/results", "/patient/ada/record/Condition/c")
    for page in [await person.get(path) for path in paths]:
        assert page.status == 200
        assert "<img" not in page.text
        assert "&lt;img" in page.text
    echoed = await person.post("/patient/ada/write/test", key=str(uuid.uuid4()), test=HOSTILE * 20, do="send")
    assert (echoed.status, "<img" in echoed.text) == (422, False)


async def test_mine_are_listed_and_found_and_strangers_are_not(clinic: Clinic) -> None:
    person = await at_console(clinic)
    appointment = {
        "resourceType": "Appointment",
        "id": "today",
        "status": "booked",
        "description": "Check-up",
        "start": "2026-11-05T14:00:00Z",
        "end": "2026-11-05T14:30:00Z",
        "participant": [
            {"actor": {"reference": f"{each}"}, "status": "accepted"}
            for each in ("Patient/ada", "Practitioner/physician")
        ],
    }
    assert (await clinic.put(appointment)).status == 201
    listed = await person.get("/patients")
    assert "Robin Moreau" in listed.text
    assert "Check-up" in listed.text
    assert "Lindqvist" not in listed.text
    for sought, found in (("more", True), ("1970-02-28", True), ("lindq", False), ("r", False)):
        page = await person.post("/patients", sought=sought)
        assert ("/patient/ada" in page.text, "Lindqvist" in page.text) == (found, False), sought


async def test_an_emergency_is_opened_in_two_steps_and_closed(clinic: Clinic) -> None:
    person = await at_console(clinic, "emergency")
    assert (await person.get("/emergency/bob")).place == "/break-glass/bob"
    wish = {"why": "unconscious", "words": WORDS, "what": "all", "minutes": "30"}
    assert (await person.post("/break-glass/bob", **wish | {"words": "short"}, do="open")).status == 422
    sure = await person.post("/break-glass/bob", **wish, do="next")
    assert "The auditors are asked" in sure.text
    assert (await person.get("/emergency/bob")).status == 303  # nothing is open yet
    for _ in range(2):
        assert (await person.post("/break-glass/bob", **wish, do="open")).place == "/emergency/bob"
    chart = await person.get("/emergency/bob")
    assert chart.entry is not None
    assert (chart.status, chart.entry.purpose) == (200, "ETREAT")
    assert "30 minutes left" in chart.text
    assert (await person.get("/patient/bob")).status == 403  # without the purpose it stays shut
    made = await person.post(
        "/emergency/bob/write/note", key=str(uuid.uuid4()), kind="", title="", text="x y", do="send"
    )
    assert made.place == "/emergency/bob?done=note#notes"
    await clinic.integrate()
    assert (await person.post("/emergency/bob/close")).place == "/break-glass/bob/over"
    over = await person.get("/break-glass/bob/over")
    assert "Observation" in over.text
    assert (await person.get("/emergency/bob")).place == "/break-glass/bob"
    found = await clinic.system.services.reviews.newest()
    assert [review.about.reason for review in found if review.about] == [
        f"The patient cannot speak for themself: {WORDS}"
    ]


async def test_a_stranger_is_found_by_the_emergency_search_alone(clinic: Clinic) -> None:
    person = await at_console(clinic, "emergency")
    page = await person.post("/find", reason=WORDS, name="Lindqvist", birthdate="1970-02-28")
    assert page.entry is not None
    assert (page.entry.purpose, page.entry.patients) == ("ETREAT", ("bob",))
    assert "/break-glass/bob" in page.text
    assert (await person.post("/find", reason=WORDS, name="Lindqvist")).status == 400
    assert (await person.post("/find", reason="x", name="Lindqvist", birthdate="1970-02-28")).status == 422


async def test_a_supervisor_answers_for_an_emergency(clinic: Clinic) -> None:
    services = clinic.system.services
    emergency, physician = clinic.accounts["emergency"], clinic.accounts["physician"]
    await clinic.record("supervisor", prepare_supervisor(services.accounts, emergency, physician))
    opener = await at_console(clinic, "emergency")
    opened = await opener.post(
        "/break-glass/bob", why="urgent", words=WORDS, what="some", minutes="15", do="open", **{"scope-allergies": "on"}
    )
    assert opened.status == 303
    (review,) = await services.reviews.newest()
    person, path = await at_console(clinic), f"/reviews/{review.id.hex()}"
    assert f'href="{path}"' in (await person.get("/reviews")).text
    shown = await person.get(path)
    assert WORDS in shown.text
    assert "AllergyIntolerance" in shown.text
    assert (await opener.get(path)).status == 404  # not one's own, and no hint that it is there
    answer = {"verdict": "justified", "text": "Seen with the ward."}
    assert (await person.post(path, revision="1", verdict="maybe", text="")).status == 422
    assert (await person.post(path, revision=str(review.revision), **answer)).place == "/reviews"
    again = await person.post(path, revision=str(review.revision), **answer)
    assert again.status == 422
    (done,) = await services.reviews.newest()
    assert done.verdict == "justified"


async def test_the_chart_speaks_german(clinic: Clinic) -> None:
    person = await at_console(clinic)
    page = await person.get("/patient/ada", language="de")
    assert "Notiz schreiben" in page.text
    assert "Write a note" not in page.text
