"""``/guests``: an outside clinician is invited, proves who they are, and is ended."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from carekeep.access import Action, Decision, Target, owner_label
from carekeep.access.sharing import Extent, Guest, GuestOrder, GuestRefused, Invited, LetIn, Plan
from carekeep.access.sharing.guest import MOST_TYPES
from carekeep.access.sharing.second_look import domain_of, names
from carekeep.audit import Agent
from carekeep.identity.apps.own import PORTAL
from carekeep.storage import Conflict
from carekeep.web.http import Receive, Response, Scope, Send
from carekeep.web.outgoing.mailing import MailFailed
from carekeep.web.passage import Passage
from carekeep.web.plain_json import Given, id_of, read_object, retried, serve, told
from carekeep.web.problems import problem
from carekeep.web.services import Services
from carekeep.web.sharing.letters import invitation_letter
from carekeep.web.sharing.looking import Look, look, subject_of
from carekeep.web.sharing.pacing import Pace

PROVE = "access:guest:prove"
_DAY_S = 24 * 3600
_DEFAULT_S = 7 * _DAY_S
_SENSITIVE = "specially protected records, if there are any"


class GuestRoutes:
    """The ASGI application at ``/guests``: ``GET``, ``POST``, ``DELETE /guests/{id}``, ``POST /guests/prove``."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._pace = Pace(services.clock)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        await serve(self._services, scope, receive, send, self._route)

    async def _route(self, passage: Passage) -> Response:
        match (passage.request.method, passage.request.segments[1:]):
            case ("GET", ()):
                return await _list(passage)
            case ("POST", ()):
                return await _invited(passage)
            case ("POST", ("prove",)):
                self._pace.take(passage.request.address)
                return await _prove(passage)
            case ("DELETE", (id_,)):
                return await end(passage, id_)
        raise problem(404, "not-found", "There is nothing at this URL.")


async def _list(passage: Passage) -> Response:
    await passage.authenticate(Action.GUEST_MANAGE)
    patient = _patient(passage, dict(passage.request.pairs()).get("patient", ""))
    decision = await passage.demand(Action.GUEST_MANAGE, Target("Patient", (patient,)))
    found = await passage.services.sharing.guests.of_patient(patient)
    await passage.record(
        Action.GUEST_MANAGE,
        "permitted",
        decision=decision,
        patients=(patient,),
        query=f"{len(found)} guests were listed",
    )
    now = passage.services.clock()
    return told({"guests": [_facts(guest, now) for guest in found]})


async def _invited(passage: Passage) -> Response:
    """The code is in this answer and never again; without a mail relay, the invitation is too."""
    await passage.authenticate(Action.GUEST_MANAGE)
    made = await invite(passage, await read_object(passage.request))
    if isinstance(made, Look):
        return made.answer
    facts = {**_facts(made.guest, passage.services.clock()), "code": made.code.reveal_text()}
    if passage.services.post is None:
        facts["invitation"] = made.invitation.reveal_text()
    return told(facts, 201)


