"""A question about one access that looks wrong, put to the auditors, with a day by which it is answered."""

from dataclasses import dataclass

from carekeep.access import Action, Target
from carekeep.access.review_rows import Emergency, Review, Verdict
from carekeep.access.reviews import Question, ReviewRefused
from carekeep.audit import Entry
from carekeep.audit.views import looks
from carekeep.storage import Conflict
from carekeep.web.browser import read_form, redirect
from carekeep.web.fhir.auditing import AUDIT_EVENT, directory_of
from carekeep.web.http import Response
from carekeep.web.plain_json import id_of
from carekeep.web.portal.ledger_proofs import own_entry
from carekeep.web.portal.whose import patient_of
from carekeep.web.problems import problem
from carekeep.web.sites import Visit, nothing_here

MOST_OPEN = 20


@dataclass(frozen=True, slots=True)
class AskedOf:
    """A question as its patient sees it; ``answer`` is the reviewer's text, "" as long as there is none."""

    id: str
    asked_ms: int
    due_ms: int
    text: str
    verdict: Verdict
    answer: str
    answered_ms: int
    overdue: bool


def asked_of(review: Review, now_ms: int) -> AskedOf:
    """What is shown of a question."""
    about = review.about
    return AskedOf(
        review.id.hex(),
        review.opened_ms,
        review.due_ms,
        about.reason if about else "",
        review.verdict,
        about.text if about else "",
        review.answered_ms,
        review.is_overdue(now_ms),
    )


async def ask(to: Visit, method: str, entry: str) -> Response:
    """The form, and what is sent with it."""
    patient = await patient_of(to)
    decision = await to.require(Action.ACCESS_QUESTION, Target(AUDIT_EVENT, (patient,)))
    followed = await own_entry(to, patient, entry, decision)
    before = await _asked_before(to, patient, entry)
    if before is not None:
        return redirect(f"/who-looked/question/{before.id.hex()}")
    (look,) = looks([followed], patient, await directory_of(to.services, [followed]))
    text = (await read_form(to.request)).get("text") if method == "POST" else ""
    trouble = ""
    if method == "POST":
        try:
            return await _put(to, patient, entry, followed.entry, text)
        except ReviewRefused as refused:
            trouble = str(refused)
    await to.passage.record(
        Action.ACCESS_QUESTION,
        "failed" if trouble else "permitted",
        decision=decision,
        patients=(patient,),
        query=f"the form for a question about entry {entry}",
    )
    status = 422 if trouble else 200
    return to.page("who_looked_ask.html", status=status, look=look, entry=entry, text=text, trouble=trouble)


async def show(to: Visit, id_: str) -> Response:
    """One question, and how far it is."""
    patient = await patient_of(to)
    decision = await to.require(Action.DISCLOSURE_READ, Target(AUDIT_EVENT, (patient,)))
    found = await to.services.reviews.get(id_of(id_) or b"")
    is_own = found is not None and found.kind is Emergency.QUESTION and _is_about(found, patient)
    await to.passage.record(
        Action.DISCLOSURE_READ,
        "permitted" if is_own else "failed",
        decision=decision,
        patients=(patient,),
        query=f"question {id_[:32]}",
    )
    if found is None or not is_own:
        raise nothing_here()
    return to.page("who_looked_question.html", question=asked_of(found, to.services.clock()))


async def _put(to: Visit, patient: str, entry: str, about: Entry, text: str) -> Response:
    decision = await to.require(Action.ACCESS_QUESTION, Target(AUDIT_EVENT, (patient,)))
    known = await to.services.reviews.of_patient(patient, Emergency.QUESTION)
    if sum(each.is_open for each in known) >= MOST_OPEN:
        raise problem(429, "throttled", "Many of your questions are open. Wait for an answer before you ask more.")
    question = Question(
        patient=patient,
        entry=entry,
        asker=to.account.id.hex(),
        text=text,
        account=id_of(about.agent.account) or b"",
        concerned=about.agent.who or "",
        types=tuple(sorted({what.reference.partition("/")[0] for what in about.what})),
    )
    prepared = await to.services.reviews.prepare_question(question)
    id_ = prepared.value.id.hex()
    try:
        await to.passage.record(
            Action.ACCESS_QUESTION,
            "permitted",
            prepared,
            decision=decision,
            patients=(patient,),
            query=f"question {id_} about entry {entry}",
        )
    except Conflict:  # it was sent twice
        if await to.services.reviews.get(prepared.value.id) is None:
            raise
    return redirect(f"/who-looked/question/{id_}")


async def _asked_before(to: Visit, patient: str, entry: str) -> Review | None:
    known = await to.services.reviews.of_patient(patient, Emergency.QUESTION)
    return next((each for each in known if each.about is not None and each.about.entry == entry), None)


def _is_about(review: Review, patient: str) -> bool:
    return review.about is not None and review.about.patient == patient
