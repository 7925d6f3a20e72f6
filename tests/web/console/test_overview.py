"""The overview, the events behind its numbers, and what auditors answer for. Attacks included."""

import pytest

from carekeep.access.reviews import Question
from carekeep.web.console.concerns import apps, emergencies, letters, questions
from tests.web.clinic import Clinic, on_sqlite
from tests.web.console.clinician import at_console
from tests.web.test_reviews import open_emergency, tidy

pytestmark = on_sqlite
HOSTILE = "<img src=x onerror=alert(1)>"
WHY = f"Why did this person look? {HOSTILE}"


async def ask_question(clinic: Clinic) -> str:
    account = clinic.accounts["physician"].id
    question = Question("ada", "ab" * 16, clinic.accounts["ada"].id.hex(), WHY, account=account)
    prepared = await clinic.system.services.reviews.prepare_question(question)
    await clinic.record("asked", prepared)
    return prepared.value.id.hex()


async def test_the_overview_counts_what_happened_and_links_to_it(clinic: Clinic) -> None:
    assert (await clinic.ask("GET", "Patient/bob", who="physician")).status in {403, 404}
    await ask_question(clinic)
    auditor = await at_console(clinic, "auditor")
    page = await auditor.get("/")
    assert page.status == 200, page.text
    assert 'href="/events?what=denied"' in page.text
    assert "Questions of patients: 1" in page.text
    assert page.entry is not None
    assert (page.entry.action, page.entry.outcome) == ("access:overview:read", "permitted")
    events = await auditor.get("/events?what=denied")
    assert events.status == 200
    assert "Practitioner/physician" in events.text
    assert events.entry is not None
    assert "bob" in events.entry.patients
    assert "Lindqvist" not in events.text
    assert (await auditor.get("/events?what=everything")).status == 404


async def test_an_administrator_sees_no_entries_of_the_ledger(clinic: Clinic) -> None:
    administrator = await at_console(clinic, "administrator")
    page = await administrator.get("/")
    assert page.status == 200, page.text
    assert "/events" not in page.text
    assert (await administrator.get("/events?what=denied")).status in {403, 404}
    assert (await administrator.get("/reviews")).status in {403, 404}


@pytest.mark.parametrize("path", ["/", "/events?what=denied"])
async def test_clinicians_see_neither(clinic: Clinic, path: str) -> None:
    page = await (await at_console(clinic)).get(path)
    assert "What happened" not in page.text
    assert page.status != 200


async def test_an_auditor_answers_a_question_of_a_patient(clinic: Clinic) -> None:
    id_ = await ask_question(clinic)
    auditor = await at_console(clinic, "auditor")
    assert f"/reviews/{id_}" in (await auditor.get("/reviews")).text
    page = await auditor.get(f"/reviews/{id_}")
    assert "ab" * 16 in page.text
    assert HOSTILE not in page.text
    assert "&lt;img" in page.text
    given = {"revision": "1", "verdict": "justified", "text": "It was the visit of that day."}
    assert (await auditor.forge(f"/reviews/{id_}", **given)).status == 403
    assert (await auditor.post(f"/reviews/{id_}", **given)).status == 303
    assert (await auditor.post(f"/reviews/{id_}", **given)).status == 422


async def test_a_letter_is_sent_once(clinic: Clinic) -> None:
    await clinic.put({"resourceType": "Patient", "id": "eve", "name": [{"family": "Sand"}]})
    await open_emergency(clinic, "eve")
    await tidy(clinic)
    (review,) = await clinic.system.services.reviews.open_ones()
    now = clinic.time()
    assert letters((review,), now) is not None
    assert questions((review,), now) is None
    late = emergencies((review,), review.due_ms)
    assert late is not None
    assert late.urgency == "late"
    path, auditor = f"/reviews/{review.id.hex()}", await at_console(clinic, "auditor")
    assert "A letter is due" in (await auditor.get(path)).text
    sent = {"revision": str(review.revision)}
    assert (await (await at_console(clinic)).post(f"{path}/letter-sent", **sent)).status in {403, 404}
    assert (await auditor.forge(f"{path}/letter-sent", **sent)).status == 403
    assert (await auditor.post(f"{path}/letter-sent", **sent)).status == 303
    assert (await auditor.post(f"{path}/letter-sent", **sent)).status == 422


async def test_nothing_is_no_concern(clinic: Clinic) -> None:
    assert (apps(0), emergencies((), clinic.time())) == (None, None)