async def invite(passage: Passage, given: Given) -> Invited | Look:
    """Whom ``given`` names is invited, and told by mail where there is a relay; or what is asked first.

    Raises Problem: 400, 403, 422, and 502 when the relay did not take the letter, so that nobody is invited.
    """
    patient = _patient(passage, given.text("patient", 64, ""))
    decision = await passage.demand(Action.GUEST_MANAGE, Target("Patient", (patient,)))
    subject = await subject_of(passage, patient)
    order = _order(given, patient, passage.services.clock())
    message = given.text("message", 500, "")
    try:
        order.check(passage.services.clock())
    except GuestRefused as refused:
        raise problem(422, "business-rule", str(refused)) from None
    if names(message, subject.name):
        raise problem(422, "business-rule", "Mail is read by many: leave the patient's name out of the message.")
    plan = Plan(
        sender=passage.principal.account_id,
        patient=patient,
        recipient=order.address,
        patient_name=subject.name,
        sends=Extent(order.types, sensitive=frozenset({_SENSITIVE}) if order.sensitive else frozenset()),
        content=_content(order, given),
        said_name=given.text("patient_name", 200, ""),
        message=message,
    )
    looked = await look(passage, Action.GUEST_MANAGE, decision, subject, plan, given.text("confirmation", 200, ""))
    if looked.questions:
        return looked
    services = passage.services
    try:
        prepared = await services.sharing.guests.prepare_invite(
            order, passage.principal.account_id, mailed=services.post is not None
        )
    except GuestRefused as refused:
        raise problem(422, "business-rule", str(refused)) from None
    guest = prepared.value.guest
    await passage.record(
        Action.GUEST_MANAGE,
        "permitted",
        prepared,
        decision=decision,
        patients=(patient,),
        query=f"guest {guest.id} was invited: {guest.recipient}{looked.note}",
    )
    await _mail(passage, prepared.value, message, decision)
    return prepared.value


async def _mail(passage: Passage, invited: Invited, message: str, decision: Decision) -> None:
    """Where there is a relay. A letter that it does not take ends the invitation."""
    guest, services = invited.guest, passage.services
    if services.post is None:
        return
    letter = invitation_letter(guest, passage.principal.name, invitation_link(services, invited), message)
    try:
        await services.post.send(letter)
    except MailFailed as failed:
        await passage.record(
            Action.GUEST_MANAGE,
            "failed",
            services.sharing.guests.prepare_end(guest),
            decision=decision,
            patients=(guest.patient,),
            query=f"guest {guest.id} was ended: {failed}",
        )
        raise problem(502, "transient", f"{failed} Nobody was invited; try again, or tell the administrator.") from None


def invitation_link(services: Services, invited: Invited) -> str:
    """Where the invitation is taken up. The secret stands after the ``#``, which browsers send to no server."""
    origin = next(site.origin for site in services.own_sites if site.name == PORTAL)
    return f"{origin}/guest#{invited.invitation.reveal_text()}"


async def _prove(passage: Passage) -> Response:
    given = await read_object(passage.request)
    let_in = await prove(passage, given.text("invitation", 300, ""), given.text("code", 20, ""))
    guest, now = let_in.guest, passage.services.clock()
    facts = {
        "access_token": let_in.token.reveal_text(),
        "token_type": "Bearer",
        "expires_in": (guest.expires_ms - now) // 1000,
        "scope": guest.scopes,
        "patient": guest.patient,
        "fhir": passage.services.fhir_url,
    }
    return told(facts)


async def prove(passage: Passage, invitation: str, code: str) -> LetIn:
    """The invitation, or the link that holds it, and the code for a token, once.

    Raises 401; what is wrong with them is for the ledger.
    """
    invitation = invitation.strip().rpartition("#")[2]
    passage.agent = Agent(account="", role="guest", address=passage.request.address)
    guests = passage.services.sharing.guests
    guest = await guests.invited(invitation)
    if guest is None or not await guests.count_try(guest):
        raise await _refused(passage, "no such invitation, or it is over", guest)
    prepared = await guests.prepare_prove(guest, code.replace(" ", ""))
    if prepared is None:
        raise await _refused(passage, "wrong code", guest)
    passage.agent = Agent(account=guest.id, role="guest", address=passage.request.address)
    try:
        await passage.record(
            PROVE,
            "permitted",
            prepared,
            passage.services.sharing.recipients.prepare_known(domain_of(guest.address)),
            patients=(guest.patient,),
            query=f"guest {guest.id} proved who they are",
        )
    except Conflict:
        raise await _refused(passage, "taken up or ended at this moment", guest) from None
    return prepared.value


