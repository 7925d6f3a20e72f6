"""$validate: an OperationOutcome with status 200, whatever it finds; nothing is kept."""

import pytest

from tests.web.clinic import Clinic, observation, on_sqlite, records_kept
from tests.web.operations.charts import Json, disclosed, parameters

GOOD = observation("new", "ada", 70, "2026-05-01")
BAD = {**GOOD, "status": "nonsense", "valueQuantity": {"value": "x"}}
OF_BOB = observation("new", "bob", 70, "2026-05-01")


def severities(outcome: Json) -> list[str]:
    """What kinds of issues there are."""
    assert outcome["resourceType"] == "OperationOutcome"
    return [issue["severity"] for issue in outcome["issue"]]


@pytest.mark.parametrize("body", [GOOD, parameters(resource=GOOD), parameters(resource=GOOD, mode__valueCode="create")])
async def test_what_is_good_is_said_to_be(clinic: Clinic, body: Json) -> None:
    before = await records_kept(clinic.system.database)
    answer = await clinic.ask("POST", "Observation/$validate", body, who="physician")
    assert (answer.status, severities(answer.json)) == (200, ["information"])
    assert await records_kept(clinic.system.database) == before
    assert answer.entry is not None
    assert (answer.entry.action, answer.entry.what) == ("fhir:capability:read", ())
    assert str(answer.entry.query).startswith("Observation/$validate?")


@on_sqlite
@pytest.mark.parametrize("body", [BAD, parameters(resource=BAD)])
async def test_what_is_bad_is_said_with_its_place(clinic: Clinic, body: Json) -> None:
    answer = await clinic.ask("POST", "Observation/$validate", body, who="physician")
    assert answer.status == 200
    places = {issue["expression"][0] for issue in answer.json["issue"]}
    assert places == {"Observation.status", "Observation.value.ofType(Quantity).value"}


@on_sqlite
async def test_another_type_than_the_url_says(clinic: Clinic) -> None:
    answer = await clinic.ask("POST", "Condition/$validate", GOOD)
    assert (answer.status, answer.json["issue"][0]["code"]) == (200, "invalid")


@on_sqlite
async def test_a_parameters_resource_can_be_validated_itself(clinic: Clinic) -> None:
    plain = {"resourceType": "Parameters", "parameter": [{"name": "x", "valueString": "y"}]}
    assert severities((await clinic.ask("POST", "Parameters/$validate", plain)).json) == ["information"]
    wrapped = parameters(resource={"resourceType": "Parameters", "parameter": [{}]})
    assert severities((await clinic.ask("POST", "Parameters/$validate", wrapped)).json) != ["information"]


@on_sqlite
async def test_mode_create_says_whether_the_policies_let_it_in(clinic: Clinic) -> None:
    answer = await clinic.ask("POST", "Observation/$validate?mode=create", OF_BOB, who="physician")
    assert (answer.status, answer.json["issue"][0]["code"]) == (200, "forbidden")
    assert severities((await clinic.ask("POST", "Observation/$validate", OF_BOB, who="physician")).json) == [
        "information"
    ]


@on_sqlite
@pytest.mark.parametrize(
    ("who", "path", "body", "codes"),
    [
        ("physician", "Observation/ada-pulse/$validate?mode=update", {**GOOD, "id": "ada-pulse"}, ["informational"]),
        ("physician", "Observation/ada-pulse/$validate?mode=update", GOOD, ["invalid"]),
        ("physician", "Observation/ada-pulse/$validate?mode=update", {**OF_BOB, "id": "ada-pulse"}, ["forbidden"]),
        ("physician", "Observation/fresh/$validate?mode=update", {**GOOD, "id": "fresh"}, ["informational"]),
        ("ada", "Observation/ada-pulse/$validate?mode=update", {**GOOD, "id": "ada-pulse"}, ["forbidden"] * 2),
        ("physician", "Observation/ada-pulse/$validate?mode=delete", {"resourceType": "Parameters"}, ["informational"]),
        ("ada", "Observation/ada-pulse/$validate?mode=delete", {"resourceType": "Parameters"}, ["forbidden"]),
    ],
)
async def test_modes_of_one_record(clinic: Clinic, who: str, path: str, body: Json, codes: list[str]) -> None:
    answer = await clinic.ask("POST", path, body, who=who)
    assert answer.status == 200
    assert [issue["code"] for issue in answer.json["issue"]] == codes
    assert (await clinic.ask("GET", "Observation/ada-pulse")).headers["etag"] == 'W/"1"'


async def test_a_stored_record_is_validated_and_that_is_a_disclosure(clinic: Clinic) -> None:
    answer = await clinic.ask("GET", "Observation/ada-pulse/$validate", who="physician")
    assert severities(answer.json) == ["information"]
    assert disclosed(answer.entry) == {"Observation/ada-pulse"}
    assert (await clinic.ask("GET", "Observation/bob-pulse/$validate", who="physician")).status == 403


@on_sqlite
@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("Observation/$validate?mode=update", GOOD, 400),
        ("Observation/$validate?mode=delete", GOOD, 400),
        ("Observation/$validate?mode=sideways", GOOD, 400),
        ("Observation/$validate?mode=profile", GOOD, 400),
        ("Observation/$validate?profile=https://example.org/unknown", GOOD, 422),
        ("Observation/$validate?profile=http://hl7.org/fhir/StructureDefinition/Observation", GOOD, 200),
        ("Observation/$validate?mode=profile&profile=http://hl7.org/fhir/StructureDefinition/Observation", GOOD, 200),
        ("Observation/$validate?strict=true", GOOD, 400),
        ("Observation/$validate", {"resourceType": "Parameters"}, 400),
        ("Observation/$validate", b"{", 400),
        ("Observation/ada-pulse/$validate?mode=create", GOOD, 400),
        ("Observation/nothing/$validate", {"resourceType": "Parameters"}, 404),
    ],
)
async def test_what_cannot_be_validated_is_refused(clinic: Clinic, path: str, body: Json | bytes, status: int) -> None:
    assert (await clinic.ask("POST", path, body)).status == status


@on_sqlite
async def test_what_nobody_may_write_is_said(clinic: Clinic) -> None:
    answer = await clinic.ask("POST", "AuditEvent/$validate", {"resourceType": "AuditEvent"})
    assert "not-supported" in {issue["code"] for issue in answer.json["issue"]}
