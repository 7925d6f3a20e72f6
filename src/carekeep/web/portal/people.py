"""People who act for me: who they are, what they may see and until when; letting somebody, changing it, ending it.

Whoever is let gets a record (RelatedPerson), a consent and an account with an invitation, all in one unit: there is
never one without the others. The link of the invitation is shown once, for the patient to hand over.
"""

import uuid
from dataclasses import replace
from typing import Any, Final

from carekeep.access import Action, Target
from carekeep.access.consents.acting import Acting, acting_of, consent_to_acting
from carekeep.access.consents.words import ROLE_CODE
from carekeep.fhir import format_instant
from carekeep.identity import Kind
from carekeep.identity.invitations import IssuedInvitation, invitation_link
from carekeep.identity.leaving import joined
from carekeep.web.browser import Form, read_form, redirect
from carekeep.web.fhir.writing import Operation, Plan, carry_out, carry_out_plan
from carekeep.web.http import Response
from carekeep.web.portal.own_patient import own_patient
from carekeep.web.portal.own_records import OwnRecords
from carekeep.web.portal.people_views import KINDS, RELATIONSHIPS, Asked, Person, asked_of, days
from carekeep.web.sites import Visit, nothing_here

Json = dict[str, Any]
_PATH: Final = "/people"
_MOST: Final = 200
_LONGEST_FIELD: Final = 200
_NOBODY: Final = Asked("", "", tuple(KINDS), sensitive=False, last_day="")


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/people``, and ``POST /people/<consent>/change`` and ``…/end``."""
    patient = own_patient(to)
    people = await _people(to)
    match method, rest:
        case "GET", ():
            return _page(to, people)
        case "POST", ():
            return await _let(to, patient, people)
        case "POST", (id_, "change" | "end" as what):
            person = next((each for each in people if each.acting.consent == id_), None)
            if person is not None:
                return await _change(to, patient, people, person, ends=what == "end")
    raise nothing_here()


def _page(to: Visit, people: list[Person], *, status: int = 200, **more: Any) -> Response:
    first, last = days(to.services.clock())
    values = {"asked": _NOBODY, "about": "", "handed": None, **more}
    return to.page(
        "people.html",
        status=status,
        people=people,
        kinds=KINDS,
        relationships=RELATIONSHIPS,
        first_day=first,
        latest_day=last,
        once=str(uuid.uuid4()),
        **values,
    )


async def _let(to: Visit, patient: str, people: list[Person]) -> Response:
    form = await read_form(to.request, longest=_LONGEST_FIELD)
    asked = asked_of(form.get, to.services.clock(), needs_person=True)
    if asked.trouble:
        return _page(to, people, status=422, asked=asked)
    id_ = _id(patient, form)
    if any(each.acting.who == f"RelatedPerson/{id_}" for each in people):  # it was sent twice
        return redirect(_PATH)
    login, issued = await _write_new(to, patient, id_, asked)
    handed = {
        "name": asked.name,
        "login": login,
        "link": invitation_link(to.services.auth_url, issued).reveal_text(),
        "until_ms": issued.invitation.expires_ms,
    }
    return _page(to, await _people(to), handed=handed)


def _id(patient: str, form: Form) -> str:
    """Of the patient and of this one form, so that sending it twice makes nobody twice."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{patient}/{form.get('once')}"))


async def _write_new(to: Visit, patient: str, id_: str, asked: Asked) -> tuple[str, IssuedInvitation]:
    services, target = to.services, Target("RelatedPerson", (patient,))
    await to.require(Action.DELEGATE_INVITE, target, back=_PATH)
    acting = Acting(f"RelatedPerson/{id_}", asked.types, asked.sensitive, asked.last_day, str(uuid.uuid4()))
    consent = consent_to_acting(acting, patient, format_instant(services.clock()))
    operations = [
        Operation("RelatedPerson", id_, _related(patient, id_, asked), creates=True),
        Operation("Consent", acting.consent, consent, creates=True),
    ]
    login = f"acting-{id_.replace('-', '')[:12]}"
    made: list[IssuedInvitation] = []

    async def plan() -> Plan:
        decision = await to.require(Action.DELEGATE_INVITE, target, back=_PATH)
        account = await services.accounts.prepare_create(
            Kind.PATIENT, name=asked.name, login=login, fhir_user=acting.who
        )
        issued = await services.invitations.prepare_create(account.value, to.account.id.hex())
        made[:] = [issued.value]
        query = f"portal: account {account.value.id.hex()} was added and invited to act for Patient/{patient}"
        beside = joined(None, account, issued)
        return Plan(operations, guard=beside, decisions=(decision,), query=query)

    await carry_out_plan(to.passage, Action.CREATE, plan)
    return login, made[0]


async def _change(to: Visit, patient: str, people: list[Person], person: Person, *, ends: bool) -> Response:
    """Other limits, which may be more than before, so that they ask for what an invitation asks for; or the end."""
    acting = replace(person.acting, in_force=False)
    if not ends:
        form = await read_form(to.request, longest=_LONGEST_FIELD)
        asked = asked_of(form.get, to.services.clock(), needs_person=False)
        if asked.trouble:
            return _page(to, people, status=422, asked=asked, about=acting.consent)
        await to.require(Action.DELEGATE_INVITE, Target("RelatedPerson", (patient,)), back=_PATH)
        acting = replace(acting, types=asked.types, sensitive=asked.sensitive, last_day=asked.last_day, in_force=True)
    if acting != person.acting:
        consent = consent_to_acting(acting, patient, format_instant(to.services.clock()))
        await carry_out(to.passage, Action.UPDATE, [Operation("Consent", acting.consent, consent)])
    return redirect(_PATH)


async def _people(to: Visit) -> list[Person]:
    """Those who act first, then those who did."""
    records = await OwnRecords.of(to)
    consents, _ = await records.find("Consent", most=_MOST)
    related, _ = await records.find("RelatedPerson", most=_MOST)
    records.show([*consents, *related])
    await records.record(f"Consent?patient={records.patient}")
    known = {each.reference: each.resource for each in related}
    now = to.services.clock()
    found = [
        _person(acting, known.get(acting.who, {}), now) for each in consents if (acting := acting_of(each.resource))
    ]
    return sorted(found, key=lambda each: not each.holds)


def _person(acting: Acting, record: Json, now_ms: int) -> Person:
    name = str((record.get("name") or [{}])[0].get("text", ""))
    codings = (record.get("relationship") or [{}])[0].get("coding") or [{}]
    relationship = RELATIONSHIPS.get(str(codings[0].get("code", "")), "")
    return Person(acting, name, relationship, acting.in_force and now_ms < acting.until_ms)


def _related(patient: str, id_: str, asked: Asked) -> Json:
    coding = {"system": ROLE_CODE, "code": asked.relationship, "display": RELATIONSHIPS[asked.relationship]}
    return {
        "resourceType": "RelatedPerson",
        "id": id_,
        "active": True,
        "patient": {"reference": f"Patient/{patient}"},
        "relationship": [{"coding": [coding]}],
        "name": [{"text": asked.name}],
    }
