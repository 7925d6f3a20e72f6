"""Notes and orders as forms: decided, checked and committed as any write, and nothing that was typed is lost.

Sent twice it is written once: the form carries the id of what it makes. A change says which version it changes.
"""

import uuid
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from carekeep.access import Action
from carekeep.records import NotFound, Stored
from carekeep.web.browser import Form, read_form, redirect
from carekeep.web.console.chart.allergy_check import conflicts
from carekeep.web.console.chart.drafts import KINDS, NOTE_KINDS, PRIORITIES, TESTS, Json, Kind, Writer
from carekeep.web.console.chart.gathering import WHOLE, Chart, patient_of, read_chart, record_view
from carekeep.web.console.chart.items import header
from carekeep.web.console.chart.place import Place
from carekeep.web.console.chart.record import current
from carekeep.web.fhir.bodies import check_valid
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.fhir.writing import Operation, carry_out
from carekeep.web.http import Response, number
from carekeep.web.problems import Problem
from carekeep.web.sites import Visit, nothing_here

_FEWEST = 10  # characters of a reason to order in spite of an allergy
_CHANGED = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})
_TOLD = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.METHOD_NOT_ALLOWED})


@dataclass(frozen=True, slots=True)
class Draft:
    """What stands in the form. ``key`` is the id that a new record gets, ``version`` the one that is changed."""

    kind: str
    key: str
    version: int | None
    fields: dict[str, str] = field(repr=False)
    errors: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    conflicts: tuple[str, ...] = field(default=(), repr=False)
    changed: dict[str, str] | None = field(default=None, repr=False)

    @property
    def is_new(self) -> bool:
        """Whether nothing is there yet."""
        return self.version is None


async def answer(to: Visit, place: Place, method: str, name: str, id_: str | None = None) -> Response:
    """``…/write/{kind}`` for something new, ``…/write/{kind}/{id}`` for a change."""
    return await (_form if method == "GET" else _send)(to, place, name, id_)


async def _form(to: Visit, place: Place, name: str, id_: str | None) -> Response:
    """``GET …/write/{kind}`` and ``…/write/{kind}/{id}``."""
    kind = _kind(name)
    if id_ is None:
        return await _page(to, place, kind, Draft(name, str(uuid.uuid4()), None, dict.fromkeys(kind.limits, "")))
    stored = await _changeable(to, place, kind, id_)
    return await _page(to, place, kind, Draft(name, id_, stored.version, kind.fields_of(stored.resource)))


async def _send(to: Visit, place: Place, name: str, id_: str | None) -> Response:
    """``POST`` to the same: ``do`` is ``send``, ``draft`` or ``cancel``."""
    kind, sent = _kind(name), await read_form(to.request)
    do = sent.get("do")
    draft = _typed(kind, name, sent, id_)
    before = None if id_ is None else await _changeable(to, place, kind, id_, also_over=True)
    if do == "cancel" and before is not None:
        return await _write(to, place, kind, draft, before, kind.cancelled(before.resource))
    errors = kind.errors(draft.fields)
    if errors:
        return await _page(to, place, kind, replace(draft, errors=errors), 422)
    if before is None and await _is_there(to, place, kind, draft.key):
        return _done(place, kind, name)
    warned = await _warned(to, place, kind, draft, meant=do != "draft") if name == "medicine" else None
    if warned is not None:
        return await _page(to, place, kind, warned, 422)
    resource = kind.make(draft.fields, _writer(to, place), before.resource if before else None, meant=do != "draft")
    return await _write(to, place, kind, draft, before, resource)


async def _write(to: Visit, place: Place, kind: Kind, draft: Draft, before: Stored | None, resource: Json) -> Response:
    resource = {**resource, "id": draft.key}
    operation = Operation(kind.type, draft.key, resource, if_version=draft.version, first=before is None)
    try:
        check_valid(resource)
        await carry_out(to.passage, Action.CREATE if before is None else Action.UPDATE, [operation])
    except Problem as refused:
        if before is None and refused.status in _CHANGED:
            return _done(place, kind, draft.kind)  # the same form, sent twice at once
        if refused.status in _CHANGED:
            return await _changed_meanwhile(to, place, kind, draft)
        if refused.status not in _TOLD:
            raise
        return await _page(to, place, kind, replace(draft, problem=refused.issues[0].diagnostics), refused.status)
    return _done(place, kind, draft.kind)


