"""The second look over HTTP: what is known around a plan, and the answer that asks before anything leaves."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from carekeep.access import Action, Decision
from carekeep.access.sharing import Around, Plan, Question, questions
from carekeep.fhir import parse_query
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.http import Response
from carekeep.web.passage import Passage, what_of
from carekeep.web.plain_json import told
from carekeep.web.problems import problem

ASK = 428  # RFC 6585 §3: the request is fine, but something must be said first
_MOST_OTHERS = 200


@dataclass(frozen=True, slots=True)
class Subject:
    """The patient whom something is about, as the records know them."""

    record: Stored
    name: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Look:
    """``questions``: what is asked instead of going on. ``note``: what the ledger says of it when it went on."""

    questions: tuple[Question, ...] = ()
    confirmation: str = ""
    note: str = ""

    @property
    def answer(self) -> Response:
        """The questions for a program."""
        asked = [{"code": question.code, "text": question.text} for question in self.questions]
        return told({"questions": asked, "confirmation": self.confirmation}, ASK)


async def subject_of(passage: Passage, patient_id: str) -> Subject:
    """The Patient record, for its name. Raises 404; to be asked only by those who may share."""
    try:
        stored = await passage.services.vault.read("Patient", patient_id)
    except (NotFound, Forgotten):
        stored = None
    if stored is None or stored.deleted:
        raise problem(404, "not-found", "There are no records of this patient here.")
    return Subject(stored, name_in(stored.resource))


async def look(
    passage: Passage, action: Action, decision: Decision, subject: Subject, plan: Plan, confirmation: str
) -> Look:
    """Asks, unless there is nothing to ask or the sender said yes to exactly this; asking is recorded too."""
    others = await _others(passage, plan.patient)
    asked = questions(plan, await _around(passage, plan, others))
    if not asked:
        return Look()
    codes = ", ".join(question.code for question in asked)
    confirmations = passage.services.sharing.confirmations
    if confirmation and confirmations.is_yes(plan, asked, confirmation):
        return Look(note=f"; asked again ({codes}) and confirmed")
    shown = [subject.record, *_named(others, " ".join(question.text for question in asked))]
    await passage.record(
        action,
        "failed",
        decision=decision,
        what=tuple(map(what_of, shown)),
        patients=dict.fromkeys(patient for each in shown for patient in each.patients),
        query=f"asked again before anything leaves: {codes}",
    )
    return Look(tuple(asked), confirmations.ask(plan, asked))


def name_in(resource: dict[str, Any]) -> str:
    """A patient's name in words."""
    names = [name for name in resource.get("name", ()) if isinstance(name, dict)]
    if not names:
        return "a patient without a name"
    name = names[0]
    return name.get("text") or " ".join([*name.get("given", ()), name.get("family", "")]).strip() or "a patient"


async def _others(passage: Passage, patient_id: str) -> list[Stored]:
    """The sender's other patients, those whom they may see, at most 200; nobody else's name comes into a question."""
    panel = sorted((await passage.patients_in_sight() or frozenset()) - {patient_id})[:_MOST_OTHERS]
    return [
        stored
        async for stored in passage.services.vault.read_all(f"Patient/{id_}" for id_ in panel)
        if (await passage.judge(Action.READ, passage.target_of(stored))).permitted
    ]


async def _around(passage: Passage, plan: Plan, others: list[Stored]) -> Around:
    known = await passage.services.sharing.recipients.domains() if plan.recipient else frozenset[str]()
    near = await _near(passage, plan.recipient.casefold(), others) if plan.recipient else []
    return Around(known, tuple(near), tuple(name_in(each.resource) for each in others))


async def _near(passage: Passage, address: str, others: list[Stored]) -> list[str]:
    """The names of those of the others whose own address this is, or that of somebody whom their record names."""
    of_people = {stored.id for stored in others}
    near = {stored.id for stored in others if address in _addresses(stored.resource)}
    if of_people:
        query = parse_query("RelatedPerson", [("email", address)], lenient=False)
        async for related in passage.services.vault.search_all(query, of_people):
            near.update(of_people.intersection(related.patients))
    return [name_in(stored.resource) for stored in others if stored.id in near]


def _addresses(resource: dict[str, Any]) -> set[str]:
    contacts = [resource, *(each for each in resource.get("contact", ()) if isinstance(each, dict))]
    points = [point for each in contacts for point in each.get("telecom", ()) if isinstance(point, dict)]
    return {str(point.get("value", "")).casefold() for point in points if point.get("system") == "email"}


def _named(others: Iterable[Stored], text: str) -> list[Stored]:
    return [stored for stored in others if name_in(stored.resource) in text]
