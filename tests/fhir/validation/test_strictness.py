"""How strictly a type is validated: what settings say, what lenient forgives, and what it never does."""

from pathlib import Path

import pytest

from carekeep.fhir import RESOURCE_TYPES, validate
from carekeep.fhir.validation import MAX_ISSUES
from carekeep.fhir.validation.strictness import Strictness, StrictnessRefused
from carekeep.settings import FILE_NAME, Settings, SettingsError, load_settings, write_settings


def severities(resource: dict[str, object]) -> list[tuple[str, str]]:
    return [(issue.severity, issue.code) for issue in validate(resource, lenient=True)]


@pytest.mark.parametrize(
    ("resource", "code"),
    [
        ({"resourceType": "Observation", "code": {"text": "x"}}, "required"),
        ({"resourceType": "Patient", "gender": "man"}, "code-invalid"),
        ({"resourceType": "Patient", "contact": [{"gender": "male"}]}, "invariant"),
        ({"resourceType": "Condition", "subject": {"display": "x"}, "clinicalStatus": {"text": "x"}}, "code-invalid"),
    ],
)
def test_lenient_warns_of_broken_rules(resource: dict[str, object], code: str) -> None:
    assert severities(resource) == [("warning", code)]
    assert [(issue.severity, issue.code) for issue in validate(resource)] == [("error", code)]


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Patien"},
        {},
        {"resourceType": "Patient", "nickname": "x"},
        {"resourceType": "Patient", "active": "true"},
        {"resourceType": "Patient", "birthDate": "1970-02-30"},
        {"resourceType": "Patient", "deceasedBoolean": True, "deceasedDateTime": "2020"},
        {"resourceType": "Patient", "managingOrganization": {"reference": "Practitioner/1"}},
        {"resourceType": "Patient", "managingOrganization": {"reference": "a b"}},
        {"resourceType": "Patient", "text": {"status": "generated", "div": "<script/>"}},
        {"resourceType": "Patient", "contained": [{"resourceType": "Basic", "id": "x", "code": {"text": "x"}}]},
    ],
)
def test_lenient_takes_nothing_that_cannot_be_read(resource: dict[str, object]) -> None:
    assert "error" in {severity for severity, _ in severities(resource)}


def test_warnings_hide_no_error() -> None:
    contacts = [{"gender": "male"}] * 80
    issues = validate({"resourceType": "Patient", "contact": contacts, "nickname": "x"}, lenient=True)
    assert len(issues) <= MAX_ISSUES
    assert issues[-1].severity == "error"


def test_settings_say_how_strict(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(
        '[validation]\ndefault = "lenient"\nObservation = "strict"\nreference_existence = ["Condition"]\n'
    )
    settings = load_settings(tmp_path)
    assert settings.validation.is_lenient("Patient")
    assert not settings.validation.is_lenient("Observation")
    assert settings.validation.existence == {"Condition"}
    write_settings(settings)
    assert load_settings(tmp_path) == settings


def test_all_is_strict_if_nothing_is_said(tmp_path: Path) -> None:
    write_settings(Settings(tmp_path))
    assert load_settings(tmp_path).validation == Strictness()
    assert not Strictness().is_lenient("Patient")


def test_existence_may_be_asked_of_all() -> None:
    assert Strictness.read({"reference_existence": True}).existence == RESOURCE_TYPES


@pytest.mark.parametrize(
    "table",
    [
        {"default": "loose"},
        {"Patien": "strict"},
        {"Patient": True},
        {"reference_existence": "yes"},
        {"reference_existence": ["Patien"]},
    ],
)
def test_other_tables_are_refused(table: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(StrictnessRefused):
        Strictness.read(table)
    name, value = next(iter(table.items()))
    written = {True: "true"}.get(
        value is True, str(value).replace("'", '"') if isinstance(value, list) else f'"{value}"'
    )
    (tmp_path / FILE_NAME).write_text(f"[validation]\n{name} = {written}\n")
    with pytest.raises(SettingsError, match="validation"):
        load_settings(tmp_path)
