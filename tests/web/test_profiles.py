"""Profiles in the vault: what is written must follow those it claims, from the moment they are there."""

from typing import Any

import pytest

from carekeep.fhir.validation.strictness import Strictness
from carekeep.web.profiles import Profiles
from tests.fhir.validation.profiles import BASE, DEFINITIONS, DONE, Json, pressure, profile
from tests.web.clinic import Answer, Clinic, observation, on_sqlite

CLAIM = {"profile": [BASE + "pressure"]}


def claiming(**changes: Any) -> Json:
    """An Observation of Ada that claims the profile."""
    return {**pressure(), "meta": dict(CLAIM), **changes}


async def load(clinic: Clinic, *definitions: Json) -> None:
    for definition in definitions:
        kept = {**definition, "id": definition["url"].rpartition("/")[2]}
        answer = await clinic.put(completed(kept))
        assert answer.status in {200, 201}, answer.body


def completed(definition: Json) -> Json:
    """With what the base standard asks of a StructureDefinition, and the tests of profiles need not have."""
    if definition["resourceType"] != "StructureDefinition":
        return definition
    elements = [
        {"definition": "x", "min": 0, "max": "*", "base": {"path": each["path"], "min": 0, "max": "*"}, **each}
        for each in definition["snapshot"]["element"]
    ]
    for each in elements:
        each["path"] = ".".join(step.partition(":")[0] for step in each["id"].split("."))
    context = [{"type": "element", "expression": "Element"}]
    more = {"context": context} if definition["type"] == "Extension" else {}
    return {**definition, **more, "snapshot": {"element": elements}}


def strict(clinic: Clinic, **table: object) -> None:
    """Give the application another table of settings."""
    clinic.system.services.profiles.strictness = Strictness.read(table)


async def post(clinic: Clinic, resource: Json, prefer: str = "") -> Answer:
    headers = {"prefer": prefer} if prefer else {}
    return await clinic.ask("POST", resource["resourceType"], resource, headers=headers)


async def test_what_claims_a_profile_must_follow_it(clinic: Clinic) -> None:
    await load(clinic, *DEFINITIONS)
    assert (await post(clinic, claiming())).status == 201
    refused = await post(clinic, claiming(status="preliminary", category=[]) | {"category": [{"text": "x"}]})
    assert refused.status == 422
    places = {(issue["code"], issue["expression"][0]) for issue in refused.json["issue"]}
    assert places == {("code-invalid", "Observation.status"), ("value", "Observation.category[0]")}
    unclaimed = {name: value for name, value in claiming(status="preliminary").items() if name != "meta"}
    assert (await post(clinic, unclaimed)).status == 201


async def test_a_profile_holds_for_updates_patches_and_transactions(clinic: Clinic) -> None:
    await load(clinic, *DEFINITIONS)
    assert (await clinic.put(claiming(id="o"))).status == 201
    assert (await clinic.put(claiming(id="o", status="preliminary"))).status == 422
    patch = b'[{"op": "replace", "path": "/status", "value": "preliminary"}]'
    kind = {"content-type": "application/json-patch+json"}
    assert (await clinic.ask("PATCH", "Observation/o", patch, headers=kind)).status == 422
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": claiming(), "request": {"method": "POST", "url": "Observation"}},
            {"resource": claiming(status="preliminary"), "request": {"method": "POST", "url": "Observation"}},
        ],
    }
    refused = await clinic.ask("POST", "", bundle)
    assert refused.status == 422
    assert refused.json["issue"][0]["expression"] == ["Bundle.entry[1].resource.status"]
    assert (await clinic.ask("GET", "Observation/o")).json["status"] == "final"


async def test_a_change_of_a_profile_or_value_set_takes_effect_at_once(clinic: Clinic) -> None:
    assert (await post(clinic, claiming(status="preliminary"))).status == 201  # nothing is loaded yet
    await load(clinic, *DEFINITIONS)
    assert (await post(clinic, claiming(status="preliminary"))).status == 422
    wider = {**DONE, "compose": {"include": [{"system": "urn:s", "concept": [{"code": "preliminary"}]}]}}
    await load(clinic, wider)
    assert (await post(clinic, claiming(status="preliminary"))).status == 201
    assert (await clinic.ask("DELETE", "StructureDefinition/pressure")).status == 204
    assert (await post(clinic, claiming(category=[{"text": "x"}]))).status == 201


async def test_a_change_reaches_the_other_workers(clinic: Clinic) -> None:
    """Another worker has its own cache, which the generation's poll drops."""
    services = clinic.system.services
    other = Profiles(services.vault, Strictness())
    services.generations.watch("profiles", other.forget_cached)
    assert await other.breaches(claiming(status="preliminary")) == []
    await load(clinic, *DEFINITIONS)
    await services.generations.poll()
    assert [issue.code for issue in await other.breaches(claiming(status="preliminary"))] == ["code-invalid"]


@on_sqlite
async def test_validate_checks_against_a_profile(clinic: Clinic) -> None:
    await load(clinic, *DEFINITIONS)
    resource = {name: value for name, value in claiming(status="preliminary").items() if name != "meta"}
    plain = await clinic.ask("POST", "Observation/$validate", resource)
    assert not [issue for issue in plain.json["issue"] if issue["severity"] == "error"]
    answer = await clinic.ask("POST", f"Observation/$validate?profile={BASE}pressure", resource)
    told = {issue["severity"]: issue for issue in answer.json["issue"]}
    assert told["error"]["expression"] == ["Observation.status"]
    assert "p-3" in told["information"]["diagnostics"]  # what is not evaluated is told


