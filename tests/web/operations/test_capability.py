"""What is said of the operations is what is there."""

import pytest

from carekeep.fhir import RESOURCE_TYPES, validate
from carekeep.web.fhir.operations import OPERATIONS, operation_at
from tests.web.clinic import Clinic, on_sqlite


@on_sqlite
async def test_every_operation_is_told_where_it_is(clinic: Clinic) -> None:
    statement = (await clinic.ask("GET", "metadata", who=None)).json
    assert validate(statement) == ()
    rest = statement["rest"][0]
    for resource in rest["resource"]:
        for told in resource["operation"]:
            at = [operation_at(level, told["name"], resource["type"]) for level in ("type", "instance")]
            assert any(each is not None and each.definition == told["definition"] for each in at)
    told_of = {resource["type"]: {each["name"] for each in resource["operation"]} for resource in rest["resource"]}
    assert told_of.keys() == RESOURCE_TYPES
    assert {"everything", "summary"} <= told_of["Patient"]
    assert told_of["AuditEvent"] == {"validate"}
    system = {each.name for each in OPERATIONS if each.level == "system"}
    assert {each["name"] for each in rest.get("operation", ())} == system


@on_sqlite
async def test_terminology_is_told(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "metadata?mode=terminology", who=None)
    assert (answer.status, answer.json["resourceType"]) == (200, "TerminologyCapabilities")
    assert validate(answer.json) == ()
    assert (await clinic.ask("GET", "metadata?mode=full", who=None)).json["resourceType"] == "CapabilityStatement"
    assert (await clinic.ask("GET", "metadata?mode=normative", who=None)).status == 400


def test_no_operation_is_in_the_table_twice() -> None:
    places = [(each.name, each.level, type_) for each in OPERATIONS for type_ in each.types or RESOURCE_TYPES]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.level}-{each.name}-{'-'.join(each.types)}")
def test_definitions_are_canonical(operation: object) -> None:
    definition = getattr(operation, "definition", "")
    assert definition.startswith(("http://hl7.org/fhir/", "https://carekeep.example/fhir/"))
