"""An app gets what the policies permit the person, and of that what it was given: no scope makes anything wider."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.access import ANYTHING, SCOPE, Action, Decision, Guard, Proposed, Purpose, Relation, Target
from carekeep.access.narrowing import needs_content
from carekeep.identity import Delegation
from tests.access.people import INSIDE, PATIENT, PRACTITIONER, SYSTEM, Person
from tests.access.requests import people, targets
from tests.access.test_guard import CARE, guard

OWN = frozenset({Relation.SELF})
FHIR = frozenset(action for action in Action if action.startswith("fhir:"))
NARROWED = (
    "patient/Observation.rs",
    "user/*.cruds",
    "user/Observation.rs?status=final",
    "system/*.cruds",
    "openid",
    "",
)
FINAL, DRAFT = (
    Target("Observation", ("p1",), (), Proposed({"resourceType": "Observation", "status": status}))
    for status in ("final", "preliminary")
)


def through(person: Person, scopes: str, patient: str | None = "p1") -> Person:
    return replace(person, app="An app", delegation=Delegation("client-1", "An app", scopes, patient))


async def ask(
    person: Person, action: Action, target: Target, *, by: Guard | None = None, found: bool = False
) -> Decision:
    purpose = Purpose.PATRQT if person.kind == "patient" else Purpose.TREAT
    asked = by or guard({"p1": CARE | OWN, "p2": CARE})
    return await asked.decide(person, action, target, purpose, INSIDE, found=found)


@given(people, st.sampled_from(Action), targets, st.sampled_from(NARROWED), st.sampled_from(Purpose), st.booleans())
async def test_no_scope_makes_anything_wider(
    person: Person, action: Action, target: Target, scopes: str, purpose: Purpose, found: bool
) -> None:
    asked = guard({"p1": CARE | OWN}, "p2")
    narrowed = await asked.decide(through(person, scopes), action, target, purpose, INSIDE, found=found)
    if narrowed.permitted:
        # The same person without narrowing; that an app acts is for policies to see, and stays.
        plain = replace(person, app="An app")
        assert (await asked.decide(plain, action, target, purpose, INSIDE, found=found)).permitted


@pytest.mark.parametrize(
    ("scopes", "action", "target", "permitted"),
    [
        ("patient/Observation.rs", Action.READ, FINAL, True),
        ("patient/Observation.rs", Action.VREAD, FINAL, True),
        ("patient/Observation.rs", Action.HISTORY, FINAL, True),
        ("patient/Observation.s", Action.READ, FINAL, False),
        ("patient/Observation.rs", Action.SEARCH, Target("Observation"), True),
        ("patient/Observation.r", Action.SEARCH, Target("Observation"), False),
        ("patient/Observation.rs", Action.SEARCH, Target("Condition"), False),
        ("patient/Observation.rs", Action.SEARCH, Target(), True),
        ("patient/Observation.r", Action.SEARCH, Target(), False),
        ("patient/Observation.rs", Action.CREATE, FINAL, False),
        ("patient/Observation.c", Action.CREATE, FINAL, True),
        ("patient/Observation.c", Action.UPDATE, FINAL, False),
        ("patient/Observation.u", Action.UPDATE, FINAL, True),
        ("patient/Observation.u", Action.DELETE, FINAL, False),
        ("patient/Observation.d", Action.DELETE, FINAL, True),
        ("user/Observation.rs?status=final", Action.READ, FINAL, True),
        ("user/Observation.rs?status=final", Action.READ, DRAFT, False),
        ("user/Observation.rs?status=final", Action.READ, replace(FINAL, content=None), False),
        ("user/Observation.rs?status=final", Action.READ, replace(FINAL, content=ANYTHING), True),
        ("user/Observation.cu?status=final", Action.UPDATE, DRAFT, False),
        ("user/Observation.rs?status=final user/Observation.u", Action.UPDATE, DRAFT, True),
        ("system/*.cruds", Action.READ, FINAL, False),
        ("openid fhirUser launch/patient", Action.READ, FINAL, False),
        ("what is this", Action.READ, FINAL, False),
    ],
)
async def test_what_each_letter_is_for(scopes: str, action: Action, target: Target, permitted: bool) -> None:
    decision = await ask(through(PRACTITIONER, scopes), action, target)
    assert decision.permitted is permitted
    if not permitted:
        assert decision.policies == (SCOPE,)
        assert decision.reason.startswith("Denied: ")
    assert (await ask(PRACTITIONER, action, target)).permitted


async def test_only_the_patient_that_the_app_was_started_for() -> None:
    """The clinician cares for both, and the app was started for one of them."""
    app = through(PRACTITIONER, "patient/*.cruds")
    somebody_else = replace(FINAL, patients=("p2",))
    assert (await ask(PRACTITIONER, Action.READ, somebody_else)).permitted
    assert not (await ask(app, Action.READ, somebody_else)).permitted
    assert not (await ask(through(PRACTITIONER, "patient/*.cruds", None), Action.READ, FINAL)).permitted
    both = Target("Appointment", ("p1", "p2"))
    assert (await ask(app, Action.READ, both)).permitted
    assert not (await ask(app, Action.UPDATE, both)).permitted


async def test_patients_are_their_own_launch_patient_whatever_the_app_says() -> None:
    assert (await ask(through(PATIENT, "patient/*.rs", None), Action.READ, FINAL)).permitted
    assert (await ask(through(PATIENT, "patient/*.rs", "p2"), Action.READ, FINAL)).permitted
    assert not (await ask(through(PATIENT, "patient/*.rs", "p2"), Action.READ, Target("Flag", ("p2",)))).permitted


async def test_what_a_search_comes_upon_takes_the_right_to_search() -> None:
    reads, searches = (through(PRACTITIONER, f"patient/Observation.{letter}") for letter in "rs")
    assert not (await ask(reads, Action.READ, FINAL, found=True)).permitted
    assert (await ask(searches, Action.READ, FINAL, found=True)).permitted


@pytest.mark.parametrize("action", sorted(set(Action) - FHIR | {Action.BREAK_GLASS}))
@pytest.mark.parametrize("person", [PATIENT, PRACTITIONER, SYSTEM])
async def test_an_app_does_nothing_but_fhir(person: Person, action: Action) -> None:
    everything = through(person, "patient/*.cruds user/*.cruds system/*.cruds offline_access")
    decision = await ask(everything, action, Target("Patient", ("p1",)) if action in FHIR else Target())
    assert not decision.permitted
    assert decision.policies == (SCOPE,)
    assert decision.step_up is None


async def test_who_signed_in_takes_openid() -> None:
    assert not (await ask(through(PATIENT, "fhirUser"), Action.PROFILE_READ, Target())).permitted
    with_openid = await ask(through(PATIENT, "openid"), Action.PROFILE_READ, Target())
    without_app = await ask(PATIENT, Action.PROFILE_READ, Target())
    assert (with_openid.permitted, with_openid.policies) == (without_app.permitted, without_app.policies)


async def test_a_machine_exports_by_scopes_of_the_system() -> None:
    for scopes, permitted in (("system/*.rs", True), ("user/*.rs", False), ("system/Observation.cud", False)):
        app = through(SYSTEM, scopes, None)
        assert (await ask(app, Action.BULK_EXPORT, Target())).permitted is permitted
        assert (await ask(app, Action.READ, FINAL)).permitted is permitted
    assert not (await ask(through(SYSTEM, "system/Condition.rs"), Action.READ, FINAL)).permitted


async def test_what_is_denied_by_policies_stays_so_for_every_scope() -> None:
    stranger = guard({})
    for level, action in itertools.product(("patient", "user"), (Action.READ, Action.UPDATE, Action.DELETE)):
        denial = await ask(through(PRACTITIONER, f"{level}/*.cruds"), action, FINAL, by=stranger)
        assert not denial.permitted
        assert SCOPE not in denial.policies


def test_content_is_looked_at_only_for_scopes_that_ask_of_it() -> None:
    assert not needs_content(PRACTITIONER)
    assert not needs_content(through(PRACTITIONER, "user/*.cruds"))
    assert needs_content(through(PRACTITIONER, "user/Observation.rs?status=final"))
