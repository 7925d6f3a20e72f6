"""The decision itself: Cedar policies, evaluated once for everything that looks the same to them.

Fails closed: a policy that cannot be evaluated, an engine that raises and an action that nobody permits all deny.
Policies on trial are asked too, and change nothing: what they would have answered otherwise is told with the decision.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

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
from carekeep.access.rules import Rules, RulesFailed, Verdict
from carekeep.access.seen import encode_seen
from carekeep.access.step_up import least_step_up
from carekeep.access.vocabulary import PRINCIPAL_TYPES

_CANNOT_SIGN_IN = "app"
_CACHED_DECISIONS = 65_536
_LONGEST_TRIAL = 300  # characters
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


@dataclass(frozen=True, slots=True)
class _InForce:
    """What is exchanged whole: the policies, and the memory of what they answered."""

    rules: Rules
    evaluate: Callable[[Visible], Decision]
    decide: Callable[[Visible], Decision]


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
        return self._in_force.rules.policies

    @property
    def rules(self) -> Rules:
        """The policies in force, as they are asked."""
        return self._in_force.rules

    def reload(self, policies: Sequence[PolicyFile], trial: Sequence[PolicyFile] | None = None) -> None:
        """Use other policies from the next request on, and forget every decision. ``trial``: those on trial.

        Raises PolicyRefused when any of them do not validate; those in force stay.
        """
        rules = self.read(policies)
        self.use(rules, None if trial is None else self.read(trial))

    def read(self, policies: Sequence[PolicyFile]) -> Rules:
        """Policies checked against the schema, not in force. Raises PolicyRefused with file, line and reason."""
        return Rules(read_policies(policies, self._schema))

    def use(self, rules: Rules, trial: Rules | None = None) -> None:
        """Put policies in force that were read by ``read``, and others on trial; forget every decision."""
        self._in_force = _InForce(rules, _evaluator(rules, trial), _remembering(rules, trial))

    def decide(self, request: AccessRequest) -> Decision:
        """Answer one request; the answer is remembered for all that policies cannot tell from it."""
        try:
            return self._in_force.decide(visible(request))
        except RulesFailed:
            return _POLICY_ERROR

    def decide_afresh(self, request: AccessRequest) -> Decision:
        """Answer without the memory: the same answer, slower. What tests hold the cache against."""
        return self.decide_seen(visible(request))

    def decide_seen(self, seen: Visible) -> Decision:
        """Answer what was asked once, from what the policies saw of it then."""
        try:
            return self._in_force.evaluate(seen)
        except RulesFailed:
            return _POLICY_ERROR


def _remembering(rules: Rules, trial: Rules | None) -> Callable[[Visible], Decision]:
    """A function that evaluates these policies once for all that they cannot tell apart.

    Where no policy names an account, people of whom the same is true are alike to them.
    """
    evaluate = _evaluator(rules, trial)
    if rules.names_accounts or (trial is not None and trial.names_accounts):
        return lru_cache(_CACHED_DECISIONS)(evaluate)
    of_anybody = lru_cache(_CACHED_DECISIONS)(evaluate)

    def of_account(seen: Visible) -> Decision:
        decision = of_anybody(seen._replace(account=""))
        return replace(decision, seen=(encode_seen(seen),)) if decision.seen else decision

    return lru_cache(_CACHED_DECISIONS)(of_account)


def _evaluator(rules: Rules, trial: Rules | None) -> Callable[[Visible], Decision]:
    """A function that evaluates these policies. Its whole input is what a policy can see."""

    def evaluate(seen: Visible) -> Decision:
        if seen.kind not in PRINCIPAL_TYPES:
            return _UNKNOWN_KIND
        verdict = shown(rules.verdict(seen), seen)
        differs = "" if trial is None else _otherwise(verdict, trial, seen)
        reason, told = _reason(verdict, rules, seen), (encode_seen(seen),)
        if verdict.permitted:
            obligations = verdict.obligations
            return Decision(
                permitted=True,
                policies=verdict.policies,
                reason=reason,
                seen=told,
                trial=differs,
                obligations=obligations,
            )
        enough = None
        if seen.kind != _CANNOT_SIGN_IN and rules.may_step_up(seen, verdict):
            enough = least_step_up(seen, lambda other: shown(rules.verdict(other), other).permitted)
        return Decision(
            permitted=False, policies=verdict.policies, reason=reason, step_up=enough, seen=told, trial=differs
        )

    return evaluate


def shown(verdict: Verdict, seen: Visible) -> Verdict:
    """The verdict, with a record that may not be shown for its labels denied."""
    obligations = verdict.obligations
    if obligations is None or obligations.shows(seen.labels):
        return verdict
    return Verdict(permitted=False, policies=obligations.policies, obligations=obligations)


def _reason(verdict: Verdict, rules: Rules, seen: Visible) -> str:
    if verdict.obligations is not None and not verdict.permitted:
        return "Denied: the record has security labels other than those that may be shown."
    if not verdict.policies:
        return why_nothing_permits(seen)
    reason = rules.policy(verdict.policies[0]).reason
    return reason if verdict.obligations is None else f"{reason} Minimum necessary: {verdict.obligations}."


def _otherwise(verdict: Verdict, trial: Rules, seen: Visible) -> str:
    """What policies on trial answer, if that is something else. Never raises: a trial decides nothing."""
    try:
        other = shown(trial.verdict(seen), seen)
    except RulesFailed:
        return "policy error"
    return otherwise(verdict, other)


def otherwise(verdict: Verdict, other: Verdict) -> str:
    """How an answer differs from another, in a few words; "" if it does not."""
    by = ", ".join(other.policies) or "no policy"
    if verdict.permitted != other.permitted:
        says = f"{'permitted' if other.permitted else 'denied'} by {by}"
    elif verdict.permitted and _left_out(verdict) != _left_out(other):
        says = f"permitted by {by}, {other.obligations or 'nothing left out'}"
    else:
        return ""
    return says if len(says) <= _LONGEST_TRIAL else f"{says[:_LONGEST_TRIAL]}…"


def _left_out(verdict: Verdict) -> str:
    return "" if verdict.obligations is None else str(verdict.obligations)
