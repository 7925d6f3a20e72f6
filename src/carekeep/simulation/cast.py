"""The people and scenes that the demo and the docs speak about, by name and with real ids."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from carekeep.simulation.administration import related_id
from carekeep.simulation.names import CULTURES, plain
from carekeep.simulation.population import Member, household
from carekeep.simulation.profile import profile
from carekeep.simulation.staff import Clinician, team
from carekeep.simulation.streams import stream

Kind = Literal["practitioner", "patient", "administrator", "auditor", "app"]
Expected = Literal["permitted", "denied", "break-glass"]


@dataclass(frozen=True, slots=True)
class Person:
    """An account of the demo. ``fhir_user``: "Practitioner/…" or "Patient/…", None for those without a record."""

    key: str
    kind: Kind
    name: str
    login: str
    title: str
    fhir_user: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """Somebody wants to read ``reference`` ("Type/id", of the patient ``patient_id``), and what should come of it."""

    key: str
    who: Person
    patient_id: str
    patient_name: str
    reference: str
    expected: Expected
    story: str


def people(seed: int, patients: int, now: datetime) -> Mapping[str, Person]:
    """The cast, by key: physician, psychiatrist, emergency, nurse, patient, daughter, administrator, auditor, app."""
    today = now.date()
    family = household(seed, 0, today).members
    mother = profile(seed, household(seed, 0, today), family[0], now)
    # Household 0 is never seen by the second emergency physician.
    stranger = team(seed, 0, today).physicians["emergency"][1]
    cast = [
        _clinician("physician", mother.primary, "family physician"),
        _clinician("psychiatrist", mother.assigned["psychiatry"], "psychiatrist"),
        _clinician("emergency", stranger, "emergency physician"),
        _clinician("nurse", mother.nurse, "nurse, family medicine"),
        _patient("patient", family[0], "patient with diabetes, hypertension and depression"),
    ]
    if patients > 1:
        cast.append(_patient("daughter", family[1], "patient, daughter of the patient above"))
    cast += (
        _employee(seed, "administrator", "administrator", "system administrator"),
        _employee(seed, "auditor", "auditor", "privacy officer"),
        Person("app", "app", "Pocket Chart", "pocket-chart", "app of a patient's choice"),
    )
    return {person.key: person for person in cast}


def scenes(seed: int, patients: int, now: datetime, note: str) -> tuple[Scene, ...]:
    """The scenes. ``note``: reference of a psychotherapy note in the chart of the cast's patient."""
    cast = people(seed, patients, now)
    family, neighbours = (household(seed, number, now.date()).members for number in (0, 1))
    mother, daughter = family[0], family[1]
    found = [
        _scene(
            "in-care", cast["physician"], mother, "permitted", "A physician reads the chart of a patient in their care."
        ),
        _scene("nurse", cast["nurse"], mother, "permitted", "A nurse of the care team reads the chart."),
        _scene("own-chart", cast["patient"], mother, "permitted", "A patient reads their own chart."),
        _scene("not-in-care", cast["emergency"], mother, "denied", "A physician asks for a chart outside their care."),
        _scene("break-glass", cast["emergency"], mother, "break-glass", "The same physician meets an emergency."),
        _scene(
            "psychotherapy", cast["psychiatrist"], mother, "permitted", "The psychiatrist reads their own note.", note
        ),
        _scene("administrator", cast["administrator"], mother, "denied", "An administrator asks for a chart."),
        _scene("auditor", cast["auditor"], mother, "denied", "The privacy officer asks for a chart."),
    ]
    if "daughter" in cast:
        relation = f"RelatedPerson/{related_id(seed, daughter, mother)}"
        found.append(
            _scene(
                "no-proxy",
                cast["patient"],
                daughter,
                "denied",
                "A mother, not made a proxy, asks for her daughter's.",
                relation,
            )
        )
    if patients > len(family):
        stranger = neighbours[0]
        found += (
            _scene(
                "other-practice", cast["physician"], stranger, "denied", "A physician asks for a neighbour's chart."
            ),
            _scene("other-patient", cast["patient"], stranger, "denied", "A patient asks for a neighbour's chart."),
        )
    return tuple(found)


def _scene(
    key: str, who: Person, member: Member, expected: Expected, story: str, reference: str | None = None
) -> Scene:
    return Scene(key, who, member.patient_id, member.name, reference or f"Patient/{member.patient_id}", expected, story)


def _clinician(key: str, clinician: Clinician, title: str) -> Person:
    return Person(key, "practitioner", clinician.name, clinician.login, title, clinician.reference)


def _patient(key: str, member: Member, title: str) -> Person:
    # "home." keeps patients' logins apart from those of clinicians who happen to share a name.
    login = f"home.{plain(member.given[0])}.{plain(member.family)}"
    return Person(key, "patient", member.name, login, title, f"Patient/{member.patient_id}")


def _employee(seed: int, key: str, kind: Kind, title: str) -> Person:
    random = stream(seed, "employee", key)
    culture = random.choice(CULTURES)
    given, family = random.choice(culture.women), random.choice(culture.families)
    return Person(key, kind, f"{given} {family}", f"{key}.{plain(given)}", title)
