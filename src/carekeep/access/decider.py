"""The decision itself: Cedar policies, evaluated once for everything that looks the same to them.

Fails closed: a policy that cannot be evaluated, an engine that raises and an action that nobody permits all deny.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache

import cedarpy
import orjson

from carekeep.access.decision import AccessRequest, Decision, Visible, visible
from carekeep.access.denial import why_nothing_permits
from carekeep.access.policy_text import (
    Policy,
    PolicyFile,
    bundled_policies,
    bundled_schema,
    read_policies,
    read_schema,
)
from carekeep.access.step_up import least_step_up
from carekeep.access.vocabulary import PRINCIPAL_TYPES, SERVICE

_CANNOT_SIGN_IN = "app"
_CACHED_DECISIONS = 65_536
_POLICY_ERROR = Decision(
    permitted=False,
    policies=(),
    reason="Denied: policy error. The policies could not be evaluated; ask the administrator to check them.",
)
_UNKNOWN_KIND = Decision(
    permitted=False,
    policies=(),
    reason="Denied: accounts of this kind have no rights here. Ask an administrator.",
)


class Decider:
    """Answers requests by the policies that were loaded. Pure but for its cache; one for a process."""

    def __init__(self, policies: Sequence[PolicyFile], schema: PolicyFile) -> None:
        """Check the policies against the schema and use them. Raises PolicyRefused with file, line and reason."""
        self._schema = read_schema(schema)
        self.reload(policies)

    @classmethod
    def load(cls) -> "Decider":
        """A decider with the policies that come with Carekeep."""
        return cls(bundled_policies(), bundled_schema())

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies in force, in order of file and line."""
        return self._policies

    def reload(self, policies: Sequence[PolicyFile]) -> None:
        """Use other policies from the next request on, and forget every decision.

        Raises PolicyRefused when they do not validate; those in force stay.
        """
        checked = read_policies(policies, self._schema)
        evaluate = _evaluator(checked, self._schema)
        self._policies = checked
        self._evaluate = evaluate
        self._decide = lru_cache(_CACHED_DECISIONS)(evaluate)

    def decide(self, request: AccessRequest) -> Decision:
        """Answer one request; the answer is remembered for all that policies cannot tell from it."""
        try:
            return self._decide(visible(request))
        except _Failed:
            return _POLICY_ERROR

    def decide_afresh(self, request: AccessRequest) -> Decision:
        """Answer without the memory: the same answer, slower. What tests hold the cache against."""
        try:
            return self._evaluate(visible(request))
        except _Failed:
            return _POLICY_ERROR


class _Failed(Exception):
    """The policies could not be evaluated. Raised, not returned, so that no failure is remembered."""


def _evaluator(policies: Sequence[Policy], schema: cedarpy.Schema) -> Callable[[Visible], Decision]:
    """A function that evaluates these policies. Its whole input is what a policy can see."""
    policy_set = cedarpy.PolicySet.from_str("\n".join(policy.text for policy in policies))
    reasons = {policy.id: policy.reason for policy in policies}

    def evaluate(seen: Visible) -> Decision:
        principal_type = PRINCIPAL_TYPES.get(seen.kind)
        if principal_type is None:
            return _UNKNOWN_KIND
        allowed, made_by = _verdict(seen, principal_type, policy_set, schema)
        ids = tuple(policy_id for policy_id in reasons if policy_id in made_by)
        reason = reasons[ids[0]] if ids else why_nothing_permits(seen)
        if allowed or seen.kind == _CANNOT_SIGN_IN:
            return Decision(allowed, ids, reason)
        enough = least_step_up(seen, lambda other: _verdict(other, principal_type, policy_set, schema)[0])
        return Decision(allowed, ids, reason, enough)

    return evaluate


def _verdict(
    seen: Visible, principal_type: str, policies: cedarpy.PolicySet, schema: cedarpy.Schema
) -> tuple[bool, set[str]]:
    """What Cedar says, and the ids of the policies by which. Raises _Failed."""
    try:
        entities = _entities(seen, principal_type)
        result = cedarpy.is_authorized(_request(seen, principal_type), policies, entities, schema)
        # Cedar leaves out a policy that it cannot evaluate. Left-out forbids must not turn into permission.
        if result.diagnostics.errors:
            raise _Failed
        return result.allowed, set(result.diagnostics.id_annotations_by_reason.values())
    except (TypeError, ValueError):  # what Cedar refuses, and what JSON cannot carry to it
        raise _Failed from None


def _request(seen: Visible, principal_type: str) -> dict[str, object]:
    """The request in Cedar's terms. With the schema given, enumerated words need no type of their own."""
    context = {
        "purpose": {"type": "Purpose", "id": seen.purpose},
        "relations": [{"type": "Relation", "id": relation} for relation in seen.relations],
        "break_glass": seen.break_glass,
        "assurance": seen.assurance,
        "authenticated_minutes": seen.authenticated_minutes,
        "risk": seen.risk,
        "zone": seen.zone,
        "device": {"type": "DeviceTrust", "id": seen.device},
    }
    return {
        "principal": {"type": principal_type, "id": seen.account},
        "action": {"type": "Action", "id": str(seen.action)},
        "resource": _resource(seen),
        "context": orjson.dumps(context).decode(),
    }


def _entities(seen: Visible, principal_type: str) -> str:
    """The two entities of a request: who asks, and for what."""
    attributes: dict[str, object] = {"identified": seen.identified, "grants": sorted(seen.grants)}
    if seen.app is not None:
        attributes["app"] = seen.app
    entities = [{"uid": {"type": principal_type, "id": seen.account}, "attrs": attributes, "parents": []}]
    if seen.entity != SERVICE:
        described: dict[str, object] = {"type": seen.type}
        if seen.action.resource != "type":
            described["labels"] = seen.labels
        entities.append({"uid": _resource(seen), "attrs": described, "parents": []})
    return orjson.dumps(entities).decode()


def _resource(seen: Visible) -> dict[str, str]:
    return {"type": seen.entity, "id": seen.action.resource if seen.entity == SERVICE else seen.type}