@on_sqlite
@pytest.mark.parametrize(
    ("definitions", "words"),
    [((), "not loaded"), ((profile("pressure", "Observation") | {"kind": "logical"},), "cannot be checked")],
)
async def test_a_claim_that_cannot_be_checked_is_warned_of(
    clinic: Clinic, definitions: tuple[Json, ...], words: str
) -> None:
    await load(clinic, *definitions)
    answer = await post(clinic, claiming(), "return=OperationOutcome")
    assert answer.status == 201
    warnings = [issue for issue in answer.json["issue"] if issue["severity"] == "warning"]
    assert [issue["expression"] for issue in warnings] == [["Observation.meta.profile[0]"]]
    assert words in warnings[0]["diagnostics"]
    asked = await clinic.ask("POST", f"Observation/$validate?profile={BASE}pressure", claiming())
    assert asked.status == 422


@on_sqlite
async def test_lenient_takes_and_warns(clinic: Clinic) -> None:
    await load(clinic, *DEFINITIONS)
    strict(clinic, Observation="lenient")
    resource = claiming(status="preliminary")
    del resource["code"]
    answer = await post(clinic, resource, "return=OperationOutcome")
    assert answer.status == 201
    warned = {(i["code"], i["expression"][0]) for i in answer.json["issue"] if i["severity"] == "warning"}
    assert warned >= {("required", "Observation.code"), ("code-invalid", "Observation.status")}
    assert (await post(clinic, claiming(nickname="x"))).status == 422
    assert (await post(clinic, {"resourceType": "Patient", "contact": [{"gender": "male"}]})).status == 422


async def test_references_must_lead_somewhere_if_that_is_asked(clinic: Clinic) -> None:
    nowhere = observation("o", "ada", 70, "2026-03-01") | {"encounter": {"reference": "Encounter/nowhere"}}
    assert (await clinic.put(nowhere)).status == 201
    strict(clinic, reference_existence=["Observation"])
    refused = await clinic.put(nowhere)
    assert (refused.status, refused.json["issue"][0]["code"]) == (422, "not-found")
    assert refused.json["issue"][0]["expression"] == ["Observation.encounter.reference"]
    assert refused.entry is not None
    assert (refused.entry.outcome, refused.entry.what[0].reference) == ("failed", "Observation/o")
    assert (await clinic.put(observation("o", "ada", 70, "2026-03-01"))).status == 200
    own = f"{clinic.system.services.fhir_url}/Encounter/nowhere"
    assert (await clinic.put(nowhere | {"encounter": {"reference": own}})).status == 422
    elsewhere = nowhere | {"encounter": {"reference": "https://other.example.org/fhir/Encounter/nowhere"}}
    assert (await clinic.put(elsewhere)).status == 200


async def test_a_deleted_target_is_none(clinic: Clinic) -> None:
    strict(clinic, reference_existence=True)
    pointing = observation("o", "ada", 70, "2026-03-01") | {"derivedFrom": [{"reference": "Observation/ada-pulse"}]}
    assert (await clinic.put(pointing)).status == 201
    assert (await clinic.ask("DELETE", "Observation/ada-pulse")).status == 204
    assert (await clinic.put(pointing)).status == 422


async def test_targets_may_be_in_the_same_transaction(clinic: Clinic) -> None:
    strict(clinic, reference_existence=True)
    encounter = {
        "resourceType": "Encounter",
        "id": "e",
        "status": "planned",
        "class": {"code": "AMB"},
        "subject": {"reference": "Patient/ada"},
    }
    pointing = observation("o", "ada", 70, "2026-03-01") | {"encounter": {"reference": "Encounter/e"}}
    change = {"resource": pointing, "request": {"method": "PUT", "url": "Observation/o"}}
    target = {"resource": encounter, "request": {"method": "PUT", "url": "Encounter/e"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [change]}
    refused = await clinic.ask("POST", "", bundle)
    assert refused.json["issue"][0]["expression"] == ["Bundle.entry[0].resource.encounter.reference"]
    assert (await clinic.ask("POST", "", bundle | {"entry": [change, target]})).status == 200
    gone = {"request": {"method": "DELETE", "url": "Encounter/e"}}
    assert (await clinic.ask("POST", "", bundle | {"entry": [gone, change]})).status == 422


async def test_who_may_not_write_is_told_of_no_target(clinic: Clinic) -> None:
    strict(clinic, reference_existence=True)
    for target in ("Encounter/nowhere", "Condition/bob-asthma"):
        pointing = observation("o", "bob", 70, "2026-03-01") | {"focus": [{"reference": target}]}
        assert (await clinic.ask("PUT", "Observation/o", pointing, who="ada")).status == 403


@on_sqlite
async def test_claims_that_lead_nowhere_fill_no_memory(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carekeep.web.profiles._MOST_KEPT", 20)
    profiles = Profiles(clinic.system.services.vault, Strictness())
    for number in range(50):
        await profiles.breaches({"resourceType": "Basic", "meta": {"profile": [f"urn:x:{number}"]}})
    assert len(profiles._shelf.definitions) <= 21  # noqa: SLF001
