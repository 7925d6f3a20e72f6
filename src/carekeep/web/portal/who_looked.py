"""Who looked at my records, when and why: with a way to ask about it, to check it, and to take the list away.

``GET /who-looked`` the page; below it ``live`` (server-sent events), ``given`` and ``given.csv`` (the accounting of
disclosures), ``check/{entry}`` and ``proof/{entry}``, ``ask/{entry}`` and ``question/{id}``.
"""

import datetime
import hmac
from dataclasses import dataclass
from typing import Any, Final

from carekeep.access import Action, Decision, Target
from carekeep.access.review_rows import Emergency, Review
from carekeep.audit import About, Entry, Followed, Subject
from carekeep.audit.views import looks
from carekeep.fhir.documents.words import concept_text
from carekeep.web.fhir.auditing import AUDIT_EVENT, EntrySight, Period, directory_of
from carekeep.web.fhir.auditing.told import entries_about
from carekeep.web.http import Response, number
from carekeep.web.portal import access_questions, given_out, ledger_proofs
from carekeep.web.portal.looks import Line, arranged, line_of
from carekeep.web.portal.organizations import Organizations
from carekeep.web.portal.own_records import OwnRecords
from carekeep.web.portal.whose import patient_of
from carekeep.web.sites import Visit, nothing_here

_DAY_MS: Final = 86_400_000
_DAYS: Final = 30
_MOST_VISITS: Final = 50
_MOST_PLACES: Final = 40


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """The page, and what is below it."""
    match (method, rest):
        case ("GET", ()):
            return await _page(to)
        case ("GET", ("live",)):
            return await _live(to)
        case ("GET", ("given" | "given.csv" as form,)):
            return await given_out.answer(to, as_file=form == "given.csv")
        case ("GET", ("check", entry)):
            return await ledger_proofs.page(to, entry)
        case ("GET", ("proof", entry)):
            return await ledger_proofs.proof(to, entry)
        case ("GET" | "POST", ("ask", entry)):
            return await access_questions.ask(to, method, entry)
        case ("GET", ("question", id_)):
            return await access_questions.show(to, id_)
    raise nothing_here()


@dataclass(frozen=True, slots=True)
class Asked:
    """What the page was asked for. ``person``: whose looks, by a keyed digest; "" for everybody's."""

    since: datetime.date
    until: datetime.date
    person: str
    marked: bool
    number: int

    @classmethod
    def of(cls, to: Visit) -> "Asked":
        """The query's parameters; what cannot be read counts as not given."""
        given = dict(to.request.pairs())
        today = datetime.datetime.fromtimestamp(to.services.clock() / 1000, datetime.UTC).date()
        until = _date(given.get("until", "")) or today
        since = _date(given.get("since", "")) or until - datetime.timedelta(days=_DAYS)
        return cls(
            min(since, until),
            max(since, until),
            given.get("person", "")[:32],
            given.get("marked") == "1",
            number(given.get("page", "")) or 1,
        )

    @property
    def period(self) -> Period:
        """Both days whole, in UTC."""
        return Period(_start_ms(self.since), _start_ms(self.until) + _DAY_MS)


async def _page(to: Visit) -> Response:
    asked = Asked.of(to)
    patient = await patient_of(to)
    place = await to.streams.place()  # before the entries are read: the stream goes on from here
    sight = EntrySight(to.passage)
    decision = await to.require(Action.DISCLOSURE_READ, Target(AUDIT_EVENT, (patient,)))
    told = await entries_about(to.passage, sight, Subject(About.PATIENT, patient), asked.period)
    questions = await to.services.reviews.of_patient(patient, Emergency.QUESTION)
    lines = await _lines(to, patient, told.entries, questions)
    people = {to.services.keyring.index.digest("who looked", _name_of(each)).hex(): each.look.who for each in lines}
    chosen = [each for each in lines if _is_asked(to, asked, each)]
    visits = await _visits(to, asked)
    shown = arranged(chosen, to.account.fhir_user or "", visits, asked.number)
    await to.passage.record(
        Action.DISCLOSURE_READ,
        "permitted",
        decision=decision,
        patients=(patient,),
        query=f"Patient/{patient}/$who-looked?since={asked.since}&until={asked.until}",
    )
    values: dict[str, Any] = {
        "shown": shown,
        "asked": asked,
        "people": sorted(people.items(), key=lambda item: item[1]),
        "questions": [access_questions.asked_of(each, to.services.clock()) for each in questions],
        "cut": told.cut,
        "place": place,
        "live": asked.number == 1 and asked.period.has(to.services.clock()),
        "own": to.account.fhir_user,
        "here": _address(asked, asked.number),
        "newer": _address(asked, asked.number - 1) if shown.number > 1 else "",
        "older": _address(asked, shown.number + 1) if shown.number < shown.pages else "",
    }
    return to.page("who_looked_list.html" if to.is_fragment else "who_looked.html", **values)


