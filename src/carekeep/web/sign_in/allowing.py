"""Asking a person whether an app may act for them (RFC 6749 §4.1.1, SMART App Launch), and telling the app.

Every step reads the request anew: nothing that was checked before is taken from the browser.
"""

import hashlib
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from carekeep.access import Action
from carekeep.identity import Kind
from carekeep.identity.apps.grant import Context
from carekeep.identity.stamps import read_stamped, stamp
from carekeep.web.browser import Form, read_form, redirect
from carekeep.web.http import Response, form_pairs
from carekeep.web.oauth.authorizing import AuthorizationRefused, AuthorizationRequest, Authorizing
from carekeep.web.sign_in.patients import PatientFound, find_patients, name_of
from carekeep.web.sign_in.visits import Elsewhere, Visit, nothing_here, sign_in_path

_SINCE = "signed_in_since"  # ours: the moment from which a sign-in counts, where the app wants a new one
_TIME = 8  # bytes of a moment
_PATIENT, _REQUEST, _ANSWER, _SOUGHT = "patient", "request", "answer", "sought"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that was read, the query that it came in, and what the person said so far."""

    request: AuthorizationRequest
    query: str = field(repr=False)
    patient: str = ""
    sought: str = ""


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """What is below ``/authorize``."""
    match (method, rest):
        case ("GET", ()):
            return await _begin(to, to.request.query)
        case ("POST", ()):  # RFC 6749 §3.1; from the app's origin, so that no cookie came along
            body = await to.request.body(16_384)
            return redirect(f"/authorize?{urlencode(form_pairs(body.decode('ascii', 'replace')))}")
        case ("POST", ("answer",)):
            return await _go_on(to, await read_form(to.request))
    raise nothing_here()


async def _begin(to: Visit, query: str) -> Response:
    asked = await _read(to, query)
    await _signed_in(to, asked)
    return await _next(to, asked)


async def _go_on(to: Visit, form: Form) -> Response:
    asked = await _read(to, form.get(_REQUEST))
    await _signed_in(to, asked)
    said = form.get(_ANSWER)
    if said == "deny":
        return await _refuse(to, asked.request, "access_denied", "the person did not allow it")
    chosen = _Asked(asked.request, asked.query, form.get(_PATIENT), form.get(_SOUGHT))
    if said == "allow" and not (asked.request.needs_patient(to.account) and not chosen.patient):
        return await _allow(to, chosen)
    return await _next(to, chosen)


async def _read(to: Visit, query: str) -> _Asked:
    """The request in a query. Raises Elsewhere where the app, or the person, is told that it is refused."""
    try:
        return _Asked(await Authorizing(to.services).read_authorization(_without_since(query)), query)
    except AuthorizationRefused as refused:
        raise Elsewhere(await _refused(to, refused)) from None


async def _refuse(to: Visit, request: AuthorizationRequest, error: str, reason: str) -> Response:
    return await _refused(to, Authorizing(to.services).refusal(request, error, reason))


async def _refused(to: Visit, refused: AuthorizationRefused) -> Response:
    await to.passage.record(Action.GRANT_GIVE, "denied", reason=refused.reason)
    if refused.location is not None:
        return _away(to, refused.location, "Going back to the app")
    return to.pages.page("message.html", status=400, title="This app cannot be let in", text=str(refused), link=None)


def _away(to: Visit, location: str, title: str) -> Response:
    """To the app: by a redirect where nothing was posted, else by a page (a form may not lead elsewhere)."""
    if to.request.method == "GET":
        return redirect(location)
    return to.pages.page("continue.html", title=title, place=location)


async def _signed_in(to: Visit, asked: _Asked) -> None:
    """Raises Elsewhere when the person must sign in first, or once more."""
    request, since = asked.request, _since(to, asked.query)
    is_new = since is not None and to.session is not None and to.session.authenticated_ms >= since
    is_met = to.session is not None and request.is_met_by(to.session, to.services.clock())
    if to.session is not None and is_met and (is_new or not request.prompt & {"login", "select_account"}):
        return
    if "none" in request.prompt:
        raise Elsewhere(await _refuse(to, request, "login_required", "nobody is signed in, or not strongly enough"))
    if is_new:  # signed in just now, and it is not enough: another time would not help
        raise Elsewhere(await _refuse(to, request, "unmet_authentication_requirements", "the sign-in is too weak"))
    pairs = _without_since(asked.query)
    stamped = stamp(to.services.keyring.index, _SINCE, to.services.clock().to_bytes(_TIME, "big") + _digest(pairs))
    back = f"/authorize?{urlencode([*pairs, (_SINCE, stamped)])}"
    raise Elsewhere(redirect(sign_in_path(back, again=to.session is not None)))


def _since(to: Visit, query: str) -> int | None:
    """The moment from which a sign-in counts for this very request, as we wrote it; None when we did not."""
    value = dict(form_pairs(query)).get(_SINCE, "")
    content = read_stamped(to.services.keyring.index, _SINCE, value) or b""
    return int.from_bytes(content[:_TIME], "big") if content[_TIME:] == _digest(_without_since(query)) else None


def _without_since(query: str) -> list[tuple[str, str]]:
    return [pair for pair in form_pairs(query) if pair[0] != _SINCE]


def _digest(pairs: list[tuple[str, str]]) -> bytes:
    return hashlib.sha256(urlencode(pairs).encode()).digest()


async def _next(to: Visit, asked: _Asked) -> Response:
    """The next question to the person; of the organization's own apps there is none."""
    request = asked.request
    if request.needs_patient(to.account) and not asked.patient:
        if "none" in request.prompt:
            return await _refuse(to, request, "interaction_required", "a patient must be chosen")
        return await _ask_patient(to, asked)
    if request.client.first_party and "consent" not in request.prompt:
        return await _allow(to, asked)
    if "none" in request.prompt:
        return await _refuse(to, request, "consent_required", "the person must be asked")
    return await _ask_permission(to, asked)


