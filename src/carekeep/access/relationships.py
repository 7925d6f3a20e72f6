"""Who has to do with whom: care relationships, looked up in the records themselves and remembered briefly."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol

from carekeep.access.bonds import Names, Windows, bonds_of, holding, names_of
from carekeep.access.consents.delegates import RELATED, Delegates
from carekeep.access.decision import Principal
from carekeep.access.memory import Memory, Remembered
from carekeep.access.vocabulary import Relation
from carekeep.storage import Clock, system_clock

_REMEMBERED_MS = 60_000
_REMEMBERED_PAIRS = 50_000
_REMEMBERED_PEOPLE = 2_000
_NOBODY: frozenset[Relation] = frozenset()
_NOBODY_NAMED: frozenset[str] = frozenset()
_SELF = frozenset({Relation.SELF})
_DELEGATE = frozenset({Relation.DELEGATE})
_GUEST = frozenset({Relation.GUEST})

Answer = Remembered[frozenset[Relation]]


class RecordReader(Protocol):
    """What relationships need of the records room."""

    async def find(self, type_: str, query: Sequence[tuple[str, str]], patient: str | None) -> list[dict[str, Any]]:
        """Current records of a type that match FHIR search parameters (values joined by commas are alternatives).

        Those in the compartment of ``patient`` (an id), or, with None, those that belong to no patient. Empty for a
        patient who is unknown or forgotten.
        """
        ...

    async def care_records(self, references: Sequence[str]) -> Mapping[str, list[dict[str, Any]]]:
        """Current care records that name one of ``references``, by the id of the patient whom they belong to.

        Of CARE_TYPES but PractitionerRole. May hold records that name none of them, and lacks none that do.
        """
        ...


class Relationships:
    """Answers for one process; ``forget_cached`` is to be called when generation "care" changes."""

    def __init__(
        self,
        reader: RecordReader,
        clock: Clock = system_clock,
        windows: Windows | None = None,
        delegates: Delegates | None = None,
    ) -> None:
        self._reader = reader
        self._delegates = delegates
        self._clock = clock
        self._windows = windows or Windows()
        self._pairs: Memory[tuple[str, str], frozenset[Relation]] = Memory(_REMEMBERED_PAIRS)
        self._names: Memory[str, Names] = Memory(_REMEMBERED_PEOPLE)
        self._panels: Memory[str, frozenset[str]] = Memory(_REMEMBERED_PEOPLE)

    async def between(self, principal: Principal, patient_id: str) -> frozenset[Relation]:
        """The relations of a person to a patient at this moment."""
        if principal.kind == "guest":
            invited = principal.delegation.patient if principal.delegation else None
            return _GUEST if invited == patient_id else _NOBODY
        who = principal.fhir_user
        if who is None:
            return _NOBODY
        if principal.kind == "patient":
            if who == f"Patient/{patient_id}":
                return _SELF
            return _DELEGATE if await self.acts_for(principal) == patient_id else _NOBODY
        if principal.kind != "practitioner" or not who.startswith("Practitioner/"):
            return _NOBODY
        return (await self._answer(who, patient_id)).value

    async def panel(self, principal: Principal) -> frozenset[str]:
        """The ids of all patients to whom a person has any relation at this moment."""
        who = principal.fhir_user or ""
        if principal.kind == "patient" and who.startswith("Patient/"):
            return frozenset({who.removeprefix("Patient/")})
        if principal.kind == "patient":
            patient = await self.acts_for(principal)
            return frozenset() if patient is None else frozenset({patient})
        if principal.kind != "practitioner" or not who.startswith("Practitioner/"):
            return frozenset()
        known = self._panels.recall(who, self._clock())
        if known is None:
            age = self._panels.age
            known = await self._look_for_patients(who)
            self._panels.keep(who, known, age)
        return known.value

    async def acts_for(self, principal: Principal) -> str | None:
        """The id of the patient for whom a related person acts at this moment; None for everybody else."""
        who = principal.fhir_user or ""
        if self._delegates is None or principal.kind != "patient" or not who.startswith(RELATED):
            return None
        return await self._delegates.patient_of(who)

    async def names_of(self, principal: Principal) -> frozenset[str]:
        """The references by which a record may mean a person at this moment: themself, roles, organizations."""
        who = principal.fhir_user
        if who is None or principal.kind not in ("practitioner", "patient"):
            return _NOBODY_NAMED
        if principal.kind != "practitioner" or not who.startswith("Practitioner/"):
            return frozenset({who})
        now = self._clock()
        names = await self._names_of(who)
        return frozenset(name for name, spans in names.items() if any(now in span for span in spans))

    def forget_cached(self) -> None:
        """Drop what is remembered: a record from which relations are read has changed."""
        self._pairs.forget()
        self._names.forget()
        self._panels.forget()
        if self._delegates is not None:
            self._delegates.forget_cached()

    async def _answer(self, who: str, patient_id: str) -> Answer:
        pair = (who, patient_id)
        known = self._pairs.recall(pair, self._clock())
        if known is None:
            age = self._pairs.age
            known = await self._look_up(who, patient_id)
            self._pairs.keep(pair, known, age)
        return known

    async def _look_up(self, who: str, patient_id: str) -> Answer:
        names = await self._names_of(who)
        # Of these names only people and their roles can take part in an encounter or an appointment (R4).
        people = ",".join(name for name in names if not name.startswith("Organization/"))
        found = await asyncio.gather(
            self._reader.find("Patient", [("_id", patient_id)], patient_id),
            self._reader.find("CareTeam", [("status", "active")], patient_id),
            self._reader.find("Encounter", [("participant", people)], patient_id),
            self._reader.find("Appointment", [("actor", people)], patient_id),
        )
        return self._read(chain.from_iterable(found), patient_id, names)

    def _read(self, records: Iterable[dict[str, Any]], patient_id: str, names: Names) -> Answer:
        """What these records of a patient say about the practitioner of ``names``."""
        patient = f"Patient/{patient_id}"
        bonds = [bond for record in records for bond in bonds_of(record, patient, names, self._windows)]
        now = self._clock()
        relations, change = holding(bonds, now)
        return Remembered(relations, min(change, now + _REMEMBERED_MS))

    async def _names_of(self, who: str) -> Names:
        known = self._names.recall(who, self._clock())
        if known is None:
            age = self._names.age
            roles = await self._reader.find("PractitionerRole", [("practitioner", who)], None)
            known = Remembered(names_of(who, roles), self._clock() + _REMEMBERED_MS)
            self._names.keep(who, known, age)
        return known.value

    async def _look_for_patients(self, who: str) -> Remembered[frozenset[str]]:
        """Every record that can make a bond names the practitioner, so no patient need be asked for alone."""
        age = self._pairs.age
        names = await self._names_of(who)
        records = await self._reader.care_records(tuple(names))
        answers = {patient: self._read(found, patient, names) for patient, found in records.items()}
        for patient, answer in answers.items():
            self._pairs.keep((who, patient), answer, age)
        return _panel_of(answers, self._clock() + _REMEMBERED_MS)


def _panel_of(answers: Mapping[str, Answer], at_most_until: int) -> Remembered[frozenset[str]]:
    """The patients with any relation; it holds as long as the shortest of the answers."""
    until = min((answer.until_ms for answer in answers.values()), default=at_most_until)
    patients = frozenset(patient for patient, answer in answers.items() if answer.value)
    return Remembered(patients, min(until, at_most_until))
