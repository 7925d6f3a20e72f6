"""``/reviews``: what emergencies leave open, for those whom it is put to.

``GET /reviews`` lists (``?state=open`` or ``overdue``), ``GET /reviews/{id}`` shows one with what was opened and
touched; ``POST /reviews/{id}/answer`` and ``POST /reviews/{id}/letter-sent`` finish it. Every question is decided by
itself: to see it takes the right to answer it.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from carekeep.access import Action, Decision, Target, owner_label
from carekeep.access.review_rows import Review, Verdict
from carekeep.access.reviews import ReviewChanged, ReviewRefused, target_of_review
from carekeep.identity import Account, Kind
from carekeep.storage import Prepared
from carekeep.web.denials import denied
from carekeep.web.http import Receive, Response, Scope, Send
from carekeep.web.passage import Passage
from carekeep.web.plain_json import Given, id_of, read_object, retried, serve, told
from carekeep.web.problems import problem
from carekeep.web.services import Services

_STATES = ("all", "open", "overdue")
_LONGEST_TEXT = 2_000

_Change = Callable[[Services, Review, Account, Given, int], Awaitable[Prepared[Review]]]


class ReviewRoutes:
    """The ASGI application at ``/reviews``."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        await serve(self._services, scope, receive, send, _route)


async def _route(passage: Passage) -> Response:
    match (passage.request.method, *passage.request.segments[1:]):
        case ("GET",):
            return await _list(passage)
        case ("GET", id_):
            return await _show(passage, id_)
        case ("POST", id_, "answer"):
            return await _change(passage, id_, _answer)
        case ("POST", id_, "letter-sent"):
            return await _change(passage, id_, _letter_sent)
    raise problem(404, "not-found", "There is nothing at this URL.")


async def _list(passage: Passage) -> Response:
    principal = await passage.authenticate(Action.REVIEW_READ)
    # Whoever asks for those that are put to them is their owner; which these are is decided one by one.
    decision = await passage.demand(Action.REVIEW_READ, Target(labels=(owner_label(principal.account_id),)))
    state = dict(passage.request.pairs()).get("state", "all")
    if state not in _STATES:
        raise problem(400, "value", f"state must be one of {', '.join(_STATES)}.")
    reviews, now = passage.services.reviews, passage.services.clock()
    everybody = principal.kind is Kind.AUDITOR
    found = await reviews.newest(put_to=None if everybody else bytes.fromhex(principal.account_id))
    if everybody and state != "all":
        found = await reviews.open_ones()
    shown = [
        each
        for each in found
        if (state == "all" or (each.is_open if state == "open" else each.is_overdue(now)))
        and (await passage.judge(Action.REVIEW_READ, target_of_review(each))).permitted
    ]
    await passage.record(Action.REVIEW_READ, "permitted", decision=decision, query=f"{len(shown)} reviews were listed")
    return told({"reviews": [brief(each, now) for each in shown]})


async def _show(passage: Passage, id_: str) -> Response:
    await passage.authenticate(Action.REVIEW_READ)
    review, decision = await _decided(passage, Action.REVIEW_READ, id_)
    clinician = await passage.services.accounts.get(review.clinician)
    answer = whole(review, passage.services.clock(), clinician)
    await passage.record(
        Action.REVIEW_READ,
        "permitted",
        decision=decision,
        patients=_patients(review),
        query=f"review {review.id.hex()}",
    )
    return told(answer)


async def _change(passage: Passage, id_: str, change: _Change) -> Response:
    await passage.authenticate(Action.REVIEW_ANSWER)
    given = await read_object(passage.request)
    revision = given.members.get("revision")
    if not isinstance(revision, int) or isinstance(revision, bool):
        raise problem(400, "value", "revision must be the number that the review was read with.")

    async def once() -> Response:
        review, decision = await _decided(passage, Action.REVIEW_ANSWER, id_)
        by = await passage.services.accounts.get(bytes.fromhex(passage.principal.account_id))
        if by is None:
            raise problem(403, "forbidden", "Your account is gone.")
        try:
            passage.services.reviews.require_reviewer(review, by)
            changed = await change(passage.services, review, by, given, revision)
        except ReviewChanged as refused:
            raise problem(409, "conflict", str(refused)) from None
        except ReviewRefused as refused:
            raise problem(422, "business-rule", str(refused)) from None
        await passage.record(
            Action.REVIEW_ANSWER,
            "permitted",
            changed,
            decision=decision,
            patients=_patients(review),
            query=f"review {review.id.hex()}: {changed.value.verdict}, letter {changed.value.letter}",
        )
        return told(brief(changed.value, passage.services.clock()))

    return await retried(once)


async def _answer(services: Services, review: Review, by: Account, given: Given, revision: int) -> Prepared[Review]:
    """The written answer; the text is sealed with the patient's key and stands in no entry."""
    try:
        verdict = Verdict(given.text("verdict", 20))
    except ValueError:
        raise problem(400, "value", "verdict must be justified, not-justified or follow-up.") from None
    return await services.reviews.prepare_answer(review, by, verdict, given.text("text", _LONGEST_TEXT), revision)


async def _letter_sent(services: Services, review: Review, by: Account, _: Given, revision: int) -> Prepared[Review]:
    return await services.reviews.prepare_letter_sent(review, by.id.hex(), revision)


async def _decided(passage: Passage, action: Action, text: str) -> tuple[Review, Decision]:
    """One question and the decision on it. Who may not see it is not told whether it is there."""
    id_ = id_of(text)
    review = None if id_ is None else await passage.services.reviews.get(id_)
    decision = await passage.judge(action, Target() if review is None else target_of_review(review))
    if not decision.permitted:
        await passage.record(action, "denied", decision=decision, query=f"review {text[:32]}")
        raise denied(decision, passage.principal)
    if review is None:
        raise problem(404, "not-found", "There is no review with this id.")
    return review, decision


def brief(review: Review, now_ms: int) -> Mapping[str, Any]:
    """What lists say of a question: who, when and how far, and no health data."""
    return {
        "id": review.id.hex(),
        "kind": review.kind,
        "clinician": review.clinician.hex(),
        "reviewer": review.reviewer.hex() or None,
        "opened_ms": review.opened_ms,
        "until_ms": review.until_ms,
        "due_ms": review.due_ms,
        "overdue": review.is_overdue(now_ms),
        "open": review.is_open,
        "verdict": "forgotten" if review.is_forgotten else review.verdict,
        "letter": review.letter,
        "answered_by": review.answered_by.hex() or None,
        "answered_ms": review.answered_ms or None,
        "revision": review.revision,
    }


def whole(review: Review, now_ms: int, clinician: Account | None) -> Mapping[str, Any]:
    """Everything that a reviewer goes by. Of a forgotten patient nothing is left."""
    facts = {**brief(review, now_ms), "clinician_name": clinician.name if clinician else None}
    about = review.about
    if about is None:
        return facts
    return facts | {
        "patient": about.patient or None,
        "reason": about.reason,
        "types": about.types,
        "touched": None if about.touched is None else dict(about.touched),
        "found": about.found,
        "text": about.text or None,
        "letter_by": review.letter_by or None,
        "letter_ms": review.letter_ms or None,
    }


def _patients(review: Review) -> tuple[str, ...]:
    return (review.about.patient,) if review.about is not None and review.about.patient else ()
