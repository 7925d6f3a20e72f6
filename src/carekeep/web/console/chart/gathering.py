"""What a chart shows, read and decided record by record; the entry is made by the page."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from carekeep.access import Action, Target
from carekeep.fhir import parse_query
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.obligations import abide
from carekeep.web.sites import Visit
from carekeep.web.sites.visit import Elsewhere

_AT_ONCE = 200

WHOLE: Final = {"AllergyIntolerance": 200, "Condition": 300, "Flag": 50}
"""Types that a chart shows in whole, and the bound that keeps it a page."""
NEWEST: Final = {
    "MedicationRequest": 100,
    "MedicationStatement": 100,
    "Observation": 300,
    "DiagnosticReport": 20,
    "ServiceRequest": 30,
    "Encounter": 20,
    "DocumentReference": 30,
    "Immunization": 60,
    "Procedure": 30,
}
"""Types of which the newest records are enough at first, and how many."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A patient's records that the person may see. ``more``: types of which there are more than are here."""

    patient: Stored = field(repr=False)
    records: dict[str, tuple[Stored, ...]] = field(repr=False)
    more: frozenset[str]

    def of(self, *types: str) -> list[Stored]:
        """The records of these types."""
        return [stored for type_ in types for stored in self.records.get(type_, ())]


async def patient_of(to: Visit, disclosure: Disclosure, patient_id: str) -> Stored:
    """The Patient, if the person may see them. Raises Elsewhere, with the same page for whoever is not there."""
    passage = to.passage
    stored = await _read(to, patient_id)
    if stored is not None:
        decision = await disclosure.decision(stored)
        if decision.permitted:
            return abide(decision, stored)
        if decision.step_up is not None:
            await to.require(Action.READ, passage.target_of(stored))
    else:
        decision = await passage.judge(Action.READ, Target("Patient", (patient_id,), ()))
    # Of somebody who is not there nothing can be permitted either.
    await passage.record(
        Action.READ, "denied", decision=None if decision.permitted else decision, patients=(patient_id,)
    )
    raise Elsewhere(to.page("chart/closed.html", status=403, patient_id=patient_id))


async def read_chart(to: Visit, disclosure: Disclosure, patient: Stored, limits: dict[str, int]) -> Chart:
    """The newest records of these types, at most so many of each."""
    records, more = {}, set()
    for type_, most in limits.items():
        found = await _newest(to, disclosure, type_, patient.id, most)
        if len(found) > most:
            more.add(type_)
        records[type_] = tuple(found[:most])
    return Chart(patient, records, frozenset(more))


async def record_view(disclosure: Disclosure, what: str, patient: Stored, shown: Iterable[Stored]) -> None:
    """Make the entry of what the page shows durable."""
    disclosure.show(patient, *shown)
    await disclosure.record(f"{what} of Patient/{patient.id}")


async def _newest(to: Visit, disclosure: Disclosure, type_: str, patient_id: str, most: int) -> list[Stored]:
    """One more than ``most`` at most. What one may not see is passed over, and makes nothing shorter."""
    query = parse_query(type_, [("patient", f"Patient/{patient_id}")], lenient=False)
    vault, after = to.services.vault, None
    found: list[Stored] = []
    while len(found) <= most:
        page = await vault.search(query, (patient_id,), after=after, limit=min(most + 1, _AT_ONCE))
        shown = [await disclosure.shown(stored, query) for stored in page.matches]
        found.extend(stored for stored in shown if stored is not None)
        after = page.next
        if after is None:
            break
    return found


async def _read(to: Visit, patient_id: str) -> Stored | None:
    try:
        stored = await to.services.vault.read("Patient", patient_id)
    except (NotFound, Forgotten):
        return None
    return None if stored.deleted else stored
