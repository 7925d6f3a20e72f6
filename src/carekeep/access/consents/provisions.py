"""Consent.provision, read with everything below it. Pure; what cannot be enforced is refused."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

from carekeep.access.consents.refusing import Reading
from carekeep.access.consents.rules import Provision
from carekeep.access.consents.words import (
    ACTOR_TYPES,
    AUTHOR_TYPES,
    EMERGENCY,
    READING,
    READING_ACTIONS,
    RECIPIENT_ROLES,
    RELATED_TYPES,
    RESOURCE_TYPE,
    purposes_of,
)
from carekeep.access.spans import ALWAYS
from carekeep.access.vocabulary import Purpose
from carekeep.fhir import RESOURCE_TYPES

MOST_PROVISIONS: Final = 200
DEEPEST: Final = 8
_ELEMENTS: Final = frozenset(
    [
        "id",
        "type",
        "period",
        "actor",
        "action",
        "securityLabel",
        "purpose",
        "class",
        "code",
        "dataPeriod",
        "data",
        "provision",
    ]
)
Base = Literal["permit", "deny"]
_EFFECTS: Final[Mapping[str | None, Base]] = MappingProxyType({"permit": "permit", "deny": "deny"})
_CONDITIONS: Final = ("actor", "action", "securityLabel", "purpose", "class", "code", "dataPeriod", "data")


@dataclass(slots=True)
class _Bounds:
    """How many provisions there may still be."""

    left: int = field(default=MOST_PROVISIONS)

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def read_provision(reading: Reading, base: Base | None) -> Provision | None:
    """The root provision. ``base``: what it does if it does not say so and has no condition of its own.

    None, with the reason written down, where that cannot be told.
    """
    return _provision(reading, base, frozenset(), _Bounds(), 1)


def _provision(
    reading: Reading, default: Base | None, above: frozenset[Purpose], bounds: _Bounds, depth: int
) -> Provision | None:
    if depth > DEEPEST or not bounds.take():
        reading.refuse("", f"Provisions go {DEEPEST} deep at most, and are {MOST_PROVISIONS} at most.", "too-costly")
        return None
    reading.only(_ELEMENTS, "This may change what the provision means, and is not understood here.")
    effect = _effect(reading, default)
    _check_actions(reading)
    purposes = _purposes(reading)
    if effect == "deny" and purposes and purposes <= EMERGENCY:
        reading.refuse("purpose", "Emergency access cannot be denied: care never waits. It is reviewed afterwards.")
    span = reading.span("period")
    provision = Provision(
        permits=effect == "permit",
        period=ALWAYS if span is None else span,
        actors=_actors(reading),
        purposes=purposes or above,
        types=_types(reading),
        labels=frozenset(_codings(reading, "securityLabel")),
        codes=frozenset(code for each in reading.each("code") for code in each.codings()),
        dated=reading.span("dataPeriod"),
    )
    provision = _with_data(reading, provision)
    below = [_provision(each, None, provision.purposes, bounds, depth + 1) for each in reading.each("provision")]
    return replace(provision, exceptions=tuple(each for each in below if each is not None))


def _effect(reading: Reading, default: Base | None) -> Base | None:
    said = reading.text("type")
    if said in _EFFECTS:
        return _EFFECTS[said]
    if said is None and default is not None and not any(reading.has(name) for name in _CONDITIONS):
        return default
    reading.refuse("type", "A provision must say permit or deny.", "required")
    return None


def _check_actions(reading: Reading) -> None:
    """Consents decide on reading. Whoever treats must write it down, and that is not for a consent to stop."""
    actions = frozenset(code for each in reading.each("action") for code in each.codings())
    if not actions:
        return
    if not actions <= READING_ACTIONS:
        reading.refuse(
            "action",
            "Only access, use and disclose (consentaction) are enforced: to document is a duty.",
            "not-supported",
        )
    elif READING not in actions:
        reading.refuse(
            "action", "Access is not enforced apart from use and disclosure: name access as well.", "not-supported"
        )


def _purposes(reading: Reading) -> frozenset[Purpose]:
    found: set[Purpose] = set()
    for number, code in enumerate(_codings(reading, "purpose")):
        meant = purposes_of(code)
        if not meant:
            known = ", ".join(purpose.value for purpose in Purpose)
            reading.refuse(
                f"purpose[{number}]", f"No purpose of use that is known here (v3-ActReason): {known}.", "code-invalid"
            )
        found |= meant
    return frozenset(found)


def _actors(reading: Reading) -> frozenset[str]:
    found = set()
    for actor in reading.each("actor"):
        actor.only(("id", "role", "reference"), "This may change who is meant.")
        role = actor.child("role")
        codings = role.codings() if role is not None else frozenset()
        if role is None:
            actor.refuse("role", "An actor needs a role.", "required")
        elif codings and not codings <= RECIPIENT_ROLES:
            actor.refuse(
                "role", "The role must be a recipient (IRCP, PRCP, GRANTEE) or a delegatee (DELEGATEE).", "code-invalid"
            )
        reference = actor.reference("reference", ACTOR_TYPES)
        if reference is not None:
            found.add(reference)
    return frozenset(found)


def _types(reading: Reading) -> frozenset[str]:
    found = set()
    for number, code in enumerate(_codings(reading, "class")):
        system, _, type_ = code.partition("|")
        if system != RESOURCE_TYPE or type_ not in RESOURCE_TYPES:
            reading.refuse(f"class[{number}]", "Only resource types of FHIR R4 are enforced here.", "code-invalid")
        found.add(type_)
    return frozenset(found)


def _codings(reading: Reading, name: str) -> Iterator[str]:
    for each in reading.each(name):
        yield each.coding() or ""


def _with_data(reading: Reading, provision: Provision) -> Provision:
    instances, related, authors = set[str](), set[str](), set[str]()
    kinds: dict[str, tuple[set[str], frozenset[str]]] = {
        "instance": (instances, RESOURCE_TYPES),
        "related": (related, RELATED_TYPES),
        "dependents": (related, RESOURCE_TYPES),
        "authoredby": (authors, AUTHOR_TYPES),
    }
    for data in reading.each("data"):
        data.only(("id", "meaning", "reference"), "This may change which data is meant.")
        kind = kinds.get(data.text("meaning") or "")
        if kind is None:
            data.refuse("meaning", "The meaning must be instance, related, dependents or authoredby.", "code-invalid")
            continue
        reference = data.reference("reference", kind[1])
        if reference is not None:
            kind[0].add(reference)
    return replace(provision, instances=frozenset(instances), related=frozenset(related), authors=frozenset(authors))