async def _ask_patient(to: Visit, asked: _Asked) -> Response:
    if to.account.kind is not Kind.PRACTITIONER:
        return await _refuse(to, asked.request, "access_denied", "the account has no patients to choose from")
    found: list[PatientFound] = await find_patients(to.passage, asked.sought)
    return to.pages.page(
        "patient.html",
        app=asked.request.client.name,
        action="/authorize/answer",
        fields=[(_REQUEST, asked.query)],
        sought=asked.sought,
        patients=found,
    )


async def _ask_permission(to: Visit, asked: _Asked) -> Response:
    request = asked.request
    is_own = to.account.kind is Kind.PATIENT and not to.account.is_related_person
    patient = "" if is_own else await _patient_in_words(to, asked)
    return to.pages.page(
        "permission.html",
        app=request.client.name,
        person=to.account.name,
        patient=patient,
        unverified=not request.client.is_confidential and not request.client.first_party,
        asks=request.scopes.in_words("your" if is_own else "the patient's"),
        place=urlsplit(request.redirect_uri).netloc or request.redirect_uri,
        action="/authorize/answer",
        fields=[(_REQUEST, asked.query), (_PATIENT, asked.patient)],
    )


async def _patient_in_words(to: Visit, asked: _Asked) -> str:
    launch = asked.request.launch
    id_ = asked.patient or (launch.context.patient if launch else None)
    return await name_of(to.passage, id_) if id_ else ""


async def _allow(to: Visit, asked: _Asked) -> Response:
    request, services = asked.request, to.services
    if asked.patient:
        await name_of(to.passage, asked.patient)  # who may not see the patient gives nobody else sight of them
    session = to.require_session()
    chosen = Context(patient=asked.patient or None)
    try:
        code = Authorizing(services).prepare_code(request, session, request.scopes, chosen)
    except AuthorizationRefused as refused:
        return await _refused(to, refused)
    notice = await services.notices.prepare_add(to.account.id, "app.allowed", {"app": request.client.name})
    told = () if request.client.first_party else (notice,)
    reason = f"allowed the client {request.client.id}: {request.scopes}"
    patients = (chosen.patient,) if chosen.patient else ()
    await to.passage.record(Action.GRANT_GIVE, "permitted", code, *told, patients=patients, reason=reason)
    return _away(to, code.value, "You allowed the app")
