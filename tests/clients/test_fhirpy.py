"""The journey of an app that is written with fhirpy."""

import pytest
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound
from fhirpy.lib import SyncFHIRResource

from tests.running import Demo

MRN = "https://example.org/mrn"


@pytest.fixture
def client(server: Demo) -> SyncFHIRClient:
    return SyncFHIRClient(
        server.fhir_url,
        authorization=f"Bearer {server.token('engine')}",
        requests_config={"verify": server.ca_certificate},
    )


def new_patient(client: SyncFHIRClient, family: str, mrn: str) -> SyncFHIRResource:
    return client.resource(
        "Patient", name=[{"family": family, "given": ["Ida"]}], identifier=[{"system": MRN, "value": mrn}]
    )


def test_create_read_update_and_delete(client: SyncFHIRClient) -> None:
    patient = new_patient(client, "Fhirpy", "p1").create()
    read = client.reference("Patient", patient.id).to_resource()
    assert read["name"][0]["family"] == "Fhirpy"
    read["birthDate"] = "1980-04-01"
    read.save()
    assert read["meta"]["versionId"] == "2"
    operation = [
        {"name": "type", "valueCode": "add"},
        {"name": "path", "valueString": "Patient"},
        {"name": "name", "valueString": "active"},
        {"name": "value", "valueBoolean": True},
    ]
    patch = {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": operation}]}
    client.execute(f"Patient/{patient.id}", method="patch", data=patch)
    with pytest.raises(OperationOutcome):  # fhirpy's own patch is a merge, which FHIR R4 does not have
        read.patch(active=False)
    again = client.reference("Patient", patient.id).to_resource()
    assert again["active"] is True
    assert again["birthDate"] == "1980-04-01"
    again.delete()
    with pytest.raises((ResourceNotFound, OperationOutcome)):
        client.reference("Patient", patient.id).to_resource()


def test_search_pages_and_counts(client: SyncFHIRClient) -> None:
    patient = new_patient(client, "Pages", "p2").create()
    for pulse in range(7):
        client.resource(
            "Observation",
            status="final",
            code={"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            subject=patient.to_reference(),
            effectiveDateTime=f"2026-03-0{pulse + 1}",
            valueQuantity={"value": 60 + pulse, "unit": "/min"},
        ).create()
    found = client.resources("Observation").search(patient=patient.id, code="http://loinc.org|8867-4")
    assert len(found.limit(3).fetch()) == 3
    assert len(found.limit(3).fetch_all()) == 7
    assert len(found.search(date__ge="2026-03-05").fetch()) == 3
    assert [each["valueQuantity"]["value"] for each in found.sort("date").limit(2).fetch()] == [60, 61]
    assert {each["subject"]["reference"] for each in found.fetch_all()} == {f"Patient/{patient.id}"}


def test_conditional_create_finds_what_is_there(server: Demo, client: SyncFHIRClient) -> None:
    careful = SyncFHIRClient(
        server.fhir_url,
        authorization=f"Bearer {server.token('engine')}",
        requests_config={"verify": server.ca_certificate},
        extra_headers={"If-None-Exist": f"identifier={MRN}|p3"},
    )
    first = new_patient(careful, "Conditional", "p3").create()
    second = new_patient(careful, "Conditional", "p3").create()
    assert first.id == second.id
    assert len(client.resources("Patient").search(identifier=f"{MRN}|p3").fetch()) == 1


def test_a_transaction_is_whole_or_nothing(client: SyncFHIRClient) -> None:
    urn = "urn:uuid:0f9c3c3c-7f5e-4a52-9c55-0f5a4b1f3a01"
    patient = {"resourceType": "Patient", "name": [{"family": "Transaction"}]}
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "pulse"},
        "subject": {"reference": urn},
    }
    entries = [
        {"fullUrl": urn, "resource": patient, "request": {"method": "POST", "url": "Patient"}},
        {"resource": observation, "request": {"method": "POST", "url": "Observation"}},
    ]
    answer = client.resource("Bundle", type="transaction", entry=entries).create()
    statuses = [entry["response"]["status"][:3] for entry in answer["entry"]]
    assert statuses == ["201", "201"]
    del observation["status"]
    with pytest.raises(OperationOutcome):
        client.resource("Bundle", type="transaction", entry=entries).create()
    assert len(client.resources("Patient").search(family="Transaction").fetch()) == 1


def test_history(client: SyncFHIRClient) -> None:
    patient = new_patient(client, "History", "p4").create()
    patient["active"] = False
    patient.save()
    versions = client.execute(f"Patient/{patient.id}/_history", method="get")
    assert [entry["resource"]["meta"]["versionId"] for entry in versions["entry"]] == ["2", "1"]
