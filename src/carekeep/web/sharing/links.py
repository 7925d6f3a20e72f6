"""``/links``: people make, see, update and end the links to records that they may share."""

import hashlib
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import orjson

from carekeep.access import Action, Decision, Target
from carekeep.access.sharing import Link, LinkOrder, LinkRefused, Plan, SharedFile
from carekeep.access.sharing.link import LARGEST_FILE, LONGEST_URL, MOST_FILES
from carekeep.audit import What
from carekeep.web.http import Receive, Response, Scope, Send
from carekeep.web.passage import Passage
from carekeep.web.plain_json import Given, id_of, read_object, retried, serve, told
from carekeep.web.problems import problem
from carekeep.web.services import Services
from carekeep.web.sharing.contents import contents_of
from carekeep.web.sharing.looking import look, subject_of

_LARGEST_BODY = MOST_FILES * LARGEST_FILE + 64 * 1024
_DAY_S = 24 * 3600
_DEFAULT_S = 7 * _DAY_S
_THEIR_SECRETS = frozenset({"key", "shlink", "link"})

T = TypeVar("T")


class LinkRoutes:
    """The ASGI application at ``/links``: ``GET``, ``POST``, ``PUT /links/{id}/files``, ``DELETE /links/{id}``."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        await serve(self._services, scope, receive, send, _route)


async def _route(passage: Passage) -> Response:
    match (passage.request.method, passage.request.segments[1:]):
        case ("GET", ()):
            return await _list(passage)
        case ("POST", ()):
            return await create(passage)
        case ("PUT", (id_, "files")):
            return await _update(passage, id_)
        case ("DELETE", (id_,)):
            return await end(passage, id_)
    raise problem(404, "not-found", "There is nothing at this URL.")


async def _list(passage: Passage) -> Response:
    await passage.authenticate(Action.LINK_MANAGE)
    asked = dict(passage.request.pairs()).get("patient", "")
    patient, decision = await _may_share(passage, asked)
    found = await passage.services.sharing.links.of_patient(patient)
    await passage.record(
        Action.LINK_MANAGE, "permitted", decision=decision, patients=(patient,), query=f"{len(found)} links were listed"
    )
    now = passage.services.clock()
    return told({"links": [_facts(link, now) for link in found]})


async def create(passage: Passage) -> Response:
    """The link's URL is in this answer and never again; what makes it readable never was here."""
    await passage.authenticate(Action.LINK_MANAGE)
    given = await _given(passage)
    patient, decision = await _may_share(passage, given.text("patient", 64, ""))
    subject = await subject_of(passage, patient)
    contents = await contents_of(passage, patient, given.text("made_from", 64, ""))
    order = _order(given, patient, contents.references, passage.services.clock())
    try:
        order.check(passage.services.clock())
    except LinkRefused as refused:
        raise problem(422, "business-rule", str(refused)) from None
    plan = Plan(
        sender=passage.principal.account_id,
        patient=patient,
        recipient="",
        patient_name=subject.name,
        sends=contents.extent,
        content=_content(order, given),
        lasts_ms=order.expires_ms - passage.services.clock(),
        guarded=order.passcode is not None,
    )
    looked = await look(passage, Action.LINK_MANAGE, decision, subject, plan, given.text("confirmation", 200, ""))
    if looked.questions:
        return looked.answer
    prepared = await _refusable(passage.services.sharing.links.prepare_create(order, passage.principal.account_id))
    link = prepared.value.link
    url = f"{passage.services.fhir_url.removesuffix('/fhir')}/shl/{prepared.value.secret.reveal_text()}"
    if len(url) > LONGEST_URL:
        raise problem(422, "business-rule", "The base_url of this server is too long for SMART Health Links.")
    await passage.record(
        Action.LINK_MANAGE,
        "permitted",
        prepared,
        decision=decision,
        what=what_in(link),
        patients=(patient,),
        query=f"link {link.id} was made, flags {link.flags or 'none'}, {len(order.files)} files{looked.note}",
    )
    return told({**_facts(link, passage.services.clock()), "url": url}, 201)


async def _update(passage: Passage, id_: str) -> Response:
    await passage.authenticate(Action.LINK_MANAGE)
    given = await _given(passage)

    async def once() -> Response:
        link, decision = await _own(passage, id_)
        prepared = await _refusable(passage.services.sharing.links.prepare_files(link, _files(given)))
        await passage.record(
            Action.LINK_MANAGE,
            "permitted",
            prepared,
            decision=decision,
            what=what_in(link),
            patients=(link.patient,),
            query=f"link {link.id} leads to other files",
        )
        return told(_facts(prepared.value, passage.services.clock()))

    return await retried(once)


