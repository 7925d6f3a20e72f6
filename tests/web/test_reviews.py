"""What an emergency leaves open: who answers for it, who cannot, and what becomes of it. Attacks included."""

import asyncio
from dataclasses import replace

from carekeep.identity import Kind
from carekeep.identity.supervising import prepare_supervisor
from carekeep.web.housekeeping import Housekeeping
from tests.web.admins import ask, new_account, sign_in
from tests.web.clinic import Answer, Clinic, Json, on_sqlite

REASON = "Unconscious after a fall, allergies unknown."
TEXT = "Seen with the ward: nobody else could be asked."
HOUR_MS = 3_600_000
ETREAT = {"x-purpose-of-use": "ETREAT"}


def parameters(**values: object) -> Json:
    """A Parameters resource; a list is a parameter that is repeated."""
    rows = [(name, each) for name, value in values.items() for each in (value if isinstance(value, list) else [value])]
    kinds = {"minutes": "valueInteger", "type": "valueCode"}
    return {
        "resourceType": "Parameters",
        "parameter": [{"name": name, kinds.get(name, "valueString"): value} for name, value in rows],
    }


async def open_emergency(clinic: Clinic, patient: str = "bob", who: str = "emergency", **more: object) -> Answer:
    opened = await clinic.ask("POST", f"Patient/{patient}/$break-glass", parameters(reason=REASON, **more), who=who)
    assert opened.status == 200, opened.body
    return opened


async def supervised(clinic: Clinic, login: str = "emergency", by: str = "chief") -> None:
    """``chief`` is a physician who answers for somebody."""
    if by not in clinic.accounts:
        await new_account(clinic, by, Kind.PRACTITIONER, f"Practitioner/{by}")
        await sign_in(clinic, by)
    services = clinic.system.services
    account = await services.accounts.get(clinic.accounts[login].id)
    assert account is not None
    await clinic.record("supervisor", prepare_supervisor(services.accounts, account, clinic.accounts[by]))


async def only_review(clinic: Clinic, who: str = "auditor") -> Json:
    """The one question there is, as somebody sees it."""
    listed = await ask(clinic, "GET", "/reviews", who=who)
    assert listed.status == 200, listed.body
    (found,) = listed.json["reviews"]
    shown = await ask(clinic, "GET", f"/reviews/{found['id']}", who=who)
    assert shown.status == 200, shown.body
    return shown.json


async def answer(clinic: Clinic, review: Json, who: str, verdict: str = "justified", **more: object) -> Answer:
    body = {"verdict": verdict, "text": TEXT, "revision": review["revision"], **more}
    return await ask(clinic, "POST", f"/reviews/{review['id']}/answer", body, who=who)


async def tidy(clinic: Clinic) -> None:
    await clinic.integrate()
    await Housekeeping(clinic.system.services).tidy()


@on_sqlite
async def test_the_question_is_made_with_the_emergency_and_put_to_the_supervisor(clinic: Clinic) -> None:
    await supervised(clinic)
    opened = await open_emergency(clinic, minutes=30)
    review = await only_review(clinic, "chief")
    assert opened.entry is not None
    assert f"review {review['id']}" in (opened.entry.query or "")
    assert (review["reviewer"], review["reason"]) == (clinic.accounts["chief"].id.hex(), REASON)
    assert (review["patient"], review["types"], review["touched"]) == ("bob", [], None)
    assert review["until_ms"] - review["opened_ms"] == 30 * 60_000
    assert review["due_ms"] - review["opened_ms"] == 72 * HOUR_MS
    assert (await answer(clinic, review, "chief")).status == 200
    done = await only_review(clinic)
    assert (done["verdict"], done["text"]) == ("justified", TEXT)
    assert done["answered_by"] == clinic.accounts["chief"].id.hex()
    assert done["open"]  # the patient was not told yet


async def test_afterwards_it_says_what_was_touched_and_the_patient_has_a_notice(clinic: Clinic) -> None:
    await open_emergency(clinic)
    for path in ("Patient/bob", "Observation/bob-pulse", "Observation/bob-pulse-2", "Observation/bob-pulse"):
        assert (await clinic.ask("GET", path, who="emergency", headers=ETREAT)).status == 200
    await tidy(clinic)
    assert (await only_review(clinic))["letter"] == "told"
    told = await clinic.system.services.notices.of(clinic.accounts["bob"].id)
    assert [(notice.kind, notice.facts["by"]) for notice in told] == [("emergency.opened", "The emergency")]
    clinic.time.now_ms += HOUR_MS + 20_000
    await tidy(clinic)
    review = await only_review(clinic)
    assert review["touched"] == {"Observation": 2, "Patient": 1}
    await answer(clinic, review, "auditor")
    assert not (await only_review(clinic))["open"]
    await tidy(clinic)
    assert len(await clinic.system.services.notices.of(clinic.accounts["bob"].id)) == 1


