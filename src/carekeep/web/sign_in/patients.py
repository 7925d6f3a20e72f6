"""Choosing a patient for an app: only those whom the person may see are found."""

from dataclasses import dataclass, field
from typing import Any

from carekeep.access import Action
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.obligations import abide
from carekeep.web.passage import Passage, together, what_of
from carekeep.web.problems import problem

_MOST_LOOKED_AT = 500
_MOST_SHOWN = 20
_LEAST_LETTERS = 2


@dataclass(frozen=True, slots=True)
class PatientFound:
    """A patient as the list shows them."""

    id: str
    name: str = field(repr=False)
    born: str = field(repr=False)


async def find_patients(passage: Passage, sought: str) -> list[PatientFound]:
    """Patients of the person's own panel whose name holds what was typed; what is shown is in the ledger first."""
    wanted = sought.strip().casefold()
    if len(wanted) < _LEAST_LETTERS:
        return []
    shown: list[tuple[Stored, PatientFound]] = []
    decisions = []
    for id_ in sorted(await passage.patients_in_sight() or ())[:_MOST_LOOKED_AT]:
        stored = await _read(passage, id_)
        if stored is None or wanted not in _name(stored.resource).casefold():
            continue
        decision = await passage.judge(Action.READ, passage.target_of(stored))
        seen = abide(decision, stored)
        if decision.permitted and wanted in _name(seen.resource).casefold():
            decisions.append(decision)
            shown.append((stored, _found(seen)))
        if len(shown) == _MOST_SHOWN:
            break
    await passage.record(
        Action.SEARCH,
        "permitted",
        decision=together(decisions),
        what=tuple(what_of(stored) for stored, _ in shown),
        patients=[found.id for _, found in shown],
        reason="" if decisions else "nobody was found to choose for an app",
    )
    return sorted((found for _, found in shown), key=lambda found: found.name)


async def name_of(passage: Passage, id_: str) -> str:
    """The name of a patient whom the person may see; recorded. Raises 403 for any other, there or not."""
    stored = await _read(passage, id_)
    if stored is None:
        raise problem(403, "forbidden", "You may not see this patient, so you cannot choose them.")
    decision = await passage.demand(Action.READ, passage.target_of(stored), what=(what_of(stored),))
    what, patients = (what_of(stored),), (stored.id,)
    await passage.record(Action.READ, "permitted", decision=decision, what=what, patients=patients)
    return _name(abide(decision, stored).resource)


async def _read(passage: Passage, id_: str) -> Stored | None:
    try:
        stored = await passage.services.vault.read("Patient", id_)
    except (NotFound, Forgotten):
        return None
    return None if stored.deleted else stored


def _found(stored: Stored) -> PatientFound:
    return PatientFound(stored.id, _name(stored.resource), str(stored.resource.get("birthDate", "on a day not known")))


def _name(patient: dict[str, Any]) -> str:
    names = [name for name in patient.get("name", ()) if name.get("use") != "old"]
    if not names:
        return "A patient without a name"
    name = names[0]
    return name.get("text") or " ".join([*name.get("given", ()), name.get("family", "")]).strip() or "A patient"