async def end(passage: Passage, id_: str) -> Response:
    """The end of a link, at once and everywhere. Raises 404."""
    await passage.authenticate(Action.LINK_MANAGE)

    async def once() -> Response:
        link, decision = await _own(passage, id_)
        prepared = await passage.services.sharing.links.prepare_end(link)
        await passage.record(
            Action.LINK_MANAGE,
            "permitted",
            prepared,
            decision=decision,
            patients=(link.patient,),
            query=f"link {link.id} was ended after {link.opened} openings",
        )
        return Response(204)

    return await retried(once)


async def _given(passage: Passage) -> Given:
    """The body. One that holds the key of a link, or a link itself, is refused: none of it is for this server."""
    given = await read_object(passage.request, _LARGEST_BODY)
    if _THEIR_SECRETS & given.members.keys():
        raise problem(400, "security", "The key of a link never comes here. Make another one, and keep it to yourself.")
    return given


async def _may_share(passage: Passage, patient: str) -> tuple[str, Decision]:
    """The patient who is meant (oneself, if nobody is named), and the decision. Raises 400, 403."""
    own = (passage.principal.fhir_user or "").partition("Patient/")[2]
    chosen = patient or own
    if not chosen:
        raise problem(400, "required", "Say whose records: patient is the id of a Patient.")
    return chosen, await passage.demand(Action.LINK_MANAGE, Target("Patient", (chosen,)))


async def _own(passage: Passage, id_: str) -> tuple[Link, Decision]:
    """A link that the person may manage. Raises 404; for one that is there and not theirs, too."""
    named = id_of(id_)
    link = None if named is None else await passage.services.sharing.links.get(named)
    decision = None if link is None else await passage.judge(Action.LINK_MANAGE, Target("Patient", (link.patient,)))
    if link is None or decision is None or not decision.permitted:
        await passage.record(Action.LINK_MANAGE, "denied", decision=decision, reason="no link of this id")
        raise problem(404, "not-found", "You have no link with this id.")
    return link, decision


def _order(given: Given, patient: str, contents: tuple[str, ...], now_ms: int) -> LinkOrder:
    until = _whole(given, "exp", now_ms // 1000 + _DEFAULT_S)
    uses = _whole(given, "uses", 0)
    return LinkOrder(
        patient=patient,
        label=given.text("label", 200, ""),
        flags=given.text("flag", 8, ""),
        expires_ms=until * 1000,
        files=_files(given),
        passcode=given.text("passcode", 200) if "passcode" in given.members else None,
        uses=uses or None,
        contents=contents,
    )


def _files(given: Given) -> tuple[SharedFile, ...]:
    return tuple(
        SharedFile(each.text("content_type", 100), each.text("jwe", LARGEST_FILE + 1))
        for each in given.objects("files", MOST_FILES + 1)
    )


def _whole(given: Given, name: str, default: int) -> int:
    value = given.members.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 40:
        raise problem(400, "value", f"{name} must be a whole number.")
    return value


async def _refusable(work: Awaitable[T]) -> T:
    """What is prepared; a refusal is told as 422."""
    try:
        return await work
    except LinkRefused as refused:
        raise problem(422, "business-rule", str(refused)) from None


def _content(order: LinkOrder, given: Given) -> bytes:
    """A digest of all that would leave, and how: a yes to one link is no yes to another."""
    asked = [order.flags, given.members.get("exp"), order.uses, order.label, order.passcode is not None]
    digest = hashlib.sha256(orjson.dumps(asked))
    for file in order.files:
        digest.update(hashlib.sha256(f"{file.content_type} {file.jwe}".encode()).digest())
    return digest.digest()


def what_in(link: Link) -> tuple[What, ...]:
    """How the ledger names what a link holds."""
    return tuple(_reference(text) for text in link.contents)


def _reference(text: str) -> What:
    reference, _, version = text.partition("/_history/")
    return What(reference, int(version) if version else None)


def _facts(link: Link, now_ms: int) -> Mapping[str, Any]:
    """What the owner is told of a link; neither its URL nor its passcode is known here any more."""
    return {
        "id": link.id,
        "patient": link.patient,
        "label": link.label,
        "flag": link.flags,
        "created_ms": link.created_ms,
        "exp": link.expires_ms // 1000,
        "uses": link.uses,
        "opened": link.opened,
        "wrong_passcodes": link.wrong,
        "state": link.state(now_ms),
    }
