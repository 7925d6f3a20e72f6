"""Bundles that would harm are refused, with the file, the line and the policy that is to blame."""

import pytest

from carekeep.access import Decider, PolicyFile, PolicyRefused
from carekeep.access.bundles import Bundle, PolicyKeeper, failed_canaries
from tests.access.people import DECIDER

HEAD = '@id("bad") @title("t") @reason("r") @law("l")\n'
READING = 'action in [Action::"fhir:record:read", Action::"fhir:record:vread", Action::"fhir:record:history"]'
WRITING = 'action in [Action::"fhir:record:create", Action::"fhir:record:update"]'
OPENING = 'action == Action::"fhir:patient:break-glass"'

# What is wrong with it, the policy, and what is said of it.
HARMFUL = (
    ("denies clinicians everything", "forbid (principal is Practitioner, action, resource);", "care team reads"),
    (
        "denies clinicians their patients",
        "forbid (principal is Practitioner, action, resource is PatientRecord) unless { context.break_glass };",
        "care team reads",
    ),
    (
        "denies clinicians to write",
        f"forbid (principal is Practitioner, {WRITING}, resource is PatientRecord) unless {{ context.break_glass }};",
        "care team writes",
    ),
    ("denies to search", 'forbid (principal, action == Action::"fhir:type:search", resource);', "searches"),
    (
        "lets strangers in",
        f"permit (principal is Practitioner, {READING}, resource is PatientRecord);",
        "stranger",
    ),
    (
        "lets strangers in for one purpose",
        f'permit (principal, {READING}, resource is PatientRecord) when {{ context.purpose == Purpose::"HOPERAT" }};',
        "stranger",
    ),
    (
        "lets strangers in for one type",
        f'permit (principal, {READING}, resource is PatientRecord) when {{ resource.type == "Coverage" }};',
        "stranger",
    ),
    (
        "lets strangers in from one network",
        f'permit (principal, {READING}, resource is PatientRecord) when {{ context.zone == "kiosk" }};',
        "stranger",
    ),
    (
        "lets strangers in for one label",
        f'permit (principal, {READING}, resource is PatientRecord) when {{ resource.labels.contains("s|open") }};',
        "stranger",
    ),
    (
        "takes emergencies away for one label",
        f'forbid (principal, {READING}, resource is PatientRecord) when {{ resource.labels.contains("s|vip") }};',
        "any type, however",
    ),
    (
        "lets apps in that were given nothing",
        f"permit (principal is App, {READING}, resource);",
        "stranger",
    ),
    (
        "lets strangers write",
        'permit (principal is Practitioner, action == Action::"fhir:record:create", resource is PatientRecord);',
        "adds nothing",
    ),
    (
        "takes break-glass away",
        'forbid (principal, action == Action::"fhir:patient:break-glass", resource);',
        "opens emergency access",
    ),
    (
        "takes break-glass away from outside",
        f'forbid (principal, {OPENING}, resource) when {{ context.zone == "outside" }};',
        "opens emergency access",
    ),
    (
        "takes reading in emergencies away at risk",
        f"forbid (principal, {READING}, resource) when {{ context.risk >= 90 }};",
        "With open emergency access",
    ),
    (
        "makes break-glass an everyday way in",
        f"permit (principal, {READING}, resource is PatientRecord) when {{ context.break_glass }};",
        "without its purpose",
    ),
    (
        "takes patients' own records from them",
        f"forbid (principal is Patient, {READING}, resource);",
        "own records",
    ),
    (
        "cannot be taken back",
        'forbid (principal, action == Action::"access:policy:manage", resource);',
        "put other policies in force",
    ),
)


@pytest.mark.parametrize(("what", "policy", "told"), HARMFUL, ids=[what for what, _, _ in HARMFUL])
def test_what_would_harm_is_refused(what: str, policy: str, told: str) -> None:
    del what
    bundle = Bundle("bad", "1", files=(PolicyFile("bad.cedar", f"// first line\n{HEAD}{policy}"),))
    with pytest.raises(PolicyRefused, match=rf"(?m)^(.*; )?bad\.cedar, line 2: bad.*{told}"):
        PolicyKeeper.check(DECIDER, bundle)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("permit (principal, action, resource", "bad.cedar, line 1: "),
        (f"{HEAD}permit (principal is Nurse, action, resource);", "bad.cedar, line 1: bad: .*Nurse"),
        (
            '@id("care.read") @title("t") @reason("r") @law("l")\npermit (principal, action, resource);',
            "has the id care",
        ),
    ],
)
def test_what_does_not_validate_is_refused(text: str, told: str) -> None:
    with pytest.raises(PolicyRefused, match=told):
        PolicyKeeper.check(DECIDER, Bundle("bad", "1", files=(PolicyFile("bad.cedar", text),)))


def test_what_comes_with_carekeep_kills_no_canary() -> None:
    assert failed_canaries(Decider.load().rules) == ()


def test_without_policies_there_is_no_care() -> None:
    """So that the canaries can die at all: nothing is permitted, and all that care needs is missed."""
    nothing = DECIDER.read([PolicyFile("none.cedar", f"{HEAD}forbid (principal, action, resource is RecordType);")])
    died = failed_canaries(nothing)
    assert len(died) == 10
    assert all("must stay permitted" in each for each in died)
