"""Requests for corrections: asked once, answered once by the care team, seen by nobody else."""

import asyncio
import uuid
from dataclasses import replace

import pytest

from carekeep.access import Action, Purpose
from carekeep.web.amending import NotAmendable, Wish, answer_request, ask_for, disagree, requests_of, rules
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.passage import Passage
from carekeep.web.problems import Problem
from tests.web.booking.test_booking import passage_of
from tests.web.clinic import NOON, Clinic, Json, on_sqlite

WORDS = "My knee was the left one, not the right one."
TASK: Json = rules.requested("a", "Patient/ada", "Condition/knee", WORDS, NOON)


def key() -> str:
    return str(uuid.uuid4())


async def clinician(clinic: Clinic, who: str) -> Passage:
    passage = await passage_of(clinic, who)
    passage.principal, passage.purpose = replace(passage.principal, assurance=2), Purpose.TREAT
    return passage


async def seen(clinic: Clinic, who: str) -> list[Wish]:
    passage = await passage_of(clinic, who)
    return await requests_of(Disclosure(passage), passage, (who,))


def test_a_request_says_when_it_is_due_and_is_answered_once() -> None:
    wish = rules.wish_of(TASK)
    assert wish is not None
    assert (wish.state, wish.days_left(NOON), wish.words, wish.about) == (
        "Waiting for an answer",
        60,
        WORDS,
        "Condition/knee",
    )
    assert wish.days_left(wish.due_ms + 1) == -1
    denied = rules.answered(TASK, "Practitioner/p", rules.DENIED, "It is accurate.", NOON + 1)
    with pytest.raises(NotAmendable):
        rules.answered(denied, "Practitioner/p", rules.ACCEPTED, "It is not accurate.", NOON + 2)
    stated = rules.wish_of(rules.disagreed(denied, "Patient/ada", "I was there, it was left.", NOON + 3))
    assert stated is not None
    assert (stated.words, stated.answer, stated.disagreement) == (WORDS, "It is accurate.", "I was there, it was left.")


@pytest.mark.parametrize(
    ("status", "text"), [("", "It is accurate."), ("requested", "It is accurate."), ("completed", "short")]
)
def test_an_answer_is_one_and_says_why(status: str, text: str) -> None:
    with pytest.raises(NotAmendable):
        rules.answered(TASK, "Practitioner/p", status, text, NOON)


@pytest.mark.parametrize("task", [{}, TASK | {"status": "draft"}, TASK | {"code": {"coding": [{"code": "amendment"}]}}])
def test_other_tasks_are_no_requests(task: Json) -> None:
    assert rules.wish_of(task) is None


async def test_the_same_form_twice_is_one_request_and_of_two_answers_one_counts(clinic: Clinic) -> None:
    form = key()
    passages = [await passage_of(clinic, "ada") for _ in range(4)]
    made = await asyncio.gather(*(ask_for(each, "ada", "", WORDS, form) for each in passages))
    assert set(made) == {form}
    entry_id = next(each.entry_id for each in passages if each.entry_id is not None)
    assert (await clinic.entry(entry_id.hex())).action == Action.AMENDMENT_ASK
    assert [each.id for each in await seen(clinic, "ada")] == [form]
    doctors = [await clinician(clinic, "physician") for _ in range(4)]
    done = await asyncio.gather(
        *(answer_request(each, form, "Practitioner/physician", "rejected", "It is accurate.") for each in doctors),
        return_exceptions=True,
    )
    assert [each for each in done if each is None] == [None], done
    assert all(isinstance(each, NotAmendable) for each in done if each is not None)
    await disagree(passages[0], "ada", form, "I was there, it was left.")
    (wish,) = await seen(clinic, "ada")
    assert (wish.state, wish.disagreement) == ("Denied", "I was there, it was left.")


@on_sqlite
async def test_nobody_else_asks_answers_or_sees(clinic: Clinic) -> None:
    form = key()
    await ask_for(await passage_of(clinic, "ada"), "ada", "", WORDS, form)
    bob, stranger = await passage_of(clinic, "bob"), await clinician(clinic, "emergency")
    acts = (
        (bob, ask_for(bob, "ada", "", WORDS, key()), 403),
        (bob, disagree(bob, "bob", form, WORDS), 404),
        (stranger, answer_request(stranger, form, "Practitioner/emergency", "completed", "She is right."), 404),
    )
    for passage, act, status in acts:
        with pytest.raises(Problem) as refused:
            await act
        assert refused.value.status == status
        assert passage.entry_id is not None
        assert (await clinic.entry(passage.entry_id.hex())).outcome == "denied"
    with pytest.raises(NotAmendable):  # somebody else's form
        await ask_for(bob, "bob", "", WORDS, form)
    assert await seen(clinic, "bob") == []
    assert [each.state for each in await seen(clinic, "ada")] == ["Waiting for an answer"]