@on_sqlite
async def test_a_patient_without_an_account_is_owed_a_letter_until_somebody_sent_it(clinic: Clinic) -> None:
    assert (await clinic.put({"resourceType": "Patient", "id": "eve", "name": [{"family": "Sand"}]})).status == 201
    await open_emergency(clinic, "eve")
    await tidy(clinic)
    review = await only_review(clinic)
    assert review["letter"] == "due"
    sent = f"/reviews/{review['id']}/letter-sent"
    assert (await ask(clinic, "POST", sent, {"revision": review["revision"]}, who="physician")).status == 403
    done = await ask(clinic, "POST", sent, {"revision": review["revision"]}, who="auditor")
    assert (done.status, done.json["letter"]) == (200, "sent")
    again = await ask(clinic, "POST", sent, {"revision": done.json["revision"]}, who="auditor")
    assert again.status == 422


@on_sqlite
async def test_nobody_answers_for_themself(clinic: Clinic) -> None:
    """Not as the clinician, not as a supervisor that they made of themself, not by another account of theirs."""
    await new_account(clinic, "twin", Kind.AUDITOR, "Practitioner/emergency")
    await sign_in(clinic, "twin")
    await open_emergency(clinic)
    review = await only_review(clinic)
    for who in ("emergency", "twin"):
        for refused in (
            await answer(clinic, review, who),
            await ask(clinic, "GET", f"/reviews/{review['id']}", who=who),
        ):
            assert refused.status == 403, who
            assert refused.entry is not None
            assert refused.entry.outcome == "denied"
    assert (await ask(clinic, "GET", "/reviews", who="twin")).json["reviews"] == []


@on_sqlite
async def test_somebody_elses_supervisor_and_everybody_else_see_nothing(clinic: Clinic) -> None:
    await supervised(clinic)
    await supervised(clinic, "physician", by="other")
    await open_emergency(clinic)
    review = await only_review(clinic, "chief")
    assert (await ask(clinic, "GET", "/reviews", who="other")).json["reviews"] == []
    for who in ("other", "physician", "ada", "bob", "engine", "app", "administrator"):
        assert (await answer(clinic, review, who)).status == 403, who
        assert (await ask(clinic, "GET", f"/reviews/{review['id']}", who=who)).status == 403, who
        assert (await ask(clinic, "GET", f"/reviews/{'0' * 32}", who=who)).status == 403, who
    assert (await ask(clinic, "GET", "/reviews", who=None)).status == 401


async def test_it_is_answered_once(clinic: Clinic) -> None:
    await open_emergency(clinic)
    review = await only_review(clinic)
    both = await asyncio.gather(answer(clinic, review, "auditor"), answer(clinic, review, "auditor", "not-justified"))
    assert sorted(each.status for each in both) in ([200, 409], [200, 422])
    assert (await answer(clinic, await only_review(clinic), "auditor")).status == 422
    assert (await answer(clinic, review, "auditor")).status in {409, 422}


@on_sqlite
async def test_a_follow_up_stays_open_and_gets_time(clinic: Clinic) -> None:
    await open_emergency(clinic)
    review = await only_review(clinic)
    clinic.time.now_ms += 80 * HOUR_MS
    for who in ("auditor",):
        await sign_in(clinic, who)
    overdue = await ask(clinic, "GET", "/reviews?state=overdue", who="auditor")
    assert [each["id"] for each in overdue.json["reviews"]] == [review["id"]]
    assert (await answer(clinic, review, "auditor", "follow-up")).status == 200
    later = await only_review(clinic)
    assert (later["overdue"], later["open"], later["verdict"]) == (False, True, "follow-up")
    assert later["due_ms"] == clinic.time.now_ms + 72 * HOUR_MS
    assert (await answer(clinic, later, "auditor", "not-justified")).status == 200


async def test_of_a_patient_who_was_forgotten_nothing_is_left_to_answer(clinic: Clinic) -> None:
    await open_emergency(clinic)
    review = await only_review(clinic)
    services = clinic.system.services
    await clinic.record("forgotten", await services.vault.prepare_forget("bob"))
    services.keyring.forget_cached()
    gone = await only_review(clinic)
    assert (gone["verdict"], gone["open"], gone["overdue"]) == ("forgotten", False, False)
    assert not {"reason", "patient", "text"} & gone.keys()
    assert (await answer(clinic, review, "auditor")).status == 422
    await tidy(clinic)  # which would tell the patient
    clinic.time.now_ms += 2 * HOUR_MS
    await tidy(clinic)
    assert [finding async for finding in services.reviews.verify()] == []
    assert await services.reviews.to_look_at() == ()


