"""``AuditEvent?…``: search in the ledger (as IHE ITI-81 does), by every parameter that R4 has for AuditEvent.

What is about a patient or of an agent is found by the index of entries; other searches walk the log backwards. A page
ends when it is full or when enough entries were looked at, so it may hold fewer events than asked for, or none, and
have a next page all the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from carekeep.access import Action
from carekeep.audit import Followed, What
from carekeep.audit.entry_index import About, Subject
from carekeep.audit.views import audit_events as events_of
from carekeep.fhir import Query, dump_json, interval_of, parse_query, summarised, with_elements
from carekeep.web.fhir.auditing.reading import entry_of, server_of
from carekeep.web.fhir.auditing.sight import AUDIT_EVENT, EntrySight
from carekeep.web.fhir.auditing.told import STALE
from carekeep.web.fhir.bodies import check_format, lenient
from carekeep.web.fhir.continuation import CURSOR, Continuation, continuation
from carekeep.web.fhir.sight import SortedPosition
from carekeep.web.http import BadRequest, Response, form_pairs
from carekeep.web.passage import Passage, together
from carekeep.web.problems import problem

Json = dict[str, Any]
Pair = tuple[str, str]
EXAMINED = 5_000  # entries that are looked at for one page
_MAX_FORM = 64 * 1024
_FOREVER = 1 << 60


async def audit_events(passage: Passage, patient: str | None = None) -> Response:
    """``GET AuditEvent?…``, and of a patient's compartment ``GET Patient/[id]/AuditEvent?…``."""
    await passage.authenticate(Action.DISCLOSURE_READ)
    return await _answer(passage, passage.request.pairs(), patient, posted=False)


