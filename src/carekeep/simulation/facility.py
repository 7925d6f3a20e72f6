"""The hospital as FHIR: organisations, places, services, insurers, devices, staff, rotas and free appointment slots."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from carekeep.simulation.elements import (
    LICENSE_SYSTEM,
    MDC,
    SERIAL_SYSTEM,
    SNOMED,
    coding,
    concept,
    hl7,
    period,
)
from carekeep.simulation.names import plain
from carekeep.simulation.staff import DEPARTMENTS, Clinician, Department, Shift, Team, on_duty
from carekeep.simulation.streams import Resource, new_id, stream

_INSURERS = ("Harbour Mutual Health", "Northmere Public Health Fund", "Lantern Family Insurance")
_DAYS_OF_SLOTS = range(-1, 15)
_SLOTS_IN_A_DAY = 4
_SLOT = timedelta(minutes=30)
_WEEK = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_OFFICE_DAYS = 5


@dataclass(frozen=True, slots=True)
class Facility:
    """The ids of what belongs to the hospital as a whole. ``departments`` are Organizations, all by department key."""

    hospital: str
    departments: dict[str, str]
    locations: dict[str, str]
    services: dict[str, str]
    insurers: tuple[str, ...]


@lru_cache(maxsize=8)
def facility(seed: int) -> Facility:
    """The ids of a hospital."""

    def ids(kind: str) -> dict[str, str]:
        return {key: new_id(stream(seed, kind, key)) for key in DEPARTMENTS}

    insurers = tuple(new_id(stream(seed, "insurer", number)) for number in range(len(_INSURERS)))
    return Facility(new_id(stream(seed, "hospital")), ids("department"), ids("location"), ids("service"), insurers)


def premises(seed: int) -> Iterator[Resource]:
    """The hospital, its departments with their wards and services, the insurers, and the devices."""
    home = facility(seed)
    hospital = {"reference": f"Organization/{home.hospital}"}
    yield _organization(
        home.hospital, "Carekeep General Hospital", hl7("organization-type", "prov", "Healthcare Provider")
    )
    for insurer, name in zip(home.insurers, _INSURERS, strict=True):
        yield _organization(insurer, name, hl7("organization-type", "pay", "Payer"))
    for department in DEPARTMENTS.values():
        key = department.key
        unit = {"reference": f"Organization/{home.departments[key]}"}
        place = {"reference": f"Location/{home.locations[key]}"}
        kind = hl7("organization-type", "dept", "Hospital Department")
        yield _organization(home.departments[key], department.name, kind) | {"partOf": hospital}
        yield {
            "resourceType": "Location",
            "id": home.locations[key],
            "status": "active",
            "name": department.name,
            "mode": "instance",
            "physicalType": hl7("location-physical-type", "wa" if department.rotates else "wi"),
            "managingOrganization": unit,
        }
        yield {
            "resourceType": "HealthcareService",
            "id": home.services[key],
            "active": True,
            "providedBy": unit,
            "specialty": [_specialty(department)],
            "location": [place],
            "name": department.name,
        }
        if department.rotates:
            yield from _devices(seed, key, unit, place)


def team_resources(seed: int, team: Team, now: datetime) -> Iterator[Resource]:
    """The clinicians of one district, what they do where and when, and the physicians' free slots."""
    home = facility(seed)
    for clinician in (*team.clinicians, team.former):
        yield _practitioner(clinician)
        yield _practitioner_role(clinician, home)
        if clinician.role == "physician":
            yield from _rota(seed, clinician, home, now)


def _organization(organization_id: str, name: str, kind: Resource) -> Resource:
    return {
        "resourceType": "Organization",
        "id": organization_id,
        "active": True,
        "type": [kind],
        "name": name,
        "telecom": [{"system": "email", "value": f"{plain(name)}@example.org"}],
    }


def _specialty(department: Department) -> Resource:
    return concept(SNOMED, department.specialty, department.specialty_name)


def _practitioner(clinician: Clinician) -> Resource:
    physician = clinician.role == "physician"
    degree = ("MD", "Doctor of Medicine") if physician else ("RN", "Registered Nurse")
    name = {"use": "official", "family": clinician.family, "given": [clinician.given]}
    return {
        "resourceType": "Practitioner",
        "id": clinician.practitioner_id,
        "identifier": [{"use": "official", "system": LICENSE_SYSTEM, "value": clinician.license}],
        "active": clinician.left is None,
        "name": [name | {"prefix": ["Dr"]} if physician else name],
        "telecom": [
            {"system": "phone", "value": clinician.phone, "use": "work"},
            {"system": "email", "value": f"{clinician.login}@example.org", "use": "work"},
        ],
        "gender": clinician.sex,
        "birthDate": clinician.birth.isoformat(),
        "qualification": [{"code": hl7("v2-0360", *degree)}],
    }


