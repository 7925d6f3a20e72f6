"""One step of an export: look at the next records, decide on each, and note down where those stand that are taken.

What an export holds: each record in its newest version that is not stamped later than the transaction time, if it was
asked for and the account that asked may read it. The walk begins a little after the transaction time, so that what was
being written at that moment is there; nothing that was answered before the kick-off is missing.
"""

import asyncio
from dataclasses import replace

from carekeep.access import Action, Decision, Target
from carekeep.access.labelling import notice_for_labels
from carekeep.records import Found, Pointer, Stored, Stretch, Walker
from carekeep.web.bulk.gathering import Gathering
from carekeep.web.bulk.orders import ExportOrder, Progress
from carekeep.web.bulk.selecting import OTHERS_TOO, Selection
from carekeep.web.passage import Passage

SETTLE_MS = 2_000
PAGE = 200  # records between two turns of the event loop
STEP = 4_000  # records between two positions that survive a crash
TAMPERED = "tampered"
PART2 = "42 CFR Part 2"
_SCOPES_AT_ONCE = 500


class ExportStep:
    """The work of one step. ``run`` gives the position after it; ``gathered`` holds what it found."""

    def __init__(self, passage: Passage, walker: Walker, order: ExportOrder, progress: Progress) -> None:
        self._passage = passage
        self._walker = walker
        self._order = order
        self._selection = Selection.of(order)
        self._verdicts: dict[Target, Decision] = {}
        self._scope, self._seq, self._block = progress.scope, progress.seq, progress.block
        self._looked = 0
        self._before = progress
        self.gathered = Gathering(progress)

    async def run(self) -> tuple[Progress, bool]:
        """The progress after at most about ``STEP`` records, and whether that was the end."""
        by_scope = self._order.patients is not None or self._order.by_patient
        ended = await (self._scopes() if by_scope else self._everything())
        self.gathered.finished()
        after = replace(
            self._before,
            scope=self._scope,
            seq=self._seq,
            block=self._block,
            looked=self._before.looked + self._looked,
            taken=self.gathered.taken,
            files=tuple(self.gathered.files),
            notices=tuple(self.gathered.notices.items()),
        )
        return after, ended

    async def _everything(self) -> bool:
        while self._looked < STEP:
            stretch = await self._walker.everything(self._seq, self._order.moment_ms, PAGE)
            await self._take(stretch)
            if stretch.ended:
                return True
        return False

    async def _scopes(self) -> bool:
        """Patient by patient, in the order of their scopes, from where the last step stopped."""
        while self._looked < STEP:
            scopes = await self._scopes_from(self._scope)
            if not scopes:
                return True
            for scope in scopes:
                if scope != self._scope:
                    self._scope, self._seq, self._block = scope, 0, None
                if not await self._one_scope(scope):
                    return False
            self._scope, self._seq, self._block = scopes[-1] + 1, 0, None
        return False

    async def _one_scope(self, scope: int) -> bool:
        """Whether the scope was walked to its end."""
        while self._looked < STEP:
            stretch = await self._walker.of_patient(scope, self._seq, self._order.moment_ms, PAGE)
            await self._take(stretch)
            if stretch.ended:
                return True
        return False

    async def _scopes_from(self, first: int) -> list[int]:
        """The next scopes to walk; those of patients that were named need not exist."""
        if self._order.patients is None:
            return await self._walker.next_patients(first - 1, _SCOPES_AT_ONCE)
        scope_of = self._passage.services.keyring.scope_of
        named = sorted(scope for scope in map(scope_of, self._order.patients) if scope >= first)
        return named[:_SCOPES_AT_ONCE]

    async def _take(self, stretch: Stretch) -> None:
        for found in stretch.found:
            await self._consider(found)
        self._looked += max(len(stretch.found), 1)
        self._seq = stretch.last
        await asyncio.sleep(0)  # requests get their turn after every page

    async def _consider(self, found: Found) -> None:
        stored = found.stored
        if stored is None:
            self.gathered.notices[TAMPERED] += 1
            return
        place = self._selection.place_of(stored)
        if place is None or not await self._permitted(stored):
            return
        if place != OTHERS_TOO and notice_for_labels(stored.labels) is not None:
            self.gathered.notices[PART2] = 1  # that there is some is said, and not how much
        if place == OTHERS_TOO:
            self.gathered.notices[place] += 1
        elif place == "output" and self._order.by_patient:
            await self._into_block(found.pointer, stored)
        else:
            type_ = "Bundle" if place == "deleted" else stored.type
            self.gathered.take(place, type_, found.pointer)

    async def _into_block(self, pointer: Pointer, stored: Stored) -> None:
        """After the header of its patient's block, and after the Patient itself."""
        patient = stored.patients[0] if stored.patients else ""
        if not patient:
            return
        if self._block != patient:
            self._block = patient
            self.gathered.begin_block(patient)
            head = await self._walker.record("Patient", patient, self._order.moment_ms)
            if head is not None and head.stored is not None and await self._belongs(head.stored):
                self.gathered.take("output", "", head.pointer)
        if stored.reference != f"Patient/{patient}":
            self.gathered.take("output", "", pointer)

    async def _belongs(self, stored: Stored) -> bool:
        return self._selection.place_of(stored) == "output" and await self._permitted(stored)

    async def _permitted(self, stored: Stored) -> bool:
        """May the account read this record now? What it may not see is neither taken nor counted."""
        target = self._passage.target_of(stored)
        verdict = self._verdicts.get(target)
        if verdict is None:
            verdict = await self._passage.judge(Action.READ, target)
            if target.content is None:  # else no other record is alike, and it would only be held in memory
                self._verdicts[target] = verdict
        return verdict.permitted and self._selection.may_tell(verdict, stored)
