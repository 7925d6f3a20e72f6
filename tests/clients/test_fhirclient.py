"""The journey of an app that is written with fhirclient (SMART's Python client)."""

import pytest
from fhirclient.models.bundle import Bundle
from fhirclient.models.fhirabstractresource import FHIRAbstractResource
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException, FHIRServer

from tests.running import Demo


@pytest.fixture
def fhir(server: Demo) -> FHIRServer:
    opened = FHIRServer(None, base_uri=server.fhir_url)
    opened.session.trust_env = False  # else a bundle of the environment would be trusted instead
    opened.session.verify = server.ca_certificate
    opened.session.headers["Authorization"] = f"Bearer {server.token('engine')}"
    return opened


def created(resource: FHIRAbstractResource, fhir: FHIRServer) -> dict[str, object]:
    answer: dict[str, object] = resource.create(fhir)
    return answer


def test_create_read_update_and_delete(fhir: FHIRServer) -> None:
    answer = created(Patient({"name": [{"family": "Smartpy"}]}), fhir)
    patient = Patient.read(answer["id"], fhir)
    assert patient.name[0].family == "Smartpy"
    patient.active = True
    assert patient.update(fhir)["meta"]["versionId"] == "2"
    patient.delete(fhir)
    with pytest.raises(Exception, match="410") as refused:
        Patient.read(answer["id"], fhir)
    assert not isinstance(refused.value, FHIRNotFoundException)


def test_search_pages(fhir: FHIRServer) -> None:
    patient = created(Patient({"name": [{"family": "Smartpages"}]}), fhir)
    for day in range(1, 6):
        observation = Observation(
            {
                "status": "final",
                "code": {"text": "pulse"},
                "subject": {"reference": f"Patient/{patient['id']}"},
                "effectiveDateTime": f"2026-05-0{day}",
            }
        )
        created(observation, fhir)
    search = Observation.where({"patient": str(patient["id"]), "_count": "2"})
    assert len(list(search.perform_resources_iter(fhir))) == 5
    later = Observation.where({"patient": str(patient["id"]), "date": "gt2026-05-03"})
    assert len(list(later.perform_resources_iter(fhir))) == 2


def test_history_is_a_bundle(fhir: FHIRServer) -> None:
    answer = created(Patient({"name": [{"family": "Smarthistory"}]}), fhir)
    bundle = Bundle(fhir.request_json(f"Patient/{answer['id']}/_history"))
    assert (bundle.type, len(bundle.entry)) == ("history", 1)
