"""The words: named by one rule, the same in code and schema."""

import re

import pytest

from carekeep.access import Action, Purpose, PurposeUnknown
from carekeep.access.policy_text import bundled_schema
from carekeep.access.schema import render
from carekeep.access.vocabulary import PURPOSE_SYSTEM


def test_the_schema_is_the_vocabulary() -> None:
    assert bundled_schema().text == render(), (
        "run: python -m carekeep.access.schema > src/carekeep/access/policies/schema.cedarschema"
    )


@pytest.mark.parametrize("action", Action)
def test_actions_are_named_by_scope_resource_and_action(action: Action) -> None:
    assert re.fullmatch(r"(fhir|records|audit|identity|access|encryption):[a-z]+:[a-z]+(-[a-z]+)*", action)
    assert action.resource == action.split(":")[1]


@pytest.mark.parametrize("purpose", Purpose)
def test_a_purpose_is_read_with_or_without_its_system(purpose: Purpose) -> None:
    assert Purpose.parse(purpose.value) is purpose
    assert Purpose.parse(f" {PURPOSE_SYSTEM}|{purpose.value} ") is purpose
    assert purpose.sentence


@pytest.mark.parametrize("header", ["", "treat", "CURIOSITY", "http://example.org|TREAT", "TREAT,ETREAT", "\x1b[31m"])
def test_another_purpose_is_refused_with_a_list_and_without_an_echo(header: str) -> None:
    with pytest.raises(PurposeUnknown, match=r"TREAT \(to treat the patient\)") as refused:
        Purpose.parse(header)
    assert "CURIOSITY" not in str(refused.value)
    assert "\x1b" not in str(refused.value)