async def _refused(passage: Passage, reason: str, guest: Guest | None) -> Exception:
    patients = () if guest is None else (guest.patient,)
    query = None if guest is None else f"guest {guest.id}"
    await passage.record(PROVE, "denied", patients=patients, query=query, reason=reason)
    return problem(401, "login", "The invitation and the code do not fit, or were used, or their time is over.")


async def end(passage: Passage, id_: str) -> Response:
    """The end of a guest's access, or of an invitation, at once and everywhere. Raises 404."""
    await passage.authenticate(Action.GUEST_MANAGE)

    async def once() -> Response:
        named = id_of(id_)
        guest = None if named is None else await passage.services.sharing.guests.get(named)
        decision = None if guest is None else await _may_end(passage, guest)
        if guest is None or decision is None or not decision.permitted:
            await passage.record(Action.GUEST_MANAGE, "denied", decision=decision, reason="no guest of this id")
            raise problem(404, "not-found", "There is no guest with this id whom you could end.")
        await passage.record(
            Action.GUEST_MANAGE,
            "permitted",
            passage.services.sharing.guests.prepare_end(guest),
            decision=decision,
            patients=(guest.patient,),
            query=f"guest {guest.id} was ended",
        )
        return Response(204)

    return await retried(once)


async def _may_end(passage: Passage, guest: Guest) -> Decision:
    """Who may invite may end; whoever invited may, as long as they have an account; and who ends sessions may."""
    decisions = [await passage.judge(Action.GUEST_MANAGE, Target("Patient", (guest.patient,)))]
    if not decisions[0].permitted and guest.by == passage.principal.account_id:
        own = Target("Patient", (), (owner_label(guest.by),))
        decisions.append(await passage.judge(Action.GUEST_MANAGE, own))
    if not decisions[-1].permitted:
        decisions.append(await passage.judge(Action.SESSION_MANAGE, Target()))
    return decisions[-1] if decisions[-1].permitted else decisions[0]


def _patient(passage: Passage, named: str) -> str:
    """The patient who is meant: oneself, if nobody is named. Raises 400."""
    chosen = named or (passage.principal.fhir_user or "").partition("Patient/")[2]
    if not chosen:
        raise problem(400, "required", "Say whose records: patient is the id of a Patient.")
    return chosen


def _order(given: Given, patient: str, now_ms: int) -> GuestOrder:
    until = given.members.get("exp", now_ms // 1000 + _DEFAULT_S)
    types = given.members.get("types", [])
    if not isinstance(until, int) or isinstance(until, bool) or not 0 <= until < 1 << 40:
        raise problem(400, "value", "exp must be a whole number of seconds since 1970.")
    if not isinstance(types, list) or len(types) > MOST_TYPES or not all(isinstance(each, str) for each in types):
        raise problem(400, "value", f"types must be a list of at most {MOST_TYPES} resource types.")
    return GuestOrder(
        patient=patient,
        name=given.text("name", 200),
        address=given.text("address", 300),
        organization=given.text("organization", 200),
        types=frozenset(types),
        sensitive=given.flag("sensitive") if "sensitive" in given.members else False,
        expires_ms=until * 1000,
    )


def _content(order: GuestOrder, given: Given) -> bytes:
    """A digest of what would be given, and for how long: a yes to one invitation is no yes to another."""
    asked = [order.name, order.organization, sorted(order.types), order.sensitive, given.members.get("exp")]
    return hashlib.sha256(orjson.dumps(asked)).digest()


def _facts(guest: Guest, now_ms: int) -> Mapping[str, Any]:
    """What those who manage guests are told of one."""
    return {
        "id": guest.id,
        "patient": guest.patient,
        "name": guest.name,
        "address": guest.address,
        "address_verified": guest.verified and bool(guest.proven_ms),
        "organization": guest.organization,
        "types": sorted(guest.types),
        "sensitive": guest.sensitive,
        "invited_ms": guest.invited_ms,
        "exp": guest.ends_ms // 1000,
        "state": guest.state(now_ms),
    }
