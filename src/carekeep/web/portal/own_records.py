"""What a page of the portal reads of its patient's records: decided one by one, and recorded before it is shown.

Whose records these are: one's own, or those of the patient for whom one acts.
"""

from collections.abc import Iterable

from carekeep.access import ANYTHING, Action, Target
from carekeep.fhir import parse_query
from carekeep.records import Stored
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.labelling import past_target
from carekeep.web.passage import together, what_of
from carekeep.web.portal.whose import patient_of
from carekeep.web.sites import Visit, nothing_here


class OwnRecords:
    """The records of the patient who visits. Nothing of them may leave before ``record``."""

    def __init__(self, to: Visit, patient: str) -> None:
        self._to = to
        self._disclosure = Disclosure(to.passage)
        self.patient = patient
        """The patient's id."""

    @classmethod
    async def of(cls, to: Visit) -> "OwnRecords":
        """Raises 404 for an account of no patient; 403, recorded, when the person may not read."""
        patient = await patient_of(to)
        await to.require(Action.READ, Target("Patient", (patient,), (), ANYTHING))
        return cls(to, patient)

    async def find(self, type_: str, *asked: tuple[str, str], most: int) -> tuple[list[Stored], bool]:
        """The newest records of a type (in the order of their writing), and whether there are more than ``most``."""
        await self._disclosure.ask(type_)
        services = self._to.services
        parameter = "_id" if type_ == "Patient" else "patient"
        pairs = [(parameter, self.patient), *asked]
        query = parse_query(type_, pairs, lenient=False, clock=services.clock, base=services.fhir_url)
        page = await services.vault.search(query, {self.patient}, limit=most)
        shown = [await self._disclosure.shown(stored, query) for stored in page.matches]
        return [each for each in shown if each is not None], page.next is not None

    async def read(self, type_: str, id_: str) -> Stored:
        """One record. Raises 403 and 404, recorded, as a FHIR read does; 404 for one that is not this patient's."""
        stored = await self._disclosure.subject(type_, id_)
        if self.patient not in stored.patients:
            await self.record(f"{type_}/{id_}")
            raise nothing_here()
        return stored

    async def versions(self, stored: Stored, most: int) -> list[Stored]:
        """The newest versions of a record that was read; each is decided by itself, and their entry is made here."""
        passage = self._to.passage
        found, decisions = [], []
        for version in await passage.services.vault.history(stored.type, stored.id, count=most):
            decision = await passage.judge(Action.HISTORY, past_target(passage, version))
            if decision.permitted:
                found.append(version)
                decisions.append(decision)
        await passage.record(
            Action.HISTORY,
            "permitted",
            decision=together(list(dict.fromkeys(decisions))),
            what=tuple(map(what_of, found)),
            patients=stored.patients,
            query=f"{stored.reference}/_history",
        )
        return found

    def show(self, records: Iterable[Stored]) -> None:
        """These are going to be shown."""
        self._disclosure.show(*records)

    async def record(self, query: str) -> None:
        """Make the entry of what is shown durable. ``query`` is what a FHIR client would have asked."""
        await self._disclosure.record(query)
