"""Who looked, in words; and to whom data was given out."""

from typing import Any

import pytest

from carekeep.audit import Agent, EntryId, Followed, What
from carekeep.audit.foreign.foreign import VERBS
from carekeep.audit.views import Deed, Directory, account, looks, years_before
from carekeep.audit.views.accounting import INDIVIDUAL, OPERATIONS
from carekeep.audit.views.record_kinds import enumerated, kinds_of
from tests.audit.logs import NOON, an_entry

DAY_MS = 86_400_000
DIRECTORY = Directory(
    {"Practitioner/7": "Dr Ann Ito", "a9": "Kim Roy", "app-1": "Pocket Chart"},
    {
        "TREAT": "to treat the patient",
        "ETREAT": "to treat the patient in an emergency",
        "PATRQT": "because the patient asked for it",
    },
)
READ = {"action": "fhir:record:read"}
SELF = Agent("a2", "patient", "Patient/p1")


def entries(*changes: dict[str, Any]) -> list[Followed]:
    return [
        Followed(number, EntryId(bytes([number] * 16)), an_entry(**{"at_ms": NOON + number} | each), ())
        for number, each in enumerate(changes)
    ]


SENTENCES: dict[str, tuple[dict[str, Any], str]] = {
    "a practitioner": (
        READ,
        "On 5 November 2026, Dr Ann Ito (practitioner) looked at your measurements and test results, to treat you.",
    ),
    "yourself": (
        {**READ, "agent": SELF, "purpose": "PATRQT", "what": (What("Patient/p1"),)},
        "On 5 November 2026, you looked at your name and contact details, because you asked for it.",
    ),
    "with an app": (
        {**READ, "agent": Agent("a2", "patient", "Patient/p1", app="app-1"), "purpose": ""},
        "On 5 November 2026, you looked at your measurements and test results with Pocket Chart.",
    ),
    "a program by itself": (
        {**READ, "agent": Agent("a5", "app", app="app-1"), "purpose": ""},
        "On 5 November 2026, Pocket Chart (program) looked at your measurements and test results.",
    ),
    "whose name is gone": (
        {**READ, "agent": Agent("a4", "practitioner", "Practitioner/gone"), "purpose": ""},
        (
            "On 5 November 2026, a practitioner whose name is not known any more looked at your measurements and test "
            "results."
        ),
    ),
    "an auditor": (
        {"action": "fhir:patient:disclosures", "agent": Agent("a9", "auditor"), "what": (), "purpose": ""},
        "On 5 November 2026, Kim Roy (auditor) looked at who looked at your record.",
    ),
    "a change": (
        {"action": "fhir:bundle:transaction", "what": (What("Condition/1"), What("Basic/2")), "purpose": ""},
        (
            "On 5 November 2026, Dr Ann Ito (practitioner) changed or added to your problems and diagnoses and other "
            "records."
        ),
    ),
    "an emergency is opened": (
        {"action": "fhir:patient:break-glass", "what": (), "purpose": "ETREAT"},
        (
            "On 5 November 2026, Dr Ann Ito (practitioner) opened emergency access to your record, to treat you in an "
            "emergency."
        ),
    ),
    "in an emergency": (
        {**READ, "policies": ("emergency.care",), "purpose": "TREAT"},
        (
            "On 5 November 2026, Dr Ann Ito (practitioner) looked at your measurements and test results, to treat you, "
            "in an emergency."
        ),
    ),
    "refused": (
        {**READ, "outcome": "denied", "what": (), "purpose": ""},
        "On 5 November 2026, Dr Ann Ito (practitioner) tried to use your record and was refused.",
    ),
    "given out": (
        {**READ, "recipient": "A registry", "purpose": ""},
        "On 5 November 2026, Dr Ann Ito (practitioner) gave your measurements and test results to A registry.",
    ),
    "another system": (
        {**READ, "source": "Old system", "happened_ms": NOON - 40 * DAY_MS, "agent": Agent("", "user", "N. Ng")},
        (
            "On 26 September 2026, N. Ng (user) looked at your measurements and test results, to treat you, as the log "
            "of Old system says."
        ),
    ),
}


# What another system's log calls it, and the words for it.
FOREIGN = {
    **dict.fromkeys(("read", "search", "export"), "looked at your record"),
    **dict.fromkeys(("create", "update", "delete"), "changed or added to your record"),
    **dict.fromkeys(("execute", "sign-in", "sign-out", "other"), "did something that concerns your record"),
}


@pytest.mark.parametrize("verb", VERBS)
def test_what_another_systems_log_says_is_told_as_what_it_says(verb: str) -> None:
    foreign = {"action": f"foreign:{verb}", "source": "Old", "agent": Agent("", "foreign", "N. Ng"), "purpose": ""}
    (look,) = looks(entries({**foreign, "what": ()}), "p1", DIRECTORY)
    assert look.sentence == f"On 5 November 2026, N. Ng (foreign) {FOREIGN[verb]}, as the log of Old says."


@pytest.mark.parametrize(("changes", "sentence"), SENTENCES.values(), ids=list(SENTENCES))
def test_sentences(changes: dict[str, Any], sentence: str) -> None:
    (look,) = looks(entries(changes), "p1", DIRECTORY)
    assert look.sentence == sentence


