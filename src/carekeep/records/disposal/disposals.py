"""Disposal by two people: one proposes, another one approves, and the patient's key is destroyed in the same unit.

What is left is a certificate: what was disposed of, by which rule and law, by whom and when, and nothing of the patient
but a keyed digest of the id, which this installation alone can compare.
"""

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, date, datetime

from carekeep.encryption import KeyDestroyed, KeyMissing, Keyring, KeyUnknown, Tampered
from carekeep.records.disposal.certificate import Certificate, Signatory
from carekeep.records.disposal.disposal_rows import (
    COLUMNS,
    TABLE,
    About,
    Disposal,
    Ground,
    State,
    open_disposal,
    pin_of,
    pinned,
    seal_disposal,
)
from carekeep.records.disposal.due import PatientFacts, Verdict, judge
from carekeep.records.disposal.gathering import gather
from carekeep.records.disposal.schedules import Retention
from carekeep.records.disposal.words import DisposalRefused, written
from carekeep.records.holding import is_held
from carekeep.records.vault import Vault
from carekeep.storage import Change, Clock, Database, Finding, Insert, Pin, Prepared, Row, system_clock

LIFETIME_MS = 7 * 86_400_000
_ID = 16
_LISTED = 200

_ROWS = f"SELECT {', '.join(COLUMNS)} FROM disposal"
_BY_ID = f"{_ROWS} WHERE id = $1"
_NEWEST = f"{_ROWS} ORDER BY expires_ms DESC, id LIMIT $1"
_OF_SCOPE = f"{_ROWS} WHERE scope = $1"
_CHANGE = "UPDATE disposal SET revision = $1, sealed = $2, about = $3 WHERE id = $4 AND revision = $5"
_VERSIONS = "SELECT count(*) FROM record_version WHERE scope = $1"
_EPOCH = "SELECT epoch FROM patient_key WHERE scope = $1"
# Changes nothing: it is there to fail when a record was written since the facts were gathered.
_UNCHANGED = """
    UPDATE patient_key SET epoch = epoch
     WHERE scope = $1 AND (SELECT count(*) FROM record_version WHERE scope = $1) = $2
"""


