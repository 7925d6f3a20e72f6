"""``/shl``: whoever has a link opens it, by the protocol of SMART Health Links 1.0.0. Each opening is a disclosure.

Nobody signs in here: the 256 bits of the URL, and a passcode where one was set, are all that is asked. Pages of other
origins may read the answers. A link that was ended, expired or never was is answered alike.
"""

from dataclasses import dataclass
from typing import Any

from carekeep.access import Purpose
from carekeep.access.sharing import Link, SharedFile
from carekeep.audit import Agent
from carekeep.fhir import format_instant
from carekeep.storage import Conflict
from carekeep.web.http import Receive, Response, Scope, Send
from carekeep.web.passage import Passage
from carekeep.web.plain_json import read_object, serve, told
from carekeep.web.problems import Problem, problem
from carekeep.web.services import Services
from carekeep.web.sharing.links import what_in
from carekeep.web.sharing.pacing import Pace
from carekeep.web.sharing.tickets import redeem, ticket

OPEN = "access:link:open"
FETCH = "access:link:fetch"
_JOSE = b"application/jose"
_LONGEST_RECIPIENT = 200
_ATTEMPTS = 3
_FHIR = "application/fhir+json"
_WORTH_POLLING_S = b"60"


@dataclass(frozen=True, slots=True)
class _Asked:
    """What whoever opens a link says of themself, and brings along."""

    secret: str
    recipient: str
    passcode: str | None = None
    embed_at_most: int | None = None


class OpenLinks:
    """The ASGI application at ``/shl``: ``POST /shl/{secret}``, ``GET`` for a direct file, ``GET …/file?ticket=``."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pace = Pace(services.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        await serve(self._services, scope, receive, send, self._route)

    async def _route(self, passage: Passage) -> Response:
        request = passage.request
        self._pace.take(request.address)
        passage.agent = Agent(account="", role="recipient", address=request.address)
        passage.purpose = Purpose.PATRQT
        match (request.method, request.segments[1:]):
            case ("POST", (secret,)):
                try:
                    return await _manifest(passage, secret)
                except _WrongPasscode as wrong:
                    return wrong.answer
            case ("GET", (secret,)):
                return await _direct(passage, secret)
            case ("GET", (secret, "file")):
                return await _file(passage, secret)
        raise problem(404, "not-found", "There is nothing at this URL.")


async def _manifest(passage: Passage, secret: str) -> Response:
    given = await read_object(passage.request)
    passcode = given.text("passcode", 200) if "passcode" in given.members else None
    most = given.members.get("embeddedLengthMax")
    if most is not None and (not isinstance(most, int) or isinstance(most, bool) or most < 0):
        raise problem(400, "value", "embeddedLengthMax must be a whole number.")
    asked = _Asked(secret, _recipient(given.text("recipient", 1_000, "")), passcode, most)
    link, files = await _opened(passage, asked, direct=False)
    entries = [_entry(passage, link, secret, number, file, most) for number, file in enumerate(files)]
    answer = told({"files": entries})
    return answer.with_headers((b"retry-after", _WORTH_POLLING_S)) if "L" in link.flags else answer


async def _direct(passage: Passage, secret: str) -> Response:
    recipient = _recipient(dict(passage.request.pairs()).get("recipient", ""))
    _, files = await _opened(passage, _Asked(secret, recipient), direct=True)
    return Response(200, files[0].jwe.encode("ascii"), _JOSE)


async def _file(passage: Passage, secret: str) -> Response:
    """A file that a manifest spoke of. The manifest's entry is the disclosure; this one says that it was fetched."""
    link = await _find(passage, secret, FETCH)
    redeemed = redeem(passage.services, link, dict(passage.request.pairs()).get("ticket", ""))
    files = await passage.services.sharing.links.files(link)
    if redeemed is None or redeemed[0] >= len(files):
        raise await _refused(passage, FETCH, "the ticket is not good", link)
    number, use = redeemed
    query = f"file {number} of link {link.id}"
    try:
        await passage.record(FETCH, "permitted", use, patients=(link.patient,), what=what_in(link), query=query)
    except Conflict:
        raise await _refused(passage, FETCH, "the ticket was used before", link) from None
    return Response(200, files[number].jwe.encode("ascii"), _JOSE)


