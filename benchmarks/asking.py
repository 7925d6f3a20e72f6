"""The requests of the measurements, made of what is in the hospital."""

import random
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from benchmarks.setting import SEED, Hospital
from benchmarks.wire import request

_MIXED = 40_000  # requests in one script
_SHARES = {"create": 10, "read": 60, "update": 25, "delete": 5}


def patient_of(resource: dict[str, Any]) -> str:
    """The id of an observation's patient."""
    return str(resource["subject"]["reference"]).removeprefix("Patient/")


def reads(hospital: Hospital, token: str) -> list[bytes]:
    """Observations by id; a clinician asks for those of patients in care only."""
    return [
        request("GET", f"Observation/{observation['id']}", token)
        for observation in hospital.sample.observations
        if token == hospital.app or patient_of(observation) in hospital.in_care
    ]


def creates(hospital: Hospital) -> list[bytes]:
    """Observations like those that are there, without their ids."""
    return [request("POST", "Observation", hospital.app, _new(each)) for each in hospital.sample.observations[:1000]]


def by_patient_code_and_date(hospital: Hospital) -> list[bytes]:
    """``Observation?patient=&code=&date=ge…``: from the middle of the observation's year on."""
    found = []
    for observation in hospital.sample.observations:
        when = observation.get("effectiveDateTime", "")[:4]
        if when:
            code = observation["code"]["coding"][0]["code"]
            path = f"Observation?patient={patient_of(observation)}&code={quote(code)}&date=ge{when}-07-01"
            found.append(request("GET", path, hospital.app))
    return found


def of_patient(hospital: Hospital) -> list[bytes]:
    """``Observation?patient=``: the newest of a patient's."""
    patients = dict.fromkeys(map(patient_of, hospital.sample.observations))
    return [request("GET", f"Observation?patient={patient}", hospital.app) for patient in patients]


def by_code(hospital: Hospital) -> list[bytes]:
    """``Observation?code=`` of all patients: the first page of each code."""
    codes = dict.fromkeys(each["code"]["coding"][0]["code"] for each in hospital.sample.observations)
    return [request("GET", f"Observation?code={quote(code)}", hospital.app) for code in codes]


def by_family(hospital: Hospital, token: str) -> list[bytes]:
    """``Patient?family=``."""
    families = dict.fromkeys(patient["name"][0]["family"] for patient in hospital.sample.patients)
    return [request("GET", f"Patient?family={quote(family)}", token) for family in families]


def by_identifier(hospital: Hospital) -> list[bytes]:
    """``Patient?identifier=``."""
    identifiers = [patient["identifier"][0] for patient in hospital.sample.patients]
    return [
        request("GET", f"Patient?identifier={quote(each['system'])}%7C{quote(each['value'])}", hospital.app)
        for each in identifiers
    ]


def doomed(hospital: Hospital, prefix: str) -> list[dict[str, Any]]:
    """Observations that a mixed script will delete, each once; to be put in before."""
    sample = hospital.sample.observations
    count = _MIXED * _SHARES["delete"] // 100
    return [{**sample[number % len(sample)], "id": f"{prefix}-{number}"} for number in range(count)]


def mixed(hospital: Hospital, prefix: str) -> list[bytes]:
    """Create, read, update and delete 10/60/25/5, shuffled; deletes meet the records of ``doomed``."""
    chance = random.Random(SEED)  # noqa: S311 - must repeat
    sample, token = hospital.sample.observations, hospital.app

    def endless(kind: str) -> Iterator[bytes]:
        number = 0
        while True:
            each = sample[chance.randrange(len(sample))]
            if kind == "create":
                yield request("POST", "Observation", token, _new(each))
            elif kind == "read":
                yield request("GET", f"Observation/{each['id']}", token)
            elif kind == "update":
                yield request("PUT", f"Observation/{each['id']}", token, each)
            else:
                yield request("DELETE", f"Observation/{prefix}-{number}", token)
            number += 1

    kinds = [kind for kind, share in _SHARES.items() for _ in range(_MIXED * share // 100)]
    chance.shuffle(kinds)
    sources = {kind: endless(kind) for kind in _SHARES}
    return [next(sources[kind]) for kind in kinds]


def transactions(hospital: Hospital, charts: Sequence[Sequence[dict[str, Any]]]) -> list[bytes]:
    """Each chart as one transaction Bundle of PUTs."""
    return [
        request(
            "POST",
            "",
            hospital.app,
            {
                "resourceType": "Bundle",
                "type": "transaction",
                "entry": [
                    {
                        "resource": resource,
                        "request": {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"},
                    }
                    for resource in chart
                ],
            },
        )
        for chart in charts
    ]


def _new(resource: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in resource.items() if name != "id"}
