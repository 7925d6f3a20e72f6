"""What of the ledger's entries one person may see."""

from carekeep.access import Action, Decision, Target
from carekeep.audit import Entry, Followed
from carekeep.audit.views import for_patient
from carekeep.web.denials import denied
from carekeep.web.fhir.auditing.whose import Whose
from carekeep.web.passage import Passage

AUDIT_EVENT = "AuditEvent"
_MOST_PATIENTS = 20  # of one entry that are asked for, one by one


class EntrySight:
    """Decides entries for one request. ``decisions`` are those by which entries were shown."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._verdicts: dict[tuple[str, ...], Decision] = {}
        self._whose = Whose(passage.services.vault)
        self.decisions: dict[Decision, None] = {}

    async def demand(self, patients: tuple[str, ...], *, found: bool = False) -> Decision:
        """Ask for the entries about patients, or for all (``()``). A denial is recorded and raised: 403, or 401."""
        decision = await self._judge(patients, found=found)
        if not decision.permitted:
            passage = self._passage
            await passage.record(Action.DISCLOSURE_READ, "denied", decision=decision, patients=patients)
            raise denied(decision, passage.principal)
        return decision

    async def of(self, followed: Followed, patient: str | None = None, *, found: bool = False) -> Followed | None:
        """The entry as the person may see it, or None. ``patient``: as far as it is about this one.

        Who may see all of an entry does; else it is narrowed to one patient about whom they may.
        """
        entry = followed.entry
        if self._sees_everybody() and patient in (None, *entry.patients):
            whole = await self._judge(entry.patients[:1], found=found)
            if not whole.permitted:
                return None
            self.decisions[whole] = None
            return followed
        for each in self._candidates(entry) if patient is None else (patient,):
            decision = await self._judge((each,), found=found)
            if decision.permitted and each in entry.patients:
                self.decisions[decision] = None
                return for_patient(followed, each, await self._whose.own(entry, each))
        return None

    def own_patient(self) -> str | None:
        """The patient whom the person is, or acts for."""
        for reference in (self._passage.principal.fhir_user, self._passage.agent.on_behalf_of):
            type_, _, id_ = (reference or "").partition("/")
            if type_ == "Patient":
                return id_
        return None

    def _sees_everybody(self) -> bool:
        """Whether entries are shown as they are: to who looks after the ledger, and not to those whom it is about.

        For auditors relations do not count, so one patient of an entry is asked for in the place of all.
        """
        return self._passage.principal.kind == "auditor"

    def _candidates(self, entry: Entry) -> list[str]:
        own = self.own_patient()
        return sorted(entry.patients, key=lambda patient: patient != own)[:_MOST_PATIENTS]

    async def _judge(self, patients: tuple[str, ...], *, found: bool) -> Decision:
        if patients not in self._verdicts:
            target = Target(AUDIT_EVENT, patients)
            self._verdicts[patients] = await self._passage.judge(Action.DISCLOSURE_READ, target, found=found)
        return self._verdicts[patients]
