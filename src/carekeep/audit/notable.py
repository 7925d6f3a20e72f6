"""What of the ledger somebody who answers for it wants to see first, found without reading the rest.

Each kind is a list of its own in the index of entries (``entry_index``), so that a million ordinary reads cost nothing.
"""

from enum import StrEnum, unique

from carekeep.audit.entries import Entry


@unique
class Notable(StrEnum):
    """Why an entry is notable; the values stand in addresses of pages and never change."""

    DENIED = "denied"
    SIGN_IN_REFUSED = "sign-in-refused"
    EMERGENCY_OPENED = "emergency-opened"
    IN_EMERGENCY = "in-emergency"
    DISCLOSURE = "disclosure"
    RULES_CHANGED = "rules-changed"
    ADMINISTRATION = "administration"
    DESTROYED = "destroyed"
    CONTRADICTED = "contradicted"


def notable(entry: Entry) -> frozenset[Notable]:
    """Why an entry is notable; nothing for most."""
    found = set()
    if entry.outcome == "denied":
        found.add(Notable.SIGN_IN_REFUSED if entry.action in _SIGN_IN else Notable.DENIED)
    elif entry.outcome == "permitted":
        if entry.action in _CHANGES:
            found.add(_CHANGES[entry.action])
        if entry.recipient is not None:
            found.add(Notable.DISCLOSURE)
        if entry.action in _EMERGENCY_OPENS:
            found.add(Notable.EMERGENCY_OPENED)
    if entry.action == _ALARM:
        found.add(Notable.CONTRADICTED)
    if entry.action in _EMERGENCY_OPENS or any(policy.startswith(_EMERGENCY_POLICIES) for policy in entry.policies):
        found.add(Notable.IN_EMERGENCY)
    return frozenset(found)


# As the rooms above name them: `access.vocabulary.Action`, and for the alarm `witnessing`.
_SIGN_IN = frozenset({"identity:session:open"})
_EMERGENCY_OPENS = frozenset({"fhir:patient:break-glass", "fhir:type:find-in-emergency"})
_EMERGENCY_POLICIES = "emergency."
_ALARM = "audit:witness:alarm"
_CHANGES = {
    "access:policy:manage": Notable.RULES_CHANGED,
    "audit:witness:manage": Notable.RULES_CHANGED,
    "identity:account:manage": Notable.ADMINISTRATION,
    "identity:account:recover": Notable.ADMINISTRATION,
    "identity:account:provision": Notable.ADMINISTRATION,
    "identity:administrator:provision": Notable.ADMINISTRATION,
    "identity:session:manage": Notable.ADMINISTRATION,
    "identity:device:manage": Notable.ADMINISTRATION,
    "identity:client:manage": Notable.ADMINISTRATION,
    "encryption:key:manage": Notable.ADMINISTRATION,
    "encryption:key:destroy": Notable.DESTROYED,
    "records:disposal:manage": Notable.DESTROYED,
}