async def _opened(passage: Passage, asked: _Asked, *, direct: bool) -> tuple[Link, tuple[SharedFile, ...]]:
    """One use of a link, counted and recorded. Raises Problem: 404, or 401 for a passcode."""
    links = passage.services.sharing.links
    link = await _find(passage, asked.secret, OPEN)
    if direct != ("U" in link.flags):
        raise await _refused(passage, OPEN, "it was asked for in the other way", link)
    if not link.is_open(passage.services.clock()):
        raise await _refused(passage, OPEN, link.state(passage.services.clock()), link)
    tried = link.passcode is not None
    if tried:
        await _check_passcode(passage, link, asked.passcode)
    for _ in range(_ATTEMPTS):
        files = await links.files(link)
        if not files:
            break
        try:
            await passage.record(
                OPEN,
                "permitted",
                links.prepare_opening(link, tried=tried),
                what=what_in(link),
                patients=(link.patient,),
                query=f"link {link.id}, {len(files)} files",
                reason="whoever has the link may open it, as the patient decided",
                recipient=asked.recipient,
            )
        except Conflict:  # it leads to other files now, or others were faster to use it up
            link = await _find(passage, asked.secret, OPEN)
            continue
        return link, files
    raise await _refused(passage, OPEN, "it was used up or ended at this moment", link)


async def _check_passcode(passage: Passage, link: Link, passcode: str | None) -> None:
    """Raises Problem: 401 for a wrong one or none, 404 when it may not be tried. Counted before it is looked at."""
    links = passage.services.sharing.links
    if passcode is None:
        await _record_refusal(passage, OPEN, "no passcode", link)
        raise _WrongPasscode(await links.tries_left(link))
    left = await links.count_try(link)
    if left is None:
        raise await _refused(passage, OPEN, "ended by wrong passcodes", link)
    if not links.is_passcode(link, passcode):
        await _record_refusal(passage, OPEN, f"wrong passcode, {left} tries left", link)
        raise _WrongPasscode(left)


class _WrongPasscode(Exception):
    """Answered as 1.0.0 has it: 401, and how many tries are left."""

    def __init__(self, remaining: int) -> None:
        super().__init__(remaining)
        self.answer = told({"remainingAttempts": remaining}, 401)


async def _find(passage: Passage, secret: str, action: str) -> Link:
    link = await passage.services.sharing.links.find(secret)
    if link is None:
        raise await _refused(passage, action, "no such link")
    if action == FETCH and link.state(passage.services.clock()) not in {"open", "used up"}:
        raise await _refused(passage, action, link.state(passage.services.clock()), link)
    return link


async def _refused(passage: Passage, action: str, reason: str, link: Link | None = None) -> Problem:
    await _record_refusal(passage, action, reason, link)
    return problem(404, "not-found", "This link leads nowhere: it was ended, its time is over, or it never was.")


async def _record_refusal(passage: Passage, action: str, reason: str, link: Link | None) -> None:
    patients = () if link is None else (link.patient,)
    query = None if link is None else f"link {link.id}"
    await passage.record(action, "denied", patients=patients, query=query, reason=reason)


def _recipient(text: str) -> str:
    """Who opens the link, as they say. Raises 400."""
    text = text.strip()
    if not 0 < len(text) <= _LONGEST_RECIPIENT or not text.isprintable():
        raise problem(400, "required", f"recipient says who opens the link, in 1 to {_LONGEST_RECIPIENT} characters.")
    return text


def _entry(
    passage: Passage, link: Link, secret: str, number: int, file: SharedFile, most: int | None
) -> dict[str, Any]:
    """What a manifest says of a file."""
    facts: dict[str, Any] = {
        "contentType": file.content_type,
        "lastUpdated": format_instant(file.updated_ms),
        "status": "can-change" if "L" in link.flags else "finalized",
    }
    if file.content_type == _FHIR:
        facts["fhirVersion"] = "4.0.1"
    if most is None or len(file.jwe) <= most:
        return facts | {"embedded": file.jwe}
    services = passage.services
    pass_ = ticket(services.keyring, link, number, services.clock())
    base = services.fhir_url.removesuffix("/fhir")
    return facts | {"location": f"{base}/shl/{secret}/file?ticket={pass_}"}