class Disposals:
    """Proposes, decides and certifies. A conflict at commit: something about it or the patient changed meanwhile."""

    def __init__(
        self,
        database: Database,
        keyring: Keyring,
        vault: Vault,
        retention: Retention,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._vault = vault
        self._retention = retention
        self._clock = clock
        self._random = random

    @property
    def retention(self) -> Retention:
        """The schedules in force."""
        return self._retention

    async def assess(self, patient_id: str) -> tuple[PatientFacts, Verdict]:
        """A patient's records, and when they may go. Raises Tampered."""
        facts = await gather(self._database, self._keyring, patient_id)
        return facts, judge(facts, self._retention.rules, self._retention.majority)

    def today(self) -> date:
        """Today, in UTC."""
        return datetime.fromtimestamp(self._clock() / 1000, UTC).date()

    async def prepare_propose(self, patient_id: str, by: bytes, ground: Ground, reason: str) -> Prepared[Disposal]:
        """The first of two people, who has seen that the records are due, or that the patient asks for erasure.

        Raises DisposalRefused.
        """
        reason, scope, now = written(reason), self._keyring.scope_of(patient_id), self._clock()
        await self._require_living(scope)
        await self._require_reason_to_go(patient_id, scope, ground)
        for row in await self._database.fetch(_OF_SCOPE, (scope,)):
            if (other := await open_disposal(row, self._keyring)).state is State.PROPOSED and other.expires_ms > now:
                raise DisposalRefused("The disposal of this patient is proposed already: approve or reject that one.")
        disposal = Disposal(
            id=self._random(_ID),
            scope=scope,
            ground=ground,
            proposed_by=by,
            proposed_ms=now,
            expires_ms=now + LIFETIME_MS,
            about=About(patient_id, reason),
        )
        sealed = await seal_disposal(disposal, self._keyring)
        return Prepared(disposal, (Insert(TABLE, COLUMNS, [sealed]),), (pin_of(sealed),))

    async def prepare_approve(self, disposal: Disposal, proposer: Signatory, approver: Signatory) -> Prepared[Disposal]:
        """The second one: destroys the patient's key, and certifies it, in one unit.

        ``proposer`` and ``approver`` are those of the accounts as they are now. Raises DisposalRefused, Held.
        """
        about = self._require_open(disposal)
        if approver.account == disposal.proposed_by.hex() or approver.account == proposer.account:
            raise DisposalRefused("Who proposed it cannot approve it: another administrator must.")
        await self._require_living(disposal.scope)
        versions = await self._count(_VERSIONS, disposal.scope)
        facts, verdict = await self._require_reason_to_go(about.patient, disposal.scope, disposal.ground)
        certificate = Certificate(
            id=disposal.id.hex(),
            patient=self.digest_of(about.patient),
            ground=disposal.ground,
            verdict=verdict if disposal.ground is Ground.SCHEDULE else None,
            counts=facts.counts(),
            versions=versions,
            proposed_by=proposer,
            proposed_ms=disposal.proposed_ms,
            approved_by=approver,
            disposed_ms=self._clock(),
            epoch=await self._count(_EPOCH, disposal.scope),
        )
        forget = await self._vault.prepare_forget(about.patient)
        changed = replace(
            disposal,
            state=State.DISPOSED,
            decided_by=bytes.fromhex(approver.account),
            decided_ms=certificate.disposed_ms,
            certificate=certificate.json(),
        )
        decided = await self._change(changed)
        unchanged = Change(_UNCHANGED, [(disposal.scope, versions)], expect=1)
        return Prepared(decided.value, (unchanged, *forget.steps, *decided.steps), (*forget.pins, *decided.pins))

    async def prepare_reject(self, disposal: Disposal, by: bytes) -> Prepared[Disposal]:
        """The end of a proposal; who made it may take it back. Raises DisposalRefused."""
        self._require_open(disposal)
        return await self._change(replace(disposal, state=State.REJECTED, decided_by=by, decided_ms=self._clock()))

    async def get(self, id_: bytes) -> Disposal | None:
        """The disposal with this id. Raises Tampered."""
        row = await self._database.fetch_one(_BY_ID, (id_,))
        return None if row is None else await open_disposal(row, self._keyring)

    async def newest(self) -> tuple[Disposal, ...]:
        """The newest 200. Raises Tampered."""
        return await self._all(_NEWEST, _LISTED)

    async def of_patient(self, patient_id: str) -> tuple[Disposal, ...]:
        """Those of a patient, also of one who is forgotten: for somebody who brings the id. Raises Tampered."""
        return await self._all(_OF_SCOPE, self._keyring.scope_of(patient_id))

    async def pin_of(self, disposal: Disposal) -> Pin:
        """The pin of a disposal's row as it is now: by it the ledger entry is found that made it so."""
        row = await self._database.fetch_one(_BY_ID, (disposal.id,))
        if row is None:
            raise DisposalRefused("The disposal is gone.")
        return pin_of(row)

    def digest_of(self, patient_id: str) -> str:
        """How certificates name a patient: a keyed digest, which tells nothing to who has not the key."""
        return self._keyring.index.digest("disposed patient", patient_id).hex()

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every row as the ledger pins it: the key of its pin, and what the pin is of."""
        async for batch in self._database.stream(_ROWS):
            for row in batch:
                yield row[0].hex(), pinned(row)

    async def verify(self) -> AsyncIterator[Finding]:
        """Rows that do not open, and certificates of patients whose key is still there."""
        async for batch in self._database.stream(_ROWS):
            for row in batch:
                where = f"{TABLE}/{row[0].hex()}"
                try:
                    disposal = await open_disposal(row, self._keyring)
                except (Tampered, KeyMissing) as error:
                    yield Finding(where, str(error))
                    continue
                if disposal.state is State.DISPOSED and disposal.about is not None:
                    yield Finding(where, "it is certified, and the patient's key is there again")

    async def _require_living(self, scope: int) -> None:
        try:
            await self._keyring.scope(scope)
        except KeyUnknown:
            raise DisposalRefused("There are no records of this patient here. Check the id.") from None
        except KeyDestroyed:
            raise DisposalRefused("This patient was forgotten before.") from None

    async def _require_reason_to_go(self, patient_id: str, scope: int, ground: Ground) -> tuple[PatientFacts, Verdict]:
        if await is_held(self._database, self._keyring, scope):
            raise DisposalRefused("A legal hold keeps these records.")
        facts, verdict = await self.assess(patient_id)
        if ground is Ground.SCHEDULE and not verdict.is_due(self.today()):
            until = f" until {verdict.due}" if verdict.due else ""
            raise DisposalRefused(f"The records are kept{until}. {verdict.why}")
        return facts, verdict

    def _require_open(self, disposal: Disposal) -> About:
        if disposal.state is not State.PROPOSED:
            raise DisposalRefused(f"It is {disposal.state} already.")
        if disposal.expires_ms <= self._clock():
            raise DisposalRefused("It was not approved within a week. Propose it anew.")
        if disposal.about is None:
            raise DisposalRefused("This patient was forgotten before.")
        return disposal.about

    async def _change(self, changed: Disposal) -> Prepared[Disposal]:
        disposal = replace(changed, revision=changed.revision + 1)
        row = await seal_disposal(disposal, self._keyring)
        values = (disposal.revision, row[4], row[5], disposal.id, changed.revision)
        return Prepared(disposal, (Change(_CHANGE, [values], expect=1),), (pin_of(row),))

    async def _count(self, sql: str, scope: int) -> int:
        row: Row | None = await self._database.fetch_one(sql, (scope,))
        return int(row[0]) if row else 0

    async def _all(self, sql: str, value: int) -> tuple[Disposal, ...]:
        rows = await self._database.fetch(sql, (value,))
        return tuple([await open_disposal(row, self._keyring) for row in rows])
