"""A FHIR R4 Consent read as rules, or refused with the place and the reason. Pure.

``policyRule`` OPTIN or OPTOUT is the base, and ``provision`` an exception to it; without, ``provision`` is the base
itself, as IHE PCF has it. Of drafts and of what was rejected, ended or a mistake nothing is read: they have no effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from carekeep.access.consents.provisions import Base, read_provision
from carekeep.access.consents.refusing import ConsentRefused, Reading, Refusals
from carekeep.access.consents.rules import ConsentRules, Provision
from carekeep.access.consents.words import (
    ACTIVE,
    CARE,
    CATEGORIES,
    ENFORCED_SCOPES,
    IMPLICIT_POLICIES,
    OPT_IN,
    OPT_OUT,
    OTHER_SCOPES,
    WITHOUT_EFFECT,
    Implicit,
)

__all__ = ["ConsentRefused", "read_consent"]

_ELEMENTS: Final = frozenset(
    [
        "resourceType",
        "id",
        "meta",
        "language",
        "text",
        "contained",
        "identifier",
        "status",
        "scope",
        "category",
        "patient",
        "dateTime",
        "performer",
        "organization",
        "sourceAttachment",
        "sourceReference",
        "policy",
        "policyRule",
        "verification",
        "provision",
        "extension",
    ]
)
# Of FHIR R4's own: who wrote it down, who saw it signed, and where to tell of its use. None says who may see what.
_HARMLESS: Final = frozenset(
    f"http://hl7.org/fhir/StructureDefinition/consent-{name}"
    for name in ("Transcriber", "Witness", "NotificationEndpoint")
)
_AGREED: Final = frozenset({Implicit.BASIC_NORMAL, Implicit.ALL_NORMAL})


@dataclass(frozen=True, slots=True)
class _Head:
    """What stands beside the provision: whose it is, and what it starts from (None: the provision says it)."""

    patient: str
    base: Base | None
    policies: frozenset[Implicit]


def read_consent(resource: Mapping[str, Any]) -> ConsentRules | None:
    """The rules of a Consent; None for one that has no effect.

    Raises ConsentRefused for one that is in force and cannot be enforced to the letter.
    """
    refusals = Refusals()
    reading = Reading(resource, "Consent", refusals)
    status = reading.text("status")
    if status in WITHOUT_EFFECT and not reading.has("_status") and not reading.has("modifierExtension"):
        return None
    if status != ACTIVE:
        reading.refuse(
            "status", "This must be a status of FHIR R4; only an active consent is enforced.", "code-invalid"
        )
    _refuse_the_unknown(reading)
    concerns_records = _scope(reading)
    head = _head(reading)
    root = _root(reading, head) if concerns_records else None
    refusals.demand_none()
    if root is None:
        return None
    return ConsentRules.of(f"Consent/{resource.get('id', '')}", head.patient, root)


def _refuse_the_unknown(reading: Reading) -> None:
    reading.only(_ELEMENTS, "This may change what the consent means, and is not understood here.")
    for extension in reading.each("extension"):
        if extension.text("url") not in _HARMLESS:
            extension.refuse(
                "", "This extension may change what the consent means, and is not understood here.", "extension"
            )


def _scope(reading: Reading) -> bool:
    """Whether it is about who may see records. One about treatment alone must not pretend that it is."""
    scope = reading.child("scope")
    codings = scope.codings() if scope is not None else frozenset()
    if not codings <= ENFORCED_SCOPES | OTHER_SCOPES or not codings:
        reading.refuse(
            "scope", "The scope must be patient-privacy, research, treatment or adr (consentscope).", "code-invalid"
        )
        return True
    if codings.isdisjoint(ENFORCED_SCOPES):
        if reading.has("provision") or reading.has("policyRule"):
            reading.refuse(
                "provision", "A consent of this scope is not enforced on records; say it in one about privacy."
            )
        return False
    _category(reading)
    return True


def _category(reading: Reading) -> None:
    categories = list(reading.each("category"))
    if not categories:
        reading.refuse("category", "A consent needs a category.", "required")
    for category in categories:
        if category.codings().isdisjoint(CATEGORIES):
            category.refuse("", "No category that is known here: LOINC 59284-0 (consent) is one.", "code-invalid")


def _head(reading: Reading) -> _Head:
    patient = reading.reference("patient", ("Patient",)) or ""
    base: Base | None = None
    rule = reading.child("policyRule")
    if rule is not None:
        codings = rule.codings()
        if codings and codings <= OPT_IN:
            base = "permit"
        elif codings and codings <= OPT_OUT:
            base = "deny"
        else:
            rule.refuse("", "The base rule must be opt-in or opt-out (v3-ActCode OPTIN, OPTOUT).", "code-invalid")
    uris = {policy.text("uri") for policy in reading.each("policy")}
    return _Head(
        patient.removeprefix("Patient/"),
        base,
        frozenset(IMPLICIT_POLICIES[each] for each in uris if each is not None and each in IMPLICIT_POLICIES),
    )


def _root(reading: Reading, head: _Head) -> Provision | None:
    given = reading.child("provision")
    if given is None:
        if head.base is None:
            reading.refuse("provision", "Neither a provision nor opt-in or opt-out says what is agreed to.", "required")
            return None
        return Provision(head.base == "permit")
    provision = read_provision(given, head.base)
    if provision is None:
        return None
    root = provision
    if head.base is not None and provision.permits != (head.base == "permit"):
        root = Provision(head.base == "permit", exceptions=(provision,))
    elif (
        head.base is not None
        and given.has("type")
        and (provision.actors or provision.purposes or provision.narrows_data)
    ):
        given.refuse("type", "This permits or denies what policyRule does already: it is no exception to it.")
    return _agreeing(reading, head, root)


def _agreeing(reading: Reading, head: _Head, root: Provision) -> Provision:
    """What agreement to one of PCF's policies means; it must not be to one that lets nobody in."""
    if not root.permits or not head.policies:
        return root
    if not head.policies <= _AGREED:
        reading.refuse("policy", "To agree to this policy is to deny access: say so by a provision of type deny.")
    if Implicit.BASIC_NORMAL in head.policies and not root.purposes:
        return replace(root, purposes=CARE)
    return root
