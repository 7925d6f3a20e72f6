"""Who acts for a patient: a person whom the records call related (RelatedPerson), and whom the patient's consent names.

Both must hold, at the moment of the request. The consent is the limit: by type, label, time; without it, being
somebody's parent opens nothing here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from carekeep.access.consents.book import Consents
from carekeep.access.decision import Target
from carekeep.access.memory import Memory, Remembered
from carekeep.access.rights import ANYTHING
from carekeep.access.spans import Span, period
from carekeep.access.vocabulary import Agreement, Purpose
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.storage import Clock, system_clock

RELATED: Final = "RelatedPerson/"
_PATIENT = re.compile(r"Patient/([A-Za-z0-9.-]{1,64})", re.ASCII)
_SOMETHING = Target(content=ANYTHING)
_REMEMBERED_MS = 60_000
_REMEMBERED_PEOPLE = 10_000


class RelatedReader(Protocol):
    """What this needs of the records room."""

    async def read(self, type_: str, id_: str) -> Stored:
        """The current version, which may be a deletion. Raises NotFound, Forgotten."""
        ...


@dataclass(frozen=True, slots=True)
class Bond:
    """Whom a related person is related to, and when."""

    patient: str
    span: Span


class Delegates:
    """Answers for one process; ``forget_cached`` is to be called when generation "care" changes."""

    def __init__(self, reader: RelatedReader, consents: Consents, clock: Clock = system_clock) -> None:
        self._reader = reader
        self._consents = consents
        self._clock = clock
        self._bonds: Memory[str, Bond | None] = Memory(_REMEMBERED_PEOPLE)

    async def patient_of(self, who: str) -> str | None:
        """The id of the patient for whom ``who`` ("RelatedPerson/x") acts at this moment; None: for nobody."""
        bond = await self._bond(who)
        if bond is None or self._clock() not in bond.span:
            return None
        consents = await self._consents.of(bond.patient)
        verdict = self._consents.verdict(consents, {who}, Purpose.PATRQT, _SOMETHING)
        return bond.patient if verdict.agreement is Agreement.PERMIT and verdict.named else None

    def forget_cached(self) -> None:
        """Look everybody up anew."""
        self._bonds.forget()

    async def _bond(self, who: str) -> Bond | None:
        now = self._clock()
        known = self._bonds.recall(who, now)
        if known is None:
            age = self._bonds.age
            known = Remembered(await self._look_up(who), now + _REMEMBERED_MS)
            self._bonds.keep(who, known, age)
        return known.value

    async def _look_up(self, who: str) -> Bond | None:
        try:
            stored = await self._reader.read("RelatedPerson", who.removeprefix(RELATED))
        except (NotFound, Forgotten):
            return None
        return None if stored.deleted else bond_of(stored.resource)


def bond_of(record: Mapping[str, Any]) -> Bond | None:
    """What a RelatedPerson record says; None where it is not in use, or names no patient of this server."""
    patient = record.get("patient")
    text = patient.get("reference") if isinstance(patient, Mapping) else None
    match = _PATIENT.fullmatch(text) if isinstance(text, str) else None
    if match is None or record.get("active") is False:
        return None
    span = period(record.get("period"))
    return Bond(match[1], span) if span.since < span.until else None