async def _changed_meanwhile(to: Visit, place: Place, kind: Kind, draft: Draft) -> Response:
    """Somebody was faster: what is there now, beside what was typed."""
    now = await _changeable(to, place, kind, draft.key, also_over=True)
    there = kind.fields_of(now.resource)
    if there == draft.fields and now.resource.get("status") in kind.standing:
        return _done(place, kind, draft.kind)  # the same form, sent twice
    page = Draft(draft.kind, draft.key, now.version, draft.fields, changed=there)
    return await _page(to, place, kind, page, 409)


async def _warned(to: Visit, place: Place, kind: Kind, draft: Draft, *, meant: bool) -> Draft | None:
    """The draft with the allergies that speak against it, unless somebody wrote why all the same."""
    if not meant or len(draft.fields["despite"].strip()) >= _FEWEST:
        return None
    chart = await _background(to, place)
    typed = draft.fields["medicine"].strip().casefold()
    codes = {
        f"{coding.get('system', '')}|{coding.get('code')}"
        for order in chart.of(kind.type)
        for concept in (order.resource.get("medicationCodeableConcept", {}),)
        if str(concept.get("text", "")).casefold() == typed
        for coding in concept.get("coding", ())
    }
    allergies = [each.resource for each in chart.of("AllergyIntolerance")]
    found = conflicts(draft.fields["medicine"], frozenset(codes), allergies)
    return replace(draft, conflicts=found) if found else None


async def _page(to: Visit, place: Place, kind: Kind, draft: Draft, status: int = 200) -> Response:
    disclosure = Disclosure(to.passage)
    patient = await patient_of(to, disclosure, place.patient_id)
    chart = await _background(to, place, disclosure)
    shown = chart.of("AllergyIntolerance", "Flag")
    await record_view(disclosure, f"form for {draft.kind}", patient, shown)
    return to.page(
        "chart/write.html",
        status=status,
        place=place,
        head=header(patient, chart.of("AllergyIntolerance"), chart.of("Flag"), to.services.clock()),
        kind=kind,
        draft=draft,
        note_kinds=NOTE_KINDS,
        tests=TESTS.values(),
        priorities=PRIORITIES,
        now_ms=to.services.clock(),
    )


async def _background(to: Visit, place: Place, disclosure: Disclosure | None = None) -> Chart:
    """What a form is checked against and shown with."""
    disclosure = disclosure or Disclosure(to.passage)
    patient = await patient_of(to, disclosure, place.patient_id)
    return await read_chart(to, disclosure, patient, {**WHOLE, "MedicationRequest": 100})


async def _changeable(to: Visit, place: Place, kind: Kind, id_: str, *, also_over: bool = False) -> Stored:
    stored, _ = await current(to, place, kind.type, id_)
    me = to.account.fhir_user
    standing = {**stored.resource, "status": next(iter(kind.standing))} if also_over else stored.resource
    if not kind.may_change(standing, me):
        await to.passage.record(Action.UPDATE, "failed", patients=stored.patients, reason="it cannot be changed here")
        raise nothing_here()
    return stored


async def _is_there(to: Visit, place: Place, kind: Kind, key: str) -> bool:
    """Whether this form was sent before."""
    try:
        stored = await to.services.vault.read(kind.type, key)
    except NotFound:
        return False
    return not stored.deleted and stored.patients[:1] == (place.patient_id,)


def _typed(kind: Kind, name: str, sent: Form, id_: str | None) -> Draft:
    """What was sent, as a draft. Raises 404 for a form that is not ours."""
    fields = {each: sent.get(each).replace("\r\n", "\n") for each in kind.limits}
    if id_ is not None:
        version = number(sent.get("version"))
        if version is None:
            raise nothing_here()
        return Draft(name, id_, version, fields)
    try:
        return Draft(name, str(uuid.UUID(sent.get("key"), version=4)), None, fields)
    except ValueError:
        raise nothing_here() from None


def _kind(name: str) -> Kind:
    if name not in KINDS:
        raise nothing_here()
    return KINDS[name]


def _writer(to: Visit, place: Place) -> Writer:
    return Writer(place.patient_id, to.account.fhir_user, to.account.name, to.services.clock())


def _done(place: Place, kind: Kind, name: str) -> Response:
    return redirect(f"{place.base}?done={name}#{kind.section}")
