"""The whole question of one request, from what an app was given to what the policies say.

Scopes are asked first. Then it is looked up where the request came from, how risky it is, which relations and which
emergencies there are, and the policies decide.

A record can be in the compartments of several patients (an appointment of two, a message from a parent). Each is asked
for alone, so that a relation to one is never taken for a relation to another. To read, one of them is enough: the
record is part of that patient's chart. To write, all are needed: else a clinician of one patient could write themself
into the care of another.
"""

from dataclasses import replace
from functools import lru_cache

from carekeep.access.break_glass import BreakGlass
from carekeep.access.decider import Decider
from carekeep.access.decision import AccessRequest, Decision, Principal, Target
from carekeep.access.narrowing import denied_by_scopes
from carekeep.access.relationships import Relationships
from carekeep.access.risk import LEAST, MOST, NoRisk, Risk
from carekeep.access.step_up import together
from carekeep.access.vocabulary import Action, Purpose, Relation, owner_label
from carekeep.access.zones import Zones
from carekeep.storage import Clock, system_clock

_ADDRESSES = 8_192  # of which the zone is remembered
_READING = frozenset({Action.READ, Action.VREAD, Action.HISTORY})
_NONE: frozenset[Relation] = frozenset()
_OWNER = frozenset({Relation.OWNER})


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
    ) -> None:
        self._decider = decider
        self._relationships = relationships
        self._break_glass = break_glass
        self._clock = clock
        self._zone_of = lru_cache(_ADDRESSES)((zones or Zones()).of)
        self._risk = risk or NoRisk()

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
            relations=_OWNER if owner_label(principal.account_id) in target.labels and not target.patients else _NONE,
            break_glass=False,
            now_ms=self._clock(),
            risk=self.risk_of(principal, address),
            zone=self._zone_of(address),
        )
        if principal.kind not in ("practitioner", "patient") or action is Action.SEARCH or not target.patients:
            return self._decider.decide(request)
        if action in _READING:
            return await self._for_any(request)
        return await self._for_all(request)

    async def _for_any(self, request: AccessRequest) -> Decision:
        denials: list[Decision] = []
        for patient in request.target.patients:
            decision = await self._towards(patient, request)
            if decision.permitted:
                return decision
            denials.append(decision)
        return next((denial for denial in denials if denial.step_up is not None), denials[0])

    async def _for_all(self, request: AccessRequest) -> Decision:
        decisions: list[Decision] = []
        denials: list[Decision] = []
        for patient in request.target.patients:
            decision = await self._towards(patient, request)
            if not decision.permitted:
                denials.append(decision)
                if decision.step_up is None:
                    break
            decisions.append(decision)
        if denials:
            return replace(denials[-1], step_up=together([denial.step_up for denial in denials]))
        policies = dict.fromkeys(policy for decision in decisions for policy in decision.policies)
        return Decision(permitted=True, policies=tuple(policies), reason=decisions[0].reason)

    async def _towards(self, patient: str, request: AccessRequest) -> Decision:
        principal = request.principal
        emergency = principal.kind == "practitioner" and await self._break_glass.is_open(principal, patient)
        relations = await self._relationships.between(principal, patient)
        return self._decider.decide(replace(request, relations=relations, break_glass=bool(emergency)))