async def _lines(to: Visit, patient: str, followed: tuple[Followed, ...], questions: tuple[Review, ...]) -> list[Line]:
    entries: dict[str, Entry] = {each.entry_id.hex(): each.entry for each in followed}
    directory = await directory_of(to.services, followed)
    asked = {each.about.entry: each.verdict.value for each in questions if each.about is not None}
    organizations = Organizations(to.passage, _MOST_PLACES)
    lines = []
    for look in looks(followed, patient, directory):
        question = next((asked[entry] for entry in look.entries if entry in asked), "")
        place = look.source or await organizations.of(look.reference or "")
        lines.append(line_of(look, entries, place, question))
    return lines


def _is_asked(to: Visit, asked: Asked, line: Line) -> bool:
    if asked.marked and line.mark is None:
        return False
    name = to.services.keyring.index.digest("who looked", _name_of(line)).hex()
    return not asked.person or hmac.compare_digest(asked.person.encode(), name.encode())


def _name_of(line: Line) -> str:
    return line.look.reference or line.look.who


async def _visits(to: Visit, asked: Asked) -> dict[int, tuple[str, ...]]:
    """The patient's visits in the period, by the start of their first day: what looks of that day belong to."""
    records = await OwnRecords.of(to)
    bounds = (("date", f"ge{asked.since}"), ("date", f"le{asked.until}"))
    if not (await to.passage.judge(Action.SEARCH, Target("Encounter"))).permitted:
        return {}
    encounters, _ = await records.find("Encounter", *bounds, most=_MOST_VISITS)
    found: dict[int, tuple[str, ...]] = {}
    for stored in encounters:
        day = _date(str(stored.resource.get("period", {}).get("start", ""))[:10])
        if day is not None:
            words = concept_text(next(iter(stored.resource.get("type", ())), {})) or "Visit"
            found[_start_ms(day)] = tuple(dict.fromkeys((*found.get(_start_ms(day), ()), words)))
    if encounters:
        records.show(encounters)
        await records.record(f"Encounter?patient={records.patient}")
    return found


async def _live(to: Visit) -> Response:
    patient = await patient_of(to)
    decision = await to.require(Action.DISCLOSURE_READ, Target(AUDIT_EVENT, (patient,)))
    assert to.session is not None  # noqa: S101 - pages are for those who came in
    own = to.account.id.hex()

    def is_news(entry: Entry) -> bool:  # one's own reading is none: else each page would call for the next
        return patient in entry.patients and entry.agent.account != own

    stream = await to.streams.about(to.request, to.session, is_news, "looked")
    await _record_stream(to, decision, patient)
    return stream


async def _record_stream(to: Visit, decision: Decision, patient: str) -> None:
    await to.passage.record(
        Action.DISCLOSURE_READ, "permitted", decision=decision, patients=(patient,), query="who looked, as it happens"
    )


def _address(asked: Asked, page: int) -> str:
    return (
        f"/who-looked?since={asked.since}&until={asked.until}&person={asked.person}"
        f"&marked={'1' if asked.marked else ''}&page={page}"
    )


def _date(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None


def _start_ms(day: datetime.date) -> int:
    return int(datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp() * 1000)
