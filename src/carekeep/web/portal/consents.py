"""My consents, as switches: each with what changes, who loses sight, and what remains possible in an emergency.

A switch is one Consent of the patient (``access.consents.switches``), written by the same way as any by FHIR: its
version and its ledger entry are the history. What has a heavy consequence is looked at twice.
"""

import uuid
from dataclasses import dataclass
from typing import Final

from carekeep.access import Action
from carekeep.access.consents.switches import SENSITIVE, Switch, SwitchKind, consent_for, switches
from carekeep.fhir import format_instant
from carekeep.records import Stored
from carekeep.web.browser import read_form, redirect
from carekeep.web.fhir.writing import Operation, carry_out
from carekeep.web.http import Response
from carekeep.web.portal.organizations import Organizations
from carekeep.web.portal.own_patient import own_patient
from carekeep.web.portal.own_records import OwnRecords
from carekeep.web.sites import Visit, nothing_here

_MOST: Final = 200
_MOST_ORGANIZATIONS: Final = 20
_PATH: Final = "/consents"


@dataclass(frozen=True, slots=True)
class Shown:
    """A switch on the page. ``name``: an organization's, or English to be translated; ``changed_ms``: 0 for never."""

    switch: Switch
    name: str
    changed_ms: int

    @property
    def key(self) -> str:
        """By which a form names it."""
        return f"{self.switch.kind}/{self.switch.about}"


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``GET /consents`` and ``POST /consents``; the second without ``sure`` asks once more."""
    if rest:
        raise nothing_here()
    patient = own_patient(to)
    found = await _switches(to)
    if method == "GET":
        return to.page("consents.html", shown=found)
    form = await read_form(to.request)
    chosen = next((each for each in found if each.key == form.get("switch")), None)
    if chosen is None or form.get("to") not in {"on", "off"}:
        raise nothing_here()
    on = form.get("to") == "on"
    if on == chosen.switch.on:  # it was sent twice
        return redirect(_PATH)
    if (not on or chosen.switch.kind is SwitchKind.RESEARCH) and form.get("sure") != "1":
        return to.page("consents_sure.html", each=chosen, on=on)
    await _write(to, chosen.switch, patient, on=on)
    return redirect(_PATH)


async def _write(to: Visit, switch: Switch, patient: str, *, on: bool) -> None:
    resource = consent_for(switch, patient, on=on, at=format_instant(to.services.clock()))
    id_ = switch.consent or str(uuid.uuid4())
    operation = Operation("Consent", id_, {**resource, "id": id_}, creates=switch.consent is None)
    await carry_out(to.passage, Action.CREATE if operation.creates else Action.UPDATE, [operation])


async def _switches(to: Visit) -> list[Shown]:
    records = await OwnRecords.of(to)
    consents, _ = await records.find("Consent", most=_MOST)
    encounters, _ = await records.find("Encounter", most=_MOST)
    teams, _ = await records.find("CareTeam", most=_MOST)
    records.show([*consents, *encounters, *teams])
    await records.record(f"Consent?patient={records.patient}")
    changed = {each.id: each.last_updated_ms for each in consents}
    organizations = _organizations([*encounters, *teams])
    names = Organizations(to.passage, 0)
    shown = []
    for switch in switches((each.resource for each in consents), organizations):
        name = SENSITIVE.get(switch.about, "")
        if switch.kind is SwitchKind.ORGANIZATION:
            name = await names.name(switch.about) or switch.about
        shown.append(Shown(switch, name, changed.get(switch.consent or "", 0)))
    return shown


def _organizations(records: list[Stored]) -> list[str]:
    """Those that had to do with the patient, by their visits and care teams."""
    found: dict[str, None] = {}
    for stored in records:
        places = [stored.resource.get("serviceProvider"), *stored.resource.get("managingOrganization", ())]
        for place in places:
            reference = str((place or {}).get("reference", ""))
            if reference.startswith("Organization/"):
                found[reference] = None
    return list(found)[:_MOST_ORGANIZATIONS]
