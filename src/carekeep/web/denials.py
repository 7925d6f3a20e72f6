"""The answer to a denial: what it says, and what the client can do about it."""

from collections.abc import Iterable

from carekeep.access import SCOPE, Decision, StepUp
from carekeep.fhir import Issue
from carekeep.identity import BindingKind, Principal
from carekeep.identity.assurance import ACR
from carekeep.web.problems import Problem

_LABEL = "label"
_NOT_ENOUGH_SCOPE = 'error="insufficient_scope"'  # RFC 6750 §3.1
_SIGN_IN_AGAIN = 'error="insufficient_user_authentication"'  # RFC 9470 §3


def denied(decision: Decision, principal: Principal) -> Problem:
    """The problem of a denial: its reason, and the policies that made it.

    401 with what would be enough when signing in again turns it into permission (RFC 9470); else 403.
    """
    policies = f" (policies: {', '.join(_told(decision.policies))})" if decision.policies else ""
    text = decision.reason + policies
    if decision.step_up is not None:
        challenge = _challenge(principal, _SIGN_IN_AGAIN, *_enough(decision.step_up, principal))
        return Problem(401, Issue("error", "login", "", text), headers=challenge)
    forbidden = Issue("error", "forbidden", "", text)
    if SCOPE in decision.policies:
        return Problem(403, forbidden, headers=_challenge(principal, _NOT_ENOUGH_SCOPE))
    return Problem(403, forbidden)


def _told(policies: tuple[str, ...]) -> Iterable[str]:
    """The policies as a client may know them: which kind of label it was says what the record is about."""
    return dict.fromkeys(_LABEL if policy.startswith(f"{_LABEL}.") else policy for policy in policies)


def _enough(step_up: StepUp, principal: Principal) -> list[str]:
    """The parameters that say which sign-in would do."""
    enough = ['error_description="A different authentication level is required"']
    if step_up.assurance > principal.assurance:
        enough.append(f'acr_values="{ACR[step_up.assurance]}"')
    if step_up.max_age_s is not None:
        enough.append(f'max_age="{step_up.max_age_s}"')
    return enough


def _challenge(principal: Principal, *parameters: str) -> tuple[tuple[bytes, bytes], ...]:
    binding = principal.binding
    scheme = "DPoP" if binding is not None and binding.kind is BindingKind.DPOP else "Bearer"
    text = f"{scheme} " + ", ".join(('realm="carekeep"', *parameters))
    return ((b"www-authenticate", text.encode("ascii")),)
