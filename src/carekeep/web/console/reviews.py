"""What I answer for: emergencies of my people, one by one."""

from dataclasses import dataclass, field
from typing import Final

from carekeep.access import Action, Decision, Target, owner_label
from carekeep.access.review_rows import FINAL, Review, Verdict
from carekeep.access.reviews import ReviewChanged, ReviewRefused, target_of_review
from carekeep.identity import Kind
from carekeep.web.browser import Form, read_form, redirect
from carekeep.web.http import Response, number
from carekeep.web.plain_json import id_of
from carekeep.web.sites import Visit, nothing_here

VERDICTS: Final = {
    Verdict.JUSTIFIED: "It was justified",
    Verdict.NOT_JUSTIFIED: "It was not justified",
    Verdict.FOLLOW_UP: "Something is to be done first",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One question as the pages show it."""

    review: Review
    clinician: str = field(repr=False)
    overdue: bool
    answered: bool


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/reviews``, ``/reviews/{id}`` and ``/reviews/{id}/letter-sent``."""
    match (method, *rest):
        case ("GET",):
            return await _list(to)
        case ("GET", id_):
            return await _show(to, id_)
        case ("POST", id_):
            return await _answer(to, id_)
        case ("POST", id_, "letter-sent"):
            return await _letter_sent(to, id_)
    raise nothing_here()


async def _list(to: Visit) -> Response:
    """Those that are put to me, what is open first; to an auditor all that are open, and the newest."""
    me = to.passage.principal.account_id
    decision = await to.require(Action.REVIEW_READ, Target(labels=(owner_label(me),)))
    reviews = to.services.reviews
    if to.account.kind is Kind.AUDITOR:
        found = tuple({each.id: each for each in (*await reviews.open_ones(), *await reviews.newest())}.values())
    else:
        found = await reviews.newest(put_to=bytes.fromhex(me))
    shown = [
        await _question(to, each)
        for each in found
        if (await to.passage.judge(Action.REVIEW_READ, target_of_review(each))).permitted
    ]
    query = f"{len(shown)} reviews were listed"
    await to.passage.record(Action.REVIEW_READ, "permitted", decision=decision, query=query)
    waiting = [each for each in shown if not each.answered]
    return to.page("reviews.html", waiting=waiting, done=[each for each in shown if each.answered])


async def _show(to: Visit, id_: str) -> Response:
    review, decision = await _decided(to, Action.REVIEW_READ, id_)
    return await _page(to, review, decision, Form({}))


async def _answer(to: Visit, id_: str) -> Response:
    form = await read_form(to.request)
    review, decision = await _decided(to, Action.REVIEW_ANSWER, id_)
    revision = number(form.get("revision"))
    if revision is None or form.get("verdict") not in set(VERDICTS):
        return await _page(to, review, decision, form, "Please choose an answer.", 422)
    try:
        to.services.reviews.require_reviewer(review, to.account)
        verdict = Verdict(form.get("verdict"))
        text = form.get("text").replace("\r\n", "\n")
        changed = await to.services.reviews.prepare_answer(review, to.account, verdict, text, revision)
    except ReviewRefused as refused:
        status = 409 if isinstance(refused, ReviewChanged) else 422
        return await _page(to, review, decision, form, str(refused), status)
    query = f"review {review.id.hex()}: {changed.value.verdict}, letter {changed.value.letter}"
    await to.passage.record(
        Action.REVIEW_ANSWER, "permitted", changed, decision=decision, patients=_patients(review), query=query
    )
    return redirect("/reviews")


async def _letter_sent(to: Visit, id_: str) -> Response:
    form = await read_form(to.request)
    review, decision = await _decided(to, Action.REVIEW_ANSWER, id_)
    try:
        to.services.reviews.require_reviewer(review, to.account)
        revision = number(form.get("revision")) or 0
        changed = await to.services.reviews.prepare_letter_sent(review, to.account.id.hex(), revision)
    except ReviewRefused as refused:
        status = 409 if isinstance(refused, ReviewChanged) else 422
        return await _page(to, review, decision, form, str(refused), status)
    query = f"review {review.id.hex()}: {changed.value.verdict}, letter {changed.value.letter}"
    await to.passage.record(
        Action.REVIEW_ANSWER, "permitted", changed, decision=decision, patients=_patients(review), query=query
    )
    return redirect(f"/reviews/{review.id.hex()}")


async def _page(
    to: Visit, review: Review, decision: Decision, form: Form, problem: str = "", status: int = 200
) -> Response:
    question = await _question(to, review)
    await to.passage.record(
        Action.REVIEW_READ,
        "permitted",
        decision=decision,
        patients=_patients(review),
        query=f"review {review.id.hex()}",
    )
    return to.page("review.html", status=status, question=question, form=form, problem=problem, verdicts=VERDICTS)


async def _decided(to: Visit, action: Action, text: str) -> tuple[Review, Decision]:
    """One question. Who may not see it is told the same as of one that is not there."""
    id_ = id_of(text)
    review = None if id_ is None else await to.services.reviews.get(id_)
    decision = await to.passage.judge(action, Target() if review is None else target_of_review(review))
    if review is None or not decision.permitted:
        if review is not None and decision.step_up is not None:
            await to.require(action, target_of_review(review))
        outcome = decision if not decision.permitted else None
        await to.passage.record(action, "denied", decision=outcome, query=f"review {text[:32]}")
        raise nothing_here()
    return review, decision


async def _question(to: Visit, review: Review) -> Question:
    clinician = await to.services.accounts.get(review.clinician)
    name = clinician.name if clinician else "?"
    over = review.is_overdue(to.services.clock())
    return Question(review, name, over, review.verdict in FINAL or review.is_forgotten)


def _patients(review: Review) -> tuple[str, ...]:
    return (review.about.patient,) if review.about is not None and review.about.patient else ()
