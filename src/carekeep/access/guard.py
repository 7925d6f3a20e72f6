"""The whole question of one request, from what an app was given to what the policies say.

Scopes are asked first. Then it is looked up where the request came from, how risky it is, which relations and which
emergencies there are, and the policies decide.

A record can be in the compartments of several patients (an appointment of two, a message from a parent). Each is asked
for alone, so that a relation to one is never taken for a relation to another. To read, one of them is enough: the
record is part of that patient's chart. To write, all are needed: else a clinician of one patient could write themself
into the care of another. What one of them denies by a consent is denied, whoever else the record is of; but nobody is
denied what is their own.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from carekeep.access.break_glass import BreakGlass
from carekeep.access.consents.book import Consents
from carekeep.access.consents.evaluating import SILENT, Verdict
from carekeep.access.decider import Decider
from carekeep.access.decision import AccessRequest, Decision, Principal, Target, labelled_relations
from carekeep.access.narrowing import denied_by_scopes
from carekeep.access.relationships import Relationships
from carekeep.access.risk import LEAST, MOST, NoRisk, Risk
from carekeep.access.step_up import together
from carekeep.access.vocabulary import Action, Agreement, Purpose, Relation
from carekeep.access.zones import Zones
from carekeep.storage import Clock, system_clock

_ADDRESSES = 8_192  # of which the zone is remembered
_READING = frozenset({Action.READ, Action.VREAD, Action.HISTORY})
# By consents; adding to a record never is.
_GOVERNED = _READING | {Action.UPDATE, Action.DELETE, Action.DISCLOSURE_READ, Action.ACCESS_QUESTION}
_PEOPLE = frozenset({"practitioner", "patient", "guest"})
_NO_RELATIONS: frozenset[Relation] = frozenset()
_NO_NAMES: frozenset[str] = frozenset()


class Guard:
    """Decides requests for one process."""

    def __init__(
        self,
        decider: Decider,
        relationships: Relationships,
        break_glass: BreakGlass,
        clock: Clock = system_clock,
        *,
        zones: Zones | None = None,
        risk: Risk | None = None,
        consents: Consents | None = None,
    ) -> None:
        self._decider = decider
        self._relationships = relationships
        self._break_glass = break_glass
        self._clock = clock
        self._zone_of = lru_cache(_ADDRESSES)((zones or Zones()).of)
        self._risk = risk or NoRisk()
        self._consents = consents

    def risk_of(self, principal: Principal, address: str | None) -> int:
        """The risk of a request at this moment, 0 to 100."""
        return min(max(self._risk.of(principal, address), LEAST), MOST)

    async def decide(
        self,
        principal: Principal,
        action: Action,
        target: Target,
        purpose: Purpose,
        address: str | None,
        *,
        found: bool = False,
    ) -> Decision:
        """The decision on one action, now.

        ``address`` is where the request came from (None: not known). ``found``: a search came upon the target.
        """
        if principal.delegation is not None:
            denial = denied_by_scopes(principal, principal.delegation, action, target, found=found)
            if denial is not None:
                return denial
        request = AccessRequest(
            principal=principal,
            action=action,
            target=target,
            purpose=purpose,
            relations=labelled_relations(principal, action, target),
            break_glass=False,
            now_ms=self._clock(),
            risk=self.risk_of(principal, address),
            zone=self._zone_of(address),
        )
        if not target.patients or not self._is_towards_patients(principal, action):
            return self._decider.decide(request)
        if action in _READING:
            return await self._for_any(request)
        return await self._for_all(request)

    def consents_need_content(self, patients: Iterable[str]) -> bool:
        """Whether what records of these patients say may count for decisions, by their consents."""
        return self._consents is not None and self._consents.need_content(patients)

    def _is_towards_patients(self, principal: Principal, action: Action) -> bool:
        """Whether it matters which patients a record is of: of apps, when they read what patients may have denied."""
        if principal.kind in _PEOPLE:
            return action is not Action.SEARCH
        return principal.kind == "app" and action in _READING and self._consents is not None

    async def _for_any(self, request: AccessRequest) -> Decision:
        denials: list[Decision] = []
        for patient in request.target.patients:
            asked, decision = await self._towards(patient, request)
            if decision.permitted:
                return await self._unless_another_denies(patient, asked, decision)
            denials.append(decision)
        return next((denial for denial in denials if denial.step_up is not None), denials[0])

    async def _for_all(self, request: AccessRequest) -> Decision:
        decisions: list[Decision] = []
        denials: list[Decision] = []
        for patient in request.target.patients:
            _, decision = await self._towards(patient, request)
            if not decision.permitted:
                denials.append(decision)
                if decision.step_up is None:
                    break
            decisions.append(decision)
        if denials:
            return replace(denials[-1], step_up=together([denial.step_up for denial in denials]))
        policies = dict.fromkeys(policy for decision in decisions for policy in decision.policies)
        consents = dict.fromkeys(consent for decision in decisions for consent in decision.consents)
        seen = dict.fromkeys(told for decision in decisions for told in decision.seen)
        trial = dict.fromkeys(decision.trial for decision in decisions if decision.trial)
        return replace(
            decisions[0],
            policies=tuple(policies),
            consents=tuple(consents),
            seen=tuple(seen),
            trial="; ".join(trial),
        )

    async def _unless_another_denies(self, patient: str, asked: AccessRequest, decision: Decision) -> Decision:
        """A record of several patients is nobody's alone: each one's own denial holds for it.

        Only what a consent says counts here, and not for whoever reads their own record: the policies see to that.
        """
        for other in asked.target.patients:
            if other == patient:
                continue
            verdict = await self._consented(other, replace(asked, relations=_NO_RELATIONS))
            if verdict.agreement is Agreement.DENY and verdict.consents:
                denial = self._decider.decide(replace(asked, consent=Agreement.DENY, consent_names=False))
                if not denial.permitted:
                    return replace(denial, consents=verdict.consents)
        return decision

    async def _towards(self, patient: str, request: AccessRequest) -> tuple[AccessRequest, Decision]:
        """What is asked towards one patient, and the answer."""
        principal = request.principal
        if principal.kind in _PEOPLE:
            emergency = principal.kind == "practitioner" and await self._break_glass.is_open(
                principal, patient, request.target.type
            )
            relations = await self._relationships.between(principal, patient)
            request = replace(request, relations=relations, break_glass=bool(emergency))
        verdict = await self._consented(patient, request)
        if verdict.agreement is Agreement.NONE:
            return request, self._decider.decide(request)
        if verdict.agreement is Agreement.DENY:
            without = self._decider.decide(request)
            if not without.permitted:  # whoever may not see it anyway is not told what the patient agreed to
                return request, without
        asked = replace(request, consent=verdict.agreement, consent_names=verdict.named)
        decision = self._decider.decide(asked)
        if verdict.consents and (decision.permitted or verdict.agreement is Agreement.DENY):
            decision = replace(decision, consents=verdict.consents)
        return asked, decision

    async def _consented(self, patient: str, request: AccessRequest) -> Verdict:
        """What the consents of a patient say; nothing about what no consent decides."""
        principal = request.principal
        if (
            self._consents is None
            or request.action not in (_GOVERNED if principal.kind in _PEOPLE else _READING)
            or Relation.SELF in request.relations
        ):
            return SILENT
        consents = await self._consents.of(patient)
        names = await self._relationships.names_of(principal) if consents else _NO_NAMES
        return self._consents.verdict(consents, names, request.purpose, request.target)
