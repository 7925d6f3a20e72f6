"""OCSF events, read by somebody else's models of the schema."""

import json
from importlib import import_module
from typing import Any

import pytest

from carekeep.access import Action
from carekeep.audit.export import ocsf_event
from tests.audit.export.said import AT, ENTRY_ID, ORIGIN, told

MODELS: Any = import_module("ocsf.v1_6_0.events")
CLASSES = {
    3002: MODELS.Authentication,
    3003: MODELS.AuthorizeSession,
    3004: MODELS.EntityManagement,
    6003: MODELS.ApiActivity,
}


def event(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(ocsf_event(told(**changes), ORIGIN))
    return made


def accept(made: dict[str, Any]) -> None:
    """Whether the models take it, with every attribute in a place that the schema knows."""
    model = CLASSES[made["class_uid"]]
    read = model.model_validate(made)
    assert not made.keys() - model.model_fields.keys()
    assert read.type_uid == made["class_uid"] * 100 + made["activity_id"]
    assert made["category_uid"] == made["class_uid"] // 1000
    # What the schema asks for beside attributes: of these, one must be there.
    assert made["class_uid"] != 3002 or made["service"]
    assert made["class_uid"] != 3003 or made["privileges"]
    assert made["class_uid"] != 6003 or (made["api"]["operation"] and made["src_endpoint"])
    assert made["actor"]["user"].keys() & {"uid", "name"}


@pytest.mark.parametrize("outcome", ["permitted", "denied", "failed"])
@pytest.mark.parametrize("action", [*Action, "foreign:read", "audit:checkpoint:anchor"])
def test_every_action_is_an_event_of_the_schema(action: str, outcome: str) -> None:
    made = event(action=action, outcome=outcome)
    accept(made)
    assert made["status_id"] == (1 if outcome == "permitted" else 2)


# Action → class, activity.
CASES = [
    ("identity:session:open", 3002, 1),
    ("identity:session:close", 3002, 2),
    ("fhir:patient:break-glass", 3003, 1),
    ("identity:token:issue", 3003, 1),
    ("identity:account:manage", 3004, 99),
    ("access:policy:manage", 3004, 99),
    ("encryption:key:destroy", 3004, 4),
    ("fhir:record:read", 6003, 2),
    ("fhir:type:search", 6003, 2),
    ("fhir:record:create", 6003, 1),
    ("fhir:record:update", 6003, 3),
    ("fhir:record:delete", 6003, 4),
    ("audit:ledger:read", 6003, 2),
    ("audit:ledger:prove", 6003, 99),
    ("foreign:read", 6003, 2),
]


@pytest.mark.parametrize(("action", "class_", "activity"), CASES)
def test_class_and_activity(action: str, class_: int, activity: int) -> None:
    made = event(action=action)
    assert (made["class_uid"], made["activity_id"]) == (class_, activity)
    assert made.get("activity_name") == (action if activity == 99 else None)


def test_what_a_rule_would_look_at() -> None:
    made = event()
    assert made["time"] == AT
    assert made["metadata"]["uid"] == ENTRY_ID.hex()
    assert made["actor"]["user"] == {
        "uid": "0123456789abcdef0123456789abcdef",
        "type_id": 1,
        "groups": [{"name": "practitioner"}],
    }
    assert made["src_endpoint"] == {"ip": "192.0.2.1"}
    assert made["unmapped"]["policies"] == ["care-team.read"]
    assert made["unmapped"]["patient_count"] == 2
    assert made["unmapped"]["disclosure"] is True