def test_equal_deeds_of_a_day_are_told_once_and_nothing_is_left_out() -> None:
    some = entries(
        READ,
        {**READ, "what": (What("Condition/1"),), "reason": "Another reason."},
        {**READ, "outcome": "denied"},
        {**READ, "purpose": "ETREAT"},
        {**READ, "at_ms": NOON + DAY_MS},
        {**READ, "agent": SELF},
        {"action": "fhir:record:update"},
        {**READ, "recipient": "A registry"},
    )
    found = looks(some, "p1", DIRECTORY)
    assert sum(look.times for look in found) == len(some)
    assert sorted(entry for look in found for entry in look.entries) == [each.entry_id.hex() for each in some]
    assert len(found) == 7
    twice = next(look for look in found if look.times == 2)
    assert twice.kinds == ("measurements and test results", "problems and diagnoses")
    assert (twice.first_ms, twice.last_ms, twice.day) == (NOON, NOON + 1, "2026-11-05")
    assert twice.because == "You are on the care team. Another reason."
    assert ", 2 times, to treat you." in twice.sentence
    assert [look.last_ms for look in found] == sorted((look.last_ms for look in found), reverse=True)
    assert [look.deed for look in found if look.refused] == [Deed.LOOKED]
    assert sum(look.emergency for look in found) == 1


def test_each_access_alone_has_its_own_time() -> None:
    found = looks(entries(READ, READ, READ), "p1", DIRECTORY, each_alone=True)
    assert [(look.first_ms, look.times) for look in found] == [(NOON + 2, 1), (NOON + 1, 1), (NOON, 1)]


@pytest.mark.parametrize(
    ("types", "words"),
    [
        (("Observation", "DiagnosticReport"), "measurements and test results"),
        (("Basic", "MedicationRequest", "AllergyIntolerance"), "allergies, medicines and other records"),
        (("Basic", "Linkage"), "other records"),
    ],
)
def test_types_are_told_in_words(types: tuple[str, ...], words: str) -> None:
    assert enumerated(kinds_of(types)) == words


# ------------------------------------------------------------------------------------------------------- disclosures

GIVEN = {**READ, "recipient": "A registry <r@registry.example>", "purpose": "PUBHLTH"}


def test_disclosures_are_grouped_by_recipient_and_purpose() -> None:
    some = entries(
        GIVEN,
        {**GIVEN, "what": (What("Condition/1"),)},
        {**GIVEN, "purpose": "HRESCH"},
        {**GIVEN, "recipient": "B"},
        READ,
    )
    found = account(some, DIRECTORY)
    assert found.left_out == ()
    assert [(each.times, each.recipient, each.address, each.purpose) for each in found.disclosures] == [
        (2, "A registry", "r@registry.example", "PUBHLTH"),
        (1, "A registry", "r@registry.example", "HRESCH"),
        (1, "B", None, "PUBHLTH"),
    ]
    assert (found.disclosures[0].first_ms, found.disclosures[0].last_ms) == (NOON, NOON + 1)
    assert found.disclosures[0].description == "measurements and test results and problems and diagnoses"


# Purposes, and the exception of 164.528(a)(1) by which an accounting may leave them out ("": by none).
EXCEPTIONS = {
    "TREAT": OPERATIONS, "ETREAT": OPERATIONS, "COC": OPERATIONS, "HPAYMT": OPERATIONS, "HOPERAT": OPERATIONS,
    "PATRQT": INDIVIDUAL, "HRESCH": "", "PUBHLTH": "", "": "",
}  # fmt: skip


@pytest.mark.parametrize(("purpose", "exception"), EXCEPTIONS.items())
def test_only_what_the_rule_excepts_is_left_out_and_it_is_counted(purpose: str, exception: str) -> None:
    some = entries({**GIVEN, "purpose": purpose})
    found = account(some, DIRECTORY)
    assert (len(found.disclosures), found.left_out) == ((0, ((exception, 1),)) if exception else (1, ()))
    (told,) = account(some, DIRECTORY, everything=True).disclosures
    assert (told.exception, bool(told.purpose)) == (exception, True)


@pytest.mark.parametrize(
    "changes", [{**GIVEN, "outcome": "denied"}, {**GIVEN, "outcome": "failed"}, {**GIVEN, "recipient": None}]
)
def test_what_did_not_leave_is_no_disclosure(changes: dict[str, Any]) -> None:
    assert account(entries(changes), DIRECTORY, everything=True).disclosures == ()


@pytest.mark.parametrize(
    ("recipient", "name", "address"),
    [
        ("A <a@b.example>", "A", "a@b.example"),
        ("a@b.example", "a@b.example", "a@b.example"),
        ("A registry", "A registry", None),
        ("<a@b.example>", "<a@b.example>", "<a@b.example>"),
    ],
)
def test_name_and_address_of_a_recipient(recipient: str, name: str, address: str | None) -> None:
    (told,) = account(entries({**GIVEN, "recipient": recipient}), DIRECTORY).disclosures
    assert (told.recipient, told.address) == (name, address)


@pytest.mark.parametrize(
    ("now_ms", "then_ms"),
    [(NOON, 1_604_577_600_000), (1_709_208_000_000, 1_519_819_200_000)],  # 5 Nov 2026, and 29 Feb 2024
)
def test_an_accounting_goes_back_six_years(now_ms: int, then_ms: int) -> None:
    assert years_before(now_ms) == then_ms