def _practitioner_role(clinician: Clinician, home: Facility) -> Resource:
    department = DEPARTMENTS[clinician.department]
    code = ("doctor", "Doctor") if clinician.role == "physician" else ("nurse", "Nurse")
    role: Resource = {
        "resourceType": "PractitionerRole",
        "id": clinician.role_id,
        "active": clinician.left is None,
        "practitioner": {"reference": clinician.reference, "display": clinician.name},
        "organization": {"reference": f"Organization/{home.departments[department.key]}"},
        "code": [hl7("practitioner-role", *code)],
        "specialty": [_specialty(department)],
        "location": [{"reference": f"Location/{home.locations[department.key]}"}],
        "healthcareService": [{"reference": f"HealthcareService/{home.services[department.key]}"}],
    }
    if clinician.left:
        role["period"] = {"end": clinician.left.isoformat()}
    elif department.rotates:
        role["availableTime"] = [{"daysOfWeek": _WEEK, "allDay": True}]
    else:
        hours = {"availableStartTime": "08:00:00", "availableEndTime": "17:00:00"}
        role["availableTime"] = [{"daysOfWeek": _WEEK[:_OFFICE_DAYS]} | hours]
    return role


def _rota(seed: int, clinician: Clinician, home: Facility, now: datetime) -> Iterator[Resource]:
    """A schedule for the days around ``now``, with slots in the shifts only."""
    random = stream(seed, "rota", clinician.practitioner_id)
    schedule = new_id(random)
    first, last = (now + timedelta(days=day) for day in (_DAYS_OF_SLOTS[0], _DAYS_OF_SLOTS[-1]))
    yield {
        "resourceType": "Schedule",
        "id": schedule,
        "active": True,
        "specialty": [_specialty(DEPARTMENTS[clinician.department])],
        "actor": [
            {"reference": clinician.reference, "display": clinician.name},
            {"reference": f"Location/{home.locations[clinician.department]}"},
        ],
        "planningHorizon": period(first.date(), last.date()),
    }
    for offset in _DAYS_OF_SLOTS:
        day = (now + timedelta(days=offset)).date()
        shift = on_duty(clinician, day)
        for number in range(_SLOTS_IN_A_DAY if shift else 0):
            slot_id, busy = new_id(random), random.random() < 0.6
            start = _start(day.toordinal(), shift, number)
            yield {
                "resourceType": "Slot",
                "id": slot_id,
                "specialty": [_specialty(DEPARTMENTS[clinician.department])],
                "schedule": {"reference": f"Schedule/{schedule}"},
                "status": "busy" if busy else "free",
                "start": start.isoformat(),
                "end": (start + _SLOT).isoformat(),
            }


def _start(day: int, shift: Shift | None, number: int) -> datetime:
    """When slot ``number`` of a shift begins: one each two hours."""
    hours = (shift.start if shift else 0) + 2 * number
    return datetime.combine(datetime.fromordinal(day), datetime.min.time(), UTC) + timedelta(hours=hours)


_MONITOR = concept(MDC, "69965", "MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS")
_PUMP = concept(MDC, "69985", "MDC_DEV_PUMP_INFUS_MDS")
_METRICS = {
    "monitor": ((concept(MDC, "147842", "MDC_ECG_HEART_RATE"), "/min", "measurement"),
                (concept(MDC, "150456", "MDC_PULS_OXIM_SAT_O2"), "%", "measurement")),
    "pump": ((concept(MDC, "157784", "MDC_FLOW_FLUID_PUMP"), "mL/h", "setting"),),
}  # fmt: skip


def _devices(seed: int, key: str, unit: Resource, place: Resource) -> Iterator[Resource]:
    fleet = (("monitor", _MONITOR, "Vigil 4"), ("pump", _PUMP, "Steady 2"), ("pump", _PUMP, "Steady 2"))
    for number, (kind, code, model) in enumerate(fleet):
        random = stream(seed, "device", key, number)
        yield from _device(new_id(random), f"{model[0]}{random.randrange(10**7):07d}", kind, code, model, unit, place)


def _device(
    device_id: str, serial: str, kind: str, code: Resource, model: str, unit: Resource, place: Resource
) -> Iterator[Resource]:
    yield {
        "resourceType": "Device",
        "id": device_id,
        "identifier": [{"system": SERIAL_SYSTEM, "value": serial}],
        "status": "active",
        "manufacturer": "Example Instruments",
        "serialNumber": serial,
        "deviceName": [{"name": f"{model} {kind}", "type": "model-name"}],
        "modelNumber": model,
        "type": code,
        "version": [{"value": "3.2.1"}],
        "owner": unit,
        "location": place,
    }
    for number, (metric, ucum, category) in enumerate(_METRICS[kind]):
        yield {
            "resourceType": "DeviceMetric",
            "id": f"{device_id}-{number}",
            "type": metric,
            "unit": {"coding": [coding("http://unitsofmeasure.org", ucum)]},
            "source": {"reference": f"Device/{device_id}"},
            "operationalStatus": "on",
            "category": category,
        }
