"""The people and scenes of the demo are what the records say."""

import pytest

from carekeep.simulation import Hospital
from carekeep.simulation.access_events import carers
from tests.simulation.worlds import NOW, charts, directory

SIZES = [1, 2, 5, 60]


@pytest.mark.parametrize("patients", SIZES)
def test_everybody_signs_in_with_a_login_of_their_own(patients: int) -> None:
    cast = Hospital(1, patients, NOW).cast()
    assert len({person.login for person in cast}) == len(cast)
    assert {person.kind for person in cast} == {"practitioner", "patient", "administrator", "auditor", "app"}


@pytest.mark.parametrize("patients", SIZES)
def test_who_has_a_record_is_in_the_records(patients: int) -> None:
    known = {f"{item['resourceType']}/{item['id']}" for item in directory(patients)}
    known |= {f"Patient/{chart.patient_id}" for chart in charts(patients)}
    for person in Hospital(1, patients, NOW).cast():
        assert (person.fhir_user in known) == (person.kind in {"practitioner", "patient"})


def test_clinicians_come_from_different_departments() -> None:
    users = {person.fhir_user for person in Hospital(1, 20, NOW).cast() if person.kind == "practitioner"}
    units = {
        item["organization"]["reference"]
        for item in directory(20)
        if item["resourceType"] == "PractitionerRole" and item["practitioner"]["reference"] in users
    }
    assert len(users) == 4
    assert len(units) == 3


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("patients", SIZES)
def test_scenes_are_true(patients: int, seed: int) -> None:
    by_id = {chart.patient_id: chart for chart in charts(patients, seed)}
    scenes = Hospital(seed, patients, NOW).scenes()
    assert len({scene.key for scene in scenes}) == len(scenes)
    for scene in scenes:
        chart = by_id[scene.patient_id]
        assert scene.reference in {f"{item['resourceType']}/{item['id']}" for item in chart.resources}
        assert scene.patient_name.split()[-1] == chart.resources[0]["name"][0]["family"].split()[-1]
        related = scene.who.fhir_user in {*carers(chart.resources), f"Patient/{chart.patient_id}"}
        assert related == (scene.expected == "permitted"), scene.key


@pytest.mark.parametrize("seed", range(8))
def test_the_stranger_can_never_come_to_care(seed: int) -> None:
    hospital = Hospital(seed, 1, NOW)
    mother = next(hospital.profiles())
    possible = {item.reference for item in (*mother.assigned.values(), *mother.care_team)}
    emergency = next(person for person in hospital.cast() if person.key == "emergency")
    assert emergency.fhir_user not in possible
    assert set(carers(charts(1, seed)[0].resources)) <= possible


def test_there_is_a_scene_for_each_outcome() -> None:
    assert {scene.expected for scene in Hospital(1, 1, NOW).scenes()} == {"permitted", "denied", "break-glass"}
    assert {"other-practice", "other-patient", "no-proxy"} <= {scene.key for scene in Hospital(1, 20, NOW).scenes()}


def test_mother_and_daughter_are_related_in_the_daughters_chart() -> None:
    mother, daughter = charts(2)
    scene = next(scene for scene in Hospital(1, 2, NOW).scenes() if scene.key == "no-proxy")
    relation = next(item for item in daughter.resources if f"RelatedPerson/{item['id']}" == scene.reference)
    assert relation["relationship"][0]["coding"][0]["code"] == "MTH"
    assert relation["identifier"][0]["value"] == mother.resources[0]["identifier"][0]["value"]


def test_the_psychotherapy_note_is_under_the_strictest_label() -> None:
    scene = next(scene for scene in Hospital(1, 1, NOW).scenes() if scene.key == "psychotherapy")
    note = next(item for item in charts(1)[0].resources if scene.reference.endswith(item["id"]))
    assert {label["code"] for label in note["meta"]["security"]} == {"V", "PSYTHPN"}
    assert note["author"][0]["reference"] == scene.who.fhir_user
