"""One access to a chart as an event, and the ward (a district's team and patients) that events are drawn from."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from random import Random

from carekeep.simulation.chart import chart
from carekeep.simulation.hospital import Hospital
from carekeep.simulation.population import district_of
from carekeep.simulation.profile import Profile
from carekeep.simulation.staff import Clinician, Shift, Team, on_duty, team
from carekeep.simulation.streams import Resource

_TYPES = ("Patient", "Observation", "Condition", "MedicationRequest", "Encounter", "DocumentReference")
_TYPE_WEIGHTS = (22, 28, 14, 14, 12, 10)
_CHARTS_IN_A_SHIFT = {"physician": (6, 14), "nurse": (8, 18)}
_ARRIVALS = 0.15
_ADDRESSES = 250


class Misuse(StrEnum):
    """What is wrong with an access."""

    NEIGHBOUR = "neighbour"
    PROMINENT = "prominent patient"
    CO_WORKER = "co-worker"
    BULK_DOWNLOAD = "bulk download"
    NIGHT_ACCESS = "night access"
    SHARED_CREDENTIALS = "shared credentials"
    FORMER_EMPLOYEE = "former employee"


@dataclass(frozen=True, slots=True)
class AccessEvent:
    """One access. ``practitioner`` and ``patient`` are references; ``action`` is read, search or export."""

    at: datetime
    practitioner: str
    role: str
    department: str
    patient: str
    action: str
    resource_type: str
    purpose: str
    address: str
    device: str
    misuse: Misuse | None = None


@dataclass(frozen=True, slots=True)
class Ward:
    """A district's team and patients; ``panels``: by reference to a clinician, the patients in that person's care."""

    staff: Team
    profiles: Sequence[Profile]
    panels: Mapping[str, Sequence[Profile]]

    def panel(self, clinician: Clinician) -> Sequence[Profile]:
        """The patients in a clinician's care; none for those who have not seen anybody yet."""
        return self.panels.get(clinician.reference, ())

    def strangers(self, clinician: Clinician) -> list[Profile]:
        """The patients who are not in a clinician's care."""
        known = {item.member.patient_id for item in self.panel(clinician)}
        return [item for item in self.profiles if item.member.patient_id not in known]


def ward(hospital: Hospital, district: int) -> Ward:
    """The ward of a district, with the panels that the charts themselves show. ValueError if nobody lives there."""
    profiles = [found for found in hospital.profiles() if district_of(found.member.household) == district]
    if not profiles:
        raise ValueError(f"No patient of the hospital lives in district {district}.")
    panels: dict[str, list[Profile]] = {}
    for found in profiles:
        for practitioner in carers(chart(hospital.seed, found, hospital.now).resources):
            panels.setdefault(practitioner, []).append(found)
    staff = team(hospital.seed, district, hospital.now.date())
    for department, nurses in staff.nurses.items():
        # Nurses of a ward or clinic care for the patients of its physicians.
        shared = [item for doctor in staff.physicians[department] for item in panels.get(doctor.reference, [])]
        for nurse in nurses:
            panels.setdefault(nurse.reference, shared)
    return Ward(staff, profiles, panels)


def carers(resources: Sequence[Resource]) -> list[str]:
    """References to the practitioners whom a chart's care teams, encounters and appointments name."""
    people = (
        participant.get("member") or participant.get("individual") or participant["actor"]
        for resource in resources
        for participant in resource.get("participant", ())
    )
    references = (person["reference"] for person in people)
    return list(dict.fromkeys(found for found in references if found.startswith("Practitioner/")))


def work(random: Random, place: Ward, clinician: Clinician, day: date) -> Iterator[AccessEvent]:
    """One clinician's reading in the shift that begins on ``day``."""
    shift, panel = on_duty(clinician, day), place.panel(clinician)
    if shift is None or not panel:
        return
    device = f"ws-{clinician.department}-{random.randrange(4)}"
    for _ in range(random.randint(*_CHARTS_IN_A_SHIFT[clinician.role])):
        # An emergency department also meets people whom it has never seen.
        arrival = clinician.department == "emergency" and random.random() < _ARRIVALS
        patient = random.choice(place.profiles if arrival else panel)
        for event in visit(random, clinician, patient, within(random, day, shift), device):
            yield replace(event, purpose="ETREAT") if arrival else event


def visit(
    random: Random, clinician: Clinician, patient: Profile, begin: datetime, device: str, misuse: Misuse | None = None
) -> Iterator[AccessEvent]:
    """A look into one chart: the patient, then a few more resources within minutes."""
    event = AccessEvent(
        at=begin,
        practitioner=clinician.reference,
        role=clinician.role,
        department=clinician.department,
        patient=f"Patient/{patient.member.patient_id}",
        action="read",
        resource_type="Patient",
        purpose="TREAT",
        address=f"10.20.{clinician.district % _ADDRESSES}.{sum(map(ord, device)) % _ADDRESSES}",
        device=device,
        misuse=misuse,
    )
    yield event
    for _ in range(random.randint(1, 5)):
        begin += timedelta(seconds=random.randint(4, 150))
        kind = random.choices(_TYPES, _TYPE_WEIGHTS)[0]
        yield replace(event, at=begin, action=random.choice(("read", "search")), resource_type=kind)


def moment(day: date, hour: float) -> datetime:
    """So many hours after the midnight in which ``day`` begins."""
    return datetime.combine(day, time(), UTC) + timedelta(hours=hour)


def within(random: Random, day: date, shift: Shift) -> datetime:
    """A moment in a shift, early enough to finish a visit."""
    return moment(day, shift.start) + timedelta(seconds=random.randrange(shift.hours * 3600 - 900))