async def audit_events_by_post(passage: Passage, patient: str | None = None) -> Response:
    """``POST …/AuditEvent/_search``."""
    await passage.authenticate(Action.DISCLOSURE_READ)
    content_type = (passage.request.header(b"content-type") or "").split(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise problem(415, "not-supported", "Send application/x-www-form-urlencoded.")
    body = await passage.request.body(_MAX_FORM)
    if not body.isascii():
        raise BadRequest("The form is not percent-encoded UTF-8.")
    return await _answer(passage, passage.request.pairs() + form_pairs(body.decode("ascii")), patient, posted=True)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A search that was read. ``patient``: only entries about this one, and of them only what is about them."""

    query: Query
    page: Continuation
    patient: str | None
    subject: Subject | None
    since_ms: int
    until_ms: int | None

    @property
    def after(self) -> str | None:
        """The id of the last event of the page before."""
        return self.page.after.reference if isinstance(self.page.after, SortedPosition) else None


@dataclass(slots=True)
class _Page:
    """Events that were found. ``last`` is the last event that was looked at; None at the search's end."""

    events: list[Json]
    patients: dict[str, None]
    last: str | None = None


async def _answer(passage: Passage, pairs: Sequence[Pair], patient: str | None, *, posted: bool) -> Response:
    sight = EntrySight(passage)
    asked = _read(passage, pairs, patient, sight.own_patient(), posted=posted)
    allowed = await sight.demand((asked.patient,) if asked.patient else (), found=True)
    page = await _find(passage, asked, sight)
    await passage.record(
        Action.DISCLOSURE_READ,
        "permitted",
        decision=together([allowed, *(each for each in sight.decisions if each != allowed)]),
        what=tuple(What(f"{AUDIT_EVENT}/{event['id']}") for event in page.events),
        patients=page.patients,
        query=f"{asked.page.path}?{urlencode(asked.page.pairs)}",
    )
    return Response(200, dump_json(_bundle(passage, asked, page)))


def _read(passage: Passage, pairs: Sequence[Pair], patient: str | None, own: str | None, *, posted: bool) -> _Asked:
    """Raises QueryError and Problem (400, 406)."""
    check_format([value for name, value in pairs if name == "_format"])
    path = AUDIT_EVENT if patient is None else f"Patient/{patient}/{AUDIT_EVENT}"
    tokens = [value for name, value in pairs if name == CURSOR]
    if len(tokens) > 1:
        raise problem(400, "invalid", f"{CURSOR} may be given once.", CURSOR)
    base = f"{passage.services.fhir_url}/"
    given = tuple((name, value.removeprefix(base)) for name, value in pairs)
    page = continuation(passage, path, tokens[0]) if tokens else Continuation(path, given, posted, None)
    query = parse_query(AUDIT_EVENT, page.pairs, lenient=lenient(passage.request))
    _check_shape(query, page.pairs)
    named = patient or _only(page.pairs, "patient", "Patient")
    about = named or own
    agent = _only(page.pairs, "agent", None)
    subject = Subject(About.PATIENT, about) if about else Subject(About.AGENT, agent) if agent else None
    since, until = _period(page.pairs)
    used = Continuation(path, query.self_link, page.posted, page.after)
    return _Asked(query, used, about, subject, since, until)


def _check_shape(query: Query, pairs: Sequence[Pair]) -> None:
    control = query.control
    if query.links or query.code_sets or query.includes:
        raise problem(400, "not-supported", "A search of AuditEvents takes no chains, includes or value sets.")
    if control.total not in {None, "none"} or control.summary == "count" or control.count == 0:
        raise problem(400, "not-supported", "The events that match are not counted. Follow the next links.")
    if [value for name, value in pairs if name == "_sort"] not in ([], ["-date"]):
        raise problem(400, "not-supported", "AuditEvents come newest first: _sort=-date.", "_sort")


def _only(pairs: Sequence[Pair], name: str, type_: str | None) -> str | None:
    """The one reference that a parameter names, without the type if ``type_`` says it; None if it is not so plain."""
    values = [value for given, value in pairs if given in {name, f"{name}:{type_}"}]
    if len(values) != 1 or "," in values[0] or "|" in values[0]:
        return None
    value = values[0]
    if type_ is None:
        return value if "/" in value and ":" not in value else None
    value = value.removeprefix(f"{type_}/")
    return None if "/" in value else value


def _period(pairs: Sequence[Pair]) -> tuple[int, int | None]:
    """The time in which everything that matches was recorded, at the least; to save looking at the rest."""
    since, until = 0, _FOREVER
    for name, text in pairs:
        if name != "date" or "," in text:
            continue
        prefix, moment = (text[:2], text[2:]) if text[:2].isalpha() else ("eq", text)
        period = interval_of(moment.replace(" ", "+"))
        if period is None:
            continue
        if prefix in {"eq", "ge", "gt", "sa"}:
            since = max(since, period.start)
        if prefix in {"eq", "le", "lt", "eb"}:
            until = min(until, period.end)
    return since, None if until == _FOREVER else until


async def _find(passage: Passage, asked: _Asked, sight: EntrySight) -> _Page:
    page = _Page([], {})
    after = None
    if asked.after is not None:
        begun = await entry_of(passage, asked.after)
        if begun is None:
            raise problem(400, "value", "Follow the link of a page as it was given.", CURSOR)
        after = begun.entry_id
        if await _take(passage, asked, sight, page, begun):
            return page
    examined = stale = 0
    async for followed in passage.services.entry_index.newest_first(asked.subject, after, asked.until_ms):
        stale = stale + 1 if followed.entry.at_ms < asked.since_ms else 0
        if stale >= STALE:
            break
        if examined >= EXAMINED:
            return page
        examined += 1
        if await _take(passage, asked, sight, page, followed):
            return page
        page.last = followed.entry_id.hex() + _BEHIND_ALL
    page.last = None
    return page


_BEHIND_ALL = ".~"  # no event has this id: it stands behind all events of an entry


async def _take(passage: Passage, asked: _Asked, sight: EntrySight, page: _Page, followed: Followed) -> bool:
    """Add what matches of an entry. Returns whether the page is full, and there was more."""
    shown = await sight.of(followed, asked.patient, found=True)
    if shown is None:
        return False
    events = events_of(shown, server_of(passage))
    if asked.after is not None and asked.after.startswith(followed.entry_id.hex()):
        ids = [event["id"] for event in events]
        events = events[ids.index(asked.after) + 1 :] if asked.after in ids else ()
    for event in events:
        if not asked.query.matches(event):
            continue
        if len(page.events) >= asked.query.count:
            page.last = page.events[-1]["id"]
            return True
        page.events.append(event)
        page.patients |= dict.fromkeys(shown.entry.patients)
    return False


def _bundle(passage: Passage, asked: _Asked, page: _Page) -> Json:
    base = passage.services.fhir_url
    path, pairs = asked.page.path, asked.page.pairs
    opened = f"{base}/{path}?{urlencode(pairs)}".rstrip("?")
    start = Continuation(path, pairs, asked.page.posted, None).url(passage) if asked.page.posted else opened
    links = [{"relation": "self", "url": start if asked.page.after is None else asked.page.url(passage)}]
    if page.last is not None:
        position = SortedPosition((), page.last)
        links.append({"relation": "next", "url": Continuation(path, pairs, asked.page.posted, position).url(passage)})
    bundle: Json = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if page.events:
        bundle["entry"] = [
            {"fullUrl": f"{base}/{AUDIT_EVENT}/{event['id']}", "resource": _shaped(asked.query, event)}
            | {"search": {"mode": "match"}}
            for event in page.events
        ]
    return bundle


def _shaped(query: Query, event: Json) -> Json:
    if query.elements:
        return with_elements(event, query.elements)
    if query.summary in {None, "false"}:
        return event
    return summarised(event, query.summary or "false")
