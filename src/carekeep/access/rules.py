"""Policies made ready to be asked, many times a second.

Cedar goes through every policy that it is given. So each question is asked only of those whose head covers it (kind of
account, action, sort of record); the others could not have a say. The schema was held against the policies when they
were read, and is not needed again: a test holds these answers against those of all policies with the schema.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cedarpy
import orjson

from carekeep.access.decision import Visible
from carekeep.access.obligations import Obligations
from carekeep.access.policy_text import Policy
from carekeep.access.vocabulary import PRINCIPAL_TYPES, SERVICE

_ENTITIES = 8_192  # sets of entities that are kept ready


class RulesFailed(Exception):
    """The policies could not be evaluated. Raised, not returned, so that no failure is remembered."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the policies say: the ids of those by which, in the order of the files, and what is to be left out."""

    permitted: bool
    policies: tuple[str, ...]
    obligations: Obligations | None = None


NOTHING_PERMITS = Verdict(permitted=False, policies=())


class Rules:
    """A set of policies that were checked. Pure."""

    def __init__(self, policies: Sequence[Policy]) -> None:
        self.policies = tuple(policies)
        self._by_id = {policy.id: policy for policy in policies}
        self._order = {policy.id: number for number, policy in enumerate(policies)}
        self._covered: dict[tuple[str, str, str], tuple[Policy, ...]] = {}
        self._slices: dict[tuple[str, str, str], cedarpy.PolicySet | None] = {}
        self.names_accounts = any(policy.names_account for policy in policies)
        """Whether a policy names an account, so that it matters which one it is that asks."""

    def policy(self, id_: str) -> Policy:
        """The policy of an id. Raises KeyError."""
        return self._by_id[id_]

    def verdict(self, seen: Visible) -> Verdict:
        """The answer to a request of a known kind of account. Raises RulesFailed; KeyError for another kind."""
        principal_type = PRINCIPAL_TYPES[seen.kind]
        policies = self._slice(principal_type, seen.action.value, seen.entity)
        if policies is None:
            return NOTHING_PERMITS
        try:
            request = request_of(seen, principal_type)
            result = cedarpy.is_authorized(request, policies, _loaded(entities_of(seen, principal_type)))
        except (TypeError, ValueError):  # what Cedar refuses, and what JSON cannot carry to it
            raise RulesFailed from None
        # Cedar leaves out a policy that it cannot evaluate. Left-out forbids must not turn into permission.
        if result.diagnostics.errors:
            raise RulesFailed
        made_by = set(result.diagnostics.id_annotations_by_reason.values())
        ids = tuple(sorted(made_by, key=self._order.__getitem__))
        if not result.allowed:
            return Verdict(permitted=False, policies=ids)
        obligations = Obligations.together(self._by_id[policy_id].obligations for policy_id in ids)
        return Verdict(permitted=True, policies=ids, obligations=obligations)

    def may_step_up(self, seen: Visible, verdict: Verdict) -> bool:
        """Whether signing in again could turn a denial into permission. False is certain.

        Where no forbid denied, only a permit that looks at the sign-in could.
        """
        if verdict.policies:
            return True
        head = (PRINCIPAL_TYPES[seen.kind], seen.action.value, seen.entity)
        return any(policy.permits and policy.sees_sign_in for policy in self._covering(*head))

    def _covering(self, principal: str, action: str, resource: str) -> tuple[Policy, ...]:
        key = (principal, action, resource)
        if key not in self._covered:
            self._covered[key] = tuple(policy for policy in self.policies if policy.head.covers(*key))
        return self._covered[key]

    def _slice(self, principal: str, action: str, resource: str) -> cedarpy.PolicySet | None:
        """The policies that can have a say; None where there are none."""
        key = (principal, action, resource)
        if key not in self._slices:
            text = "\n".join(policy.text for policy in self._covering(*key))
            self._slices[key] = cedarpy.PolicySet.from_str(text) if text else None
        return self._slices[key]


@lru_cache(_ENTITIES)
def _loaded(entities: str) -> cedarpy.Entities:
    """Entities made ready. Many questions are about the same: the same sort of person, and of record."""
    return cedarpy.Entities.from_json_str(entities)


def request_of(seen: Visible, principal_type: str) -> dict[str, object]:
    """The request in Cedar's terms."""
    context = {
        "purpose": _word("Purpose", seen.purpose),
        "relations": [_word("Relation", relation) for relation in seen.relations],
        "break_glass": seen.break_glass,
        "assurance": seen.assurance,
        "authenticated_minutes": seen.authenticated_minutes,
        "risk": seen.risk,
        "zone": seen.zone,
        "device": _word("DeviceTrust", seen.device),
        "consent": _word("Consent", seen.consent),
        "consent_names": seen.consent_names,
    }
    return {
        "principal": {"type": principal_type, "id": seen.account},
        "action": {"type": "Action", "id": seen.action.value},
        "resource": _resource(seen),
        "context": orjson.dumps(context).decode(),
    }


def entities_of(seen: Visible, principal_type: str) -> str:
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


def _word(type_: str, id_: str) -> dict[str, dict[str, str]]:
    """A word of an enumeration. Without the schema at hand, Cedar must be told that it is one."""
    return {"__entity": {"type": type_, "id": id_}}


def _resource(seen: Visible) -> dict[str, str]:
    return {"type": seen.entity, "id": seen.action.resource if seen.entity == SERVICE else seen.type}
