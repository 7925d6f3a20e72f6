"""What is found out about emergencies afterwards: whether the patient has an account, and what was touched.

Done beside the requests, so that no emergency waits for it. Every step has its entry.
"""

import logging
import uuid
from collections.abc import Sequence

from carekeep.access import Action
from carekeep.access.review_rows import Letter, Review
from carekeep.access.reviews import Reviews
from carekeep.audit import Agent, Entry, Ledger
from carekeep.audit.touched import count_touched
from carekeep.encryption import Tampered
from carekeep.identity import Account, Accounts, Kind
from carekeep.identity.notices import Notices
from carekeep.storage import Clock, Conflict, Database, Prepared

NOTICE = "emergency.opened"

_log = logging.getLogger("carekeep.following_up")


class FollowingUp:
    """One turn at a time; see ``Housekeeping``."""

    def __init__(
        self,
        reviews: Reviews,
        accounts: Accounts,
        notices: Notices,
        ledger: Ledger,
        database: Database,
        clock: Clock,
    ) -> None:
        self._reviews = reviews
        self._accounts = accounts
        self._notices = notices
        self._ledger = ledger
        self._database = database
        self._clock = clock

    async def look(self) -> int:
        """Tell patients, and count what was touched, where it is time. Returns at how many was looked."""
        found = await self._reviews.to_look_at()
        holders = await self._holders([each for each in found if each.letter is Letter.LOOKING])
        for review in found:
            try:
                if review.about is not None and review.letter is Letter.LOOKING:
                    await self._tell(review, holders.get(review.about.patient))
                else:
                    await self._count(review)
            except Conflict:  # it was answered at this moment; the next turn looks again
                continue
            except Tampered as error:
                _log.error("A review cannot be followed up: %s", error)
        return len(found)

    async def _holders(self, reviews: Sequence[Review]) -> dict[str, Account]:
        """The accounts of these patients. All accounts are looked at: what stands in their rows is sealed."""
        wanted = {each.about.patient for each in reviews if each.about is not None}
        if not wanted:
            return {}
        return {
            patient: account
            async for account in self._accounts.all()
            if account.kind is Kind.PATIENT
            and not account.disabled
            and (patient := (account.fhir_user or "").removeprefix("Patient/")) in wanted
        }

    async def _tell(self, review: Review, holder: Account | None) -> None:
        changed = await self._reviews.prepare_told(review, has_account=holder is not None)
        if holder is None:
            await self._record(review, "a letter to the patient is due", changed)
            return
        clinician = await self._accounts.get(review.clinician)
        facts = {"by": clinician.name if clinician else "", "at_ms": str(review.opened_ms)}
        notice = await self._notices.prepare_add(holder.id, NOTICE, facts)
        await self._record(review, "the patient was told by a notice in their account", changed, notice)

    async def _count(self, review: Review) -> None:
        touched: tuple[tuple[str, int], ...] = ()
        if review.about is not None:
            touched = await count_touched(
                self._database,
                self._ledger,
                account=review.clinician.hex(),
                patient=review.about.patient,
                start_ms=review.opened_ms,
                end_ms=review.until_ms,
            )
        changed = await self._reviews.prepare_touched(review, touched)
        await self._record(review, "what was touched was counted", changed)

    async def _record(self, review: Review, what: str, *prepared: Prepared[object]) -> None:
        entry = Entry(
            action=Action.REVIEW_ANSWER,
            agent=Agent(account="", role="server"),
            purpose="",
            outcome="permitted",
            patients=() if review.about is None else (review.about.patient,),
            reason=f"review {review.id.hex()}: {what}",
            request_id=uuid.uuid4().hex,
            at_ms=self._clock(),
        )
        await self._ledger.record(entry, *prepared)
