"""The whole question of one request: relations and emergency access are looked up, then the policies decide.

A record can be in the compartments of several patients (an appointment of two, a message from a parent). Each is asked
for alone, so that a relation to one is never taken for a relation to another. To read, one of them is enough: the
record is part of that patient's chart. To write, all are needed: else a clinician of one patient could write themself
into the care of another.
"""

from dataclasses import replace

from carekeep.access.break_glass import BreakGlass
from carekeep.access.decider import Decider
from carekeep.access.decision import AccessRequest, Decision, Principal, Target
from carekeep.access.relationships import Relationships
from carekeep.access.vocabulary import Action, Purpose, Relation, owner_label
from carekeep.storage import Clock, system_clock

_READING = frozenset({Action.READ, Action.VREAD, Action.HISTORY})
_NONE: frozenset[Relation] = frozenset()
_OWNER = frozenset({Relation.OWNER})


class Guard:
    """Decides requests for one process."""

    def __init__(
        self, decider: Decider, relationships: Relationships, break_glass: BreakGlass, clock: Clock = system_clock
    ) -> None:
        self._decider = decider
        self._relationships = relationships
        self._break_glass = break_glass
        self._clock = clock

    async def decide(
        self, principal: Principal, action: Action, target: Target, purpose: Purpose, *, risk: int = 0, zone: str = ""
    ) -> Decision:
        """The decision on one action, now. ``risk`` is 0 to 100, ``zone`` says where the request came from."""
        request = AccessRequest(
            principal=principal,
            action=action,
            target=target,
            purpose=purpose,
            relations=_OWNER if owner_label(principal.account_id) in target.labels and not target.patients else _NONE,
            break_glass=False,
            now_ms=self._clock(),
            risk=risk,
            zone=zone,
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
        return denials[0]

    async def _for_all(self, request: AccessRequest) -> Decision:
        decisions: list[Decision] = []
        for patient in request.target.patients:
            decision = await self._towards(patient, request)
            if not decision.permitted:
                return decision
            decisions.append(decision)
        policies = dict.fromkeys(policy for decision in decisions for policy in decision.policies)
        return Decision(permitted=True, policies=tuple(policies), reason=decisions[0].reason)

    async def _towards(self, patient: str, request: AccessRequest) -> Decision:
        principal = request.principal
        emergency = principal.kind == "practitioner" and await self._break_glass.is_open(principal, patient)
        relations = await self._relationships.between(principal, patient)
        return self._decider.decide(replace(request, relations=relations, break_glass=bool(emergency)))
