"""Scopes in decisions: what an app may do is what the policies permit the person, and of that what the app was given.

An app that was given scopes does nothing but FHIR, and asks who signed in: emergencies, accounts, keys and sessions are
for the people themselves.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from carekeep.access.decision import Decision, Principal, Target
from carekeep.access.rights import ANYTHING
from carekeep.access.scopes import ScopeInvalid, Scopes
from carekeep.access.vocabulary import Action
from carekeep.identity import Delegation

SCOPE = "scope"
"""What a decision names in the place of policies when scopes made it."""

_LETTERS: Mapping[Action, str] = MappingProxyType(
    {
        Action.READ: "r",
        Action.VREAD: "r",
        Action.HISTORY: "r",
        Action.SEARCH: "s",
        Action.CREATE: "c",
        Action.UPDATE: "u",
        Action.DELETE: "d",
        Action.APPOINTMENT_BOOK: "c",
        Action.APPOINTMENT_CHANGE: "u",
        Action.MESSAGE_SEND: "c",
        Action.DISCLOSURE_READ: "r",
        Action.PATIENT_EXPORT: "r",
        Action.BULK_EXPORT: "r",
        Action.BULK_IMPORT: "c",
    }
)
# Asked before any record is looked at; each record is decided again by itself.
_OF_MANY = frozenset({Action.SEARCH, Action.PATIENT_EXPORT, Action.BULK_EXPORT, Action.BULK_IMPORT})
_FOR_EVERYONE = frozenset({Action.CAPABILITY_READ})
_PATIENT = "Patient/"

_NOT_FHIR = Decision(
    permitted=False,
    policies=(SCOPE,),
    reason="Denied: the app was not given this, and no app is. Sign in to Carekeep itself to do it.",
)
_UNREADABLE = Decision(
    permitted=False,
    policies=(SCOPE,),
    reason="Denied: what the app was given cannot be read any more. Connect the app again.",
)


def denied_by_scopes(
    principal: Principal, delegation: Delegation, action: Action, target: Target, *, found: bool
) -> Decision | None:
    """The denial when the app was not given what it asks; None when the scopes permit it and policies are to be asked.

    ``found``: the record is one that a search came upon, so it takes the right to search.
    """
    if action in _FOR_EVERYONE:
        return None
    try:
        scopes = Scopes.parse(delegation.scopes)
    except ScopeInvalid:
        return _UNREADABLE
    if action is Action.PROFILE_READ and "openid" in scopes:
        return None
    letter = "s" if found else _LETTERS.get(action)
    if letter is None:
        return _NOT_FHIR
    asked = replace(target, content=ANYTHING) if action in _OF_MANY else target
    machine = principal.kind == "app"
    if scopes.permits(
        letter,
        asked.type,
        patients=asked.patients,
        launch_patient=_launch_patient(principal, delegation),
        content=asked.content,
        machine=machine,
    ):
        return None
    return Decision(permitted=False, policies=(SCOPE,), reason=_reason(target.type or "*", letter, machine=machine))


def needs_content(principal: Principal) -> bool:
    """Whether decisions for this principal can depend on what a record says."""
    return principal.delegation is not None and "?" in principal.delegation.scopes


def _launch_patient(principal: Principal, delegation: Delegation) -> str | None:
    """The patient whom scopes of the patient's level are about: patients themselves bring nobody else along."""
    own = principal.fhir_user or ""
    if principal.kind == "patient" and own.startswith(_PATIENT):
        return own.removeprefix(_PATIENT)
    return delegation.patient


def _reason(type_: str, letter: str, *, machine: bool) -> str:
    wanted = f"system/{type_}.{letter}" if machine else f"patient/{type_}.{letter} or user/{type_}.{letter}"
    return f"Denied: the app was not given {wanted}, or not for this record."