@on_sqlite
async def test_without_a_supervisor_who_can_be_asked_the_auditors_are(clinic: Clinic) -> None:
    await supervised(clinic)
    services = clinic.system.services
    chief = await services.accounts.get(clinic.accounts["chief"].id)
    assert chief is not None
    await clinic.record("gone", services.accounts.prepare_change(replace(chief, disabled=True)))
    await open_emergency(clinic)
    review = await only_review(clinic)
    assert review["reviewer"] is None
    assert (await answer(clinic, review, "auditor")).status == 200


BAD_ANSWERS: tuple[tuple[Json, int], ...] = (
    ({"verdict": "open"}, 422),
    ({"verdict": "fine"}, 400),
    ({"text": "short"}, 422),
    ({"text": "x" * 2001}, 400),
    ({"text": "a text with \x07 a bell"}, 422),
    ({"text": 1}, 400),
    ({"revision": "1"}, 400),
    ({"revision": True}, 400),
    ({"revision": 7}, 409),
)


@on_sqlite
async def test_bad_answers_change_nothing(clinic: Clinic) -> None:
    await open_emergency(clinic)
    review = await only_review(clinic)
    for body, status in BAD_ANSWERS:
        assert (await answer(clinic, review, "auditor", **body)).status == status, body
    assert (await only_review(clinic))["revision"] == review["revision"]


@on_sqlite
async def test_the_scope_of_an_emergency_is_kept(clinic: Clinic) -> None:
    await open_emergency(clinic, type=["Condition"])
    assert (await only_review(clinic))["types"] == ["Condition"]
    seen = {
        path: (await clinic.ask("GET", path, who="emergency", headers=ETREAT)).status
        for path in ("Patient/bob", "Condition/bob-asthma", "Observation/bob-pulse")
    }
    assert seen == {"Patient/bob": 200, "Condition/bob-asthma": 200, "Observation/bob-pulse": 403}
    found = await clinic.ask("GET", "Observation?patient=bob", who="emergency", headers=ETREAT)
    assert found.json.get("total", 0) == 0
    await open_emergency(clinic)  # and it can always be widened, with another reason
    assert (await clinic.ask("GET", "Observation/bob-pulse", who="emergency", headers=ETREAT)).status == 200


@on_sqlite
async def test_a_scope_or_time_that_cannot_be_is_refused(clinic: Clinic) -> None:
    bad: list[tuple[Json, int]] = [({"type": ["Nothing"]}, 422), ({"minutes": 0}, 422), ({"minutes": 241}, 422)]
    for more, status in (*bad, ({"minutes": -1}, 400), ({"hours": 1}, 400)):
        body = parameters(reason=REASON, **more)
        refused = await clinic.ask("POST", "Patient/bob/$break-glass", body, who="emergency")
        assert refused.status == status, more


@on_sqlite
async def test_administrators_say_who_answers_for_whom(clinic: Clinic) -> None:
    await sign_in(clinic, "administrator")
    await new_account(clinic, "chief", Kind.PRACTITIONER, "Practitioner/chief")
    ids = {login: account.id.hex() for login, account in clinic.accounts.items()}
    path = f"/admin/accounts/{ids['emergency']}/supervisor"
    set_ = await ask(clinic, "POST", path, {"supervisor": ids["chief"]})
    assert (set_.status, set_.json["supervisor"]) == (200, ids["chief"])
    for wrong, status in ((ids["emergency"], 422), (ids["ada"], 422), (ids["engine"], 422), ("0" * 32, 404), (1, 400)):
        assert (await ask(clinic, "POST", path, {"supervisor": wrong})).status == status
    cleared = await ask(clinic, "POST", path, {"supervisor": None})
    assert cleared.json["supervisor"] is None


@on_sqlite
async def test_nothing_of_it_can_be_read_in_the_database_or_a_repr(clinic: Clinic) -> None:
    await open_emergency(clinic)
    services = clinic.system.services
    (review,) = await services.reviews.newest()
    assert (REASON in repr(review), "'bob'" in repr(review)) == (False, False)
    row = await services.database.fetch_one("SELECT sealed, about FROM review")
    assert row is not None
    assert b"Unconscious" not in row[0] + row[1]
