"""The consents of patients, compiled and remembered, for one process."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from carekeep.access.consents.contents import Facts
from carekeep.access.consents.evaluating import SILENT, Question, Verdict, evaluate
from carekeep.access.consents.reading import ConsentRefused, read_consent
from carekeep.access.consents.rules import ConsentRules, Provision
from carekeep.access.consents.words import CARE, Implicit
from carekeep.access.decision import Target
from carekeep.access.memory import Memory, Remembered
from carekeep.access.vocabulary import Agreement, Purpose
from carekeep.storage import Clock, system_clock

TOPIC: Final = "consent"
"""Of generations: bumped with every change to a Consent."""

_REMEMBERED_MS = 10 * 60_000
_REMEMBERED_PATIENTS = 50_000
_DENIED = Verdict(Agreement.DENY)
_PRACTITIONER = "Practitioner/"


class ConsentReader(Protocol):
    """What consents need of the records room."""

    async def find(self, type_: str, query: Sequence[tuple[str, str]], patient: str | None) -> list[dict[str, Any]]:
        """As ``RecordReader.find``."""
        ...


class Consents:
    """Answers for one process; ``forget_cached`` is to be called when generation ``TOPIC`` or "care" changes."""

    def __init__(
        self, reader: ConsentReader, clock: Clock = system_clock, implicit: Implicit = Implicit.ALL_NORMAL
    ) -> None:
        self._reader = reader
        self._clock = clock
        self._implicit = implicit
        self._known: Memory[str, tuple[ConsentRules, ...]] = Memory(_REMEMBERED_PATIENTS)

    async def of(self, patient: str) -> tuple[ConsentRules, ...]:
        """What a patient's active consents say, in the order of their ids."""
        now = self._clock()
        known = self._known.recall(patient, now)
        if known is None:
            age = self._known.age
            known = Remembered(await self._look_up(patient), now + _REMEMBERED_MS)
            self._known.keep(patient, known, age)
        return known.value

    def verdict(
        self, consents: Sequence[ConsentRules], names: Iterable[str], purpose: Purpose, target: Target
    ) -> Verdict:
        """What these consents say to a request of somebody who is meant by ``names`` ("Type/id") now."""
        said = SILENT
        if consents:
            said = evaluate(consents, Question(frozenset(names), purpose, self._clock(), Facts.of(target)))
        return self._implied(purpose) if said is SILENT else said

    def need_content(self, patients: Iterable[str]) -> bool:
        """Whether decisions about records of these patients may depend on what they say.

        True as long as the consents of one are not known: who does not know must not take two records for alike.
        """
        now = self._clock()
        for patient in patients:
            known = self._known.recall(patient, now)
            if known is None or any(rules.needs_content for rules in known.value):
                return True
        return False

    def forget_cached(self) -> None:
        """Look everything up anew."""
        self._known.forget()

    def _implied(self, purpose: Purpose) -> Verdict:
        """What holds where no consent says anything (IHE PCF, Implicit Option)."""
        if self._implicit is Implicit.ALL_NORMAL or (self._implicit is Implicit.BASIC_NORMAL and purpose in CARE):
            return SILENT
        return _DENIED

    async def _look_up(self, patient: str) -> tuple[ConsentRules, ...]:
        found = await self._reader.find("Consent", [("status", "active")], patient)
        read = [_compiled(resource, patient) for resource in sorted(found, key=lambda each: str(each.get("id")))]
        return tuple(
            [await self._with_roles(rules) for rules in read if rules is not None and rules.patient == patient]
        )

    async def _with_roles(self, rules: ConsentRules) -> ConsentRules:
        """The rules with authors under the roles in which they write as well."""
        people = {
            each for provision in rules.root.all() for each in provision.authors if each.startswith(_PRACTITIONER)
        }
        if not people:
            return rules
        roles = {person: await self._roles_of(person) for person in people}
        return replace(rules, root=_authored_as(rules.root, roles))

    async def _roles_of(self, practitioner: str) -> frozenset[str]:
        found = await self._reader.find("PractitionerRole", [("practitioner", practitioner)], None)
        return frozenset(f"PractitionerRole/{role.get('id')}" for role in found)


def _compiled(resource: Mapping[str, Any], patient: str) -> ConsentRules | None:
    """The rules of a stored consent. One that cannot be read lets nobody in: it was written before it was checked."""
    try:
        return read_consent(resource)
    except ConsentRefused:
        return ConsentRules.of(f"Consent/{resource.get('id', '')}", patient, Provision(permits=False))


def _authored_as(provision: Provision, roles: Mapping[str, frozenset[str]]) -> Provision:
    authors = provision.authors.union(*(roles.get(author, frozenset()) for author in provision.authors))
    exceptions = tuple(_authored_as(each, roles) for each in provision.exceptions)
    return replace(provision, authors=authors, exceptions=exceptions)
