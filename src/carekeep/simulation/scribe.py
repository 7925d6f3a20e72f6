"""Writes one patient's resources. Each method appends one resource (or one panel of them) and returns its reference.

Dictionaries are written out in place, and their constant parts are shared: this is the hot loop of the simulation.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from carekeep.simulation import catalogue
from carekeep.simulation.elements import HL7, VISIT_SYSTEM, Element, coding, hl7, period, quantity
from carekeep.simulation.facility import Facility
from carekeep.simulation.staff import DEPARTMENTS, Clinician
from carekeep.simulation.streams import Resource, new_id, stream

_VITAL_SIGNS = [hl7("observation-category", "vital-signs", "Vital Signs")]
_LABORATORY = [hl7("observation-category", "laboratory", "Laboratory")]
_SURVEY = [hl7("observation-category", "survey", "Survey")]
_SOCIAL = [hl7("observation-category", "social-history", "Social History")]
_CATEGORIES = {
    "phq-9": _SURVEY,
    **dict.fromkeys(
        ("heart rate", "respiration", "temperature", "oxygen", "weight", "height", "bmi", "fetal heart rate"),
        _VITAL_SIGNS,
    ),
}
_HIGH = [hl7("v3-ObservationInterpretation", "H", "High")]
_LOW = [hl7("v3-ObservationInterpretation", "L", "Low")]
_NORMAL = [hl7("v3-ObservationInterpretation", "N", "Normal")]
_CLASSES = {
    "AMB": coding(HL7 + "v3-ActCode", "AMB", "ambulatory"),
    "EMER": coding(HL7 + "v3-ActCode", "EMER", "emergency"),
    "IMP": coding(HL7 + "v3-ActCode", "IMP", "inpatient encounter"),
}
_ATTENDER = [hl7("v3-ParticipationType", "ATND", "attender")]
_HOME = hl7("discharge-disposition", "home", "Home")
_ACTIVE = hl7("condition-clinical", "active", "Active")
_RESOLVED = hl7("condition-clinical", "resolved", "Resolved")
_CONFIRMED = hl7("condition-ver-status", "confirmed", "Confirmed")
_PROBLEM_LIST = [hl7("condition-category", "problem-list-item", "Problem List Item")]
_ENCOUNTER_DIAGNOSIS = [hl7("condition-category", "encounter-diagnosis", "Encounter Diagnosis")]
_SECTIONS = {
    code: [hl7("v2-0074", code)] for code in {panel.section for panel in catalogue.PANELS.values()} | {"RAD", "PAT"}
}
_RANGES: dict[str, list[Element]] = {}
for _key, _measure in catalogue.MEASURES.items():
    _range: Element = {}
    if _measure.low is not None:
        _range["low"] = quantity(_measure.low, _measure.unit, _measure.ucum)
    if _measure.high is not None:
        _range["high"] = quantity(_measure.high, _measure.unit, _measure.ucum)
    if _range:
        _RANGES[_key] = [_range]


class Scribe:
    """The writer of one chart, with the stream that its ids come from."""

    __slots__ = ("_departments", "_home", "_people", "_random", "_visits", "resources", "subject")

    def __init__(self, seed: int, patient_id: str, home: Facility) -> None:
        """``patient_id``: the Patient that everything written is about."""
        self._random = stream(seed, "ids", patient_id)
        self._home = home
        self._departments = {
            key: {"reference": f"Organization/{unit}", "display": DEPARTMENTS[key].name}
            for key, unit in home.departments.items()
        }
        self._people: dict[str, Element] = {}
        self._visits = 0
        self.subject: Element = {"reference": f"Patient/{patient_id}"}
        self.resources: list[Resource] = []

    def add(self, kind: str, body: Element, meta: Element | None = None) -> str:
        """Append a resource of any type; its reference."""
        resource_id = new_id(self._random)
        resource: Resource = {"resourceType": kind, "id": resource_id}
        if meta:
            resource["meta"] = meta
        resource.update(body)
        self.resources.append(resource)
        return f"{kind}/{resource_id}"

    def person(self, clinician: Clinician) -> Element:
        """A Reference to a practitioner, with the name."""
        found = self._people.get(clinician.practitioner_id)
        if found is None:
            found = {"reference": clinician.reference, "display": clinician.name}
            self._people[clinician.practitioner_id] = found
        return found

    def department(self, key: str) -> Element:
        """A Reference to a department's Organization."""
        return self._departments[key]

    def encounter(
        self,
        setting: str,
        visit: str,
        clinician: Clinician,
        start: datetime,
        end: datetime | None,
        *,
        condition: str | None = None,
        meta: Element | None = None,
    ) -> str:
        """An Encounter; still in progress if ``end`` is None."""
        self._visits += 1
        body: Element = {
            "identifier": [{"system": VISIT_SYSTEM, "value": f"{self.subject['reference'][8:16]}-{self._visits}"}],
            "status": "finished" if end else "in-progress",
            "class": _CLASSES[setting],
            "type": [catalogue.VISITS[visit]],
            "subject": self.subject,
            "participant": [{"type": _ATTENDER, "individual": self.person(clinician)}],
            "period": period(start, end),
            "serviceProvider": self._departments[clinician.department],
            "location": [{"location": {"reference": f"Location/{self._home.locations[clinician.department]}"}}],
        }
        if condition:
            body["diagnosis"] = [{"condition": {"reference": condition}}]
        if setting == "IMP" and end:
            body["hospitalization"] = {"dischargeDisposition": _HOME}
        return self.add("Encounter", body, meta)

    def condition(
        self,
        key: str,
        onset: date | datetime,
        recorder: Clinician,
        *,
        abated: date | datetime | None = None,
        chronic: bool = True,
        meta: Element | None = None,
    ) -> str:
        """A Condition: on the problem list if ``chronic``, else the diagnosis of an episode."""
        body: Element = {
            "clinicalStatus": _RESOLVED if abated else _ACTIVE,
            "verificationStatus": _CONFIRMED,
            "category": _PROBLEM_LIST if chronic else _ENCOUNTER_DIAGNOSIS,
            "code": catalogue.CONDITIONS[key],
            "subject": self.subject,
            "onsetDateTime": onset.isoformat(),
            "recordedDate": onset.isoformat(),
            "recorder": self.person(recorder),
        }
        if abated:
            body["abatementDateTime"] = abated.isoformat()
        return self.add("Condition", body, meta)

    def observe(
        self,
        key: str,
        value: float,
        when: datetime,
        encounter: str,
        performer: Element,
        *,
        adult: bool = True,
        meta: Element | None = None,
    ) -> str:
        """One Observation of a measure; range and interpretation for adults only, whose they are."""
        measure = catalogue.MEASURES[key]
        value = round(value, measure.decimals) if measure.decimals else round(value)
        body: Element = {
            "status": "final",
            "category": _CATEGORIES.get(key, _LABORATORY),
            "code": measure.code,
            "subject": self.subject,
            "encounter": {"reference": encounter},
            "effectiveDateTime": when.isoformat(),
            "issued": when.isoformat(),
            "performer": [performer],
            "valueQuantity": {
                "value": value, "unit": measure.unit, "system": "http://unitsofmeasure.org", "code": measure.ucum,
            },
        }  # fmt: skip
        if adult and (limits := _RANGES.get(key)):
            low, high = measure.low, measure.high
            above, below = high is not None and value > high, low is not None and value < low
            body["interpretation"] = _HIGH if above else _LOW if below else _NORMAL
            body["referenceRange"] = limits
        return self.add("Observation", body, meta)

    def blood_pressure(
        self, systolic: float, diastolic: float, when: datetime, encounter: str, performer: Element
    ) -> str:
        """Blood pressure as one Observation with two components."""
        components = ((catalogue.QUESTIONS["systolic"], systolic), (catalogue.QUESTIONS["diastolic"], diastolic))
        return self.add(
            "Observation",
            {
                "status": "final",
                "category": _VITAL_SIGNS,
                "code": catalogue.QUESTIONS["blood pressure"],
                "subject": self.subject,
                "encounter": {"reference": encounter},
                "effectiveDateTime": when.isoformat(),
                "performer": [performer],
                "component": [
                    {"code": code, "valueQuantity": quantity(round(value), "mmHg", "mm[Hg]")}
                    for code, value in components
                ],
            },
        )

    def answer(
        self, code: Element, value: Element, when: datetime, encounter: str, performer: Element, *,
        social: bool = False, meta: Element | None = None,
    ) -> str:  # fmt: skip
        """An Observation whose value is a code; of the social history, or from the laboratory."""
        body = {
            "status": "final",
            "category": _SOCIAL if social else _LABORATORY,
            "code": code,
            "subject": self.subject,
            "encounter": {"reference": encounter},
            "effectiveDateTime": when.isoformat(),
            "performer": [performer],
            "valueCodeableConcept": value,
        }
        return self.add("Observation", body, meta)

    def report(
        self,
        code: Element,
        section: str,
        when: datetime,
        encounter: str,
        performer: Element,
        *,
        results: Sequence[str] = (),
        conclusion: str | None = None,
        meta: Element | None = None,
    ) -> str:
        """A DiagnosticReport over results that are already written; ``section`` is a v2-0074 code."""
        body: Element = {
            "status": "final",
            "category": _SECTIONS[section],
            "code": code,
            "subject": self.subject,
            "encounter": {"reference": encounter},
            "effectiveDateTime": when.isoformat(),
            "issued": (when + timedelta(minutes=40)).isoformat(),
            "performer": [performer],
        }
        if results:
            body["result"] = [{"reference": result} for result in results]
        if conclusion:
            body["conclusion"] = conclusion
        return self.add("DiagnosticReport", body, meta)

    def prescribe(
        self,
        key: str,
        when: datetime,
        prescriber: Clinician,
        condition: str,
        *,
        status: str,
        days: int = 90,
        encounter: str | None = None,
        meta: Element | None = None,
    ) -> str:
        """A MedicationRequest."""
        medication = catalogue.MEDICATIONS[key]
        body: Element = {
            "status": status,
            "intent": "order",
            "medicationCodeableConcept": medication.code,
            "subject": self.subject,
            "authoredOn": when.isoformat(),
            "requester": self.person(prescriber),
            "reasonReference": [{"reference": condition}],
            "dosageInstruction": _DOSAGES[key],
            "dispenseRequest": {"expectedSupplyDuration": quantity(days, "days", "d")},
        }
        if encounter:
            body["encounter"] = {"reference": encounter}
        return self.add("MedicationRequest", body, meta)

    def procedure(
        self,
        key: str,
        when: datetime,
        performer: Clinician,
        encounter: str,
        *,
        minutes: int = 30,
        condition: str | None = None,
        meta: Element | None = None,
    ) -> str:
        """A completed Procedure."""
        body: Element = {
            "status": "completed",
            "code": catalogue.PROCEDURES[key],
            "subject": self.subject,
            "encounter": {"reference": encounter},
            "performedPeriod": period(when, when + timedelta(minutes=minutes)),
            "performer": [{"actor": self.person(performer)}],
        }
        if condition:
            body["reasonReference"] = [{"reference": condition}]
        return self.add("Procedure", body, meta)

    def note(
        self, kind: str, title: str, text: str, when: datetime, author: Clinician, encounter: str,
        meta: Element | None = None,
    ) -> str:  # fmt: skip
        """A DocumentReference with the text itself as its attachment."""
        raw = text.encode()
        attachment = {"contentType": "text/plain; charset=utf-8", "data": b64encode(raw).decode(), "size": len(raw)}
        body = {
            "status": "current",
            "docStatus": "final",
            "type": catalogue.DOCUMENTS[kind],
            "subject": self.subject,
            "date": when.isoformat(),
            "author": [self.person(author)],
            "description": title,
            "content": [{"attachment": attachment | {"title": title, "creation": when.isoformat()}}],
            "context": {"encounter": [{"reference": encounter}]},
        }
        return self.add("DocumentReference", body, meta)

    def immunize(self, vaccine: Element, day: date, lot: str) -> str:
        """A completed Immunization."""
        body = {
            "status": "completed",
            "vaccineCode": vaccine,
            "patient": self.subject,
            "occurrenceDateTime": day.isoformat(),
            "primarySource": True,
            "lotNumber": lot,
        }
        return self.add("Immunization", body)


def _dosage(medication: catalogue.Medication) -> list[Element]:
    unit = medication.unit + ("s" if medication.dose != 1 else "")
    times = "once" if medication.times == 1 else f"{medication.times} times"
    days = "a day" if medication.days == 1 else f"every {medication.days} days"
    repeat = {"frequency": medication.times, "period": medication.days, "periodUnit": "d"}
    dose = {"value": medication.dose, "unit": medication.unit}
    return [
        {
            "text": f"{medication.dose:g} {unit} {times} {days}",
            "timing": {"repeat": repeat},
            "doseAndRate": [{"doseQuantity": dose}],
        }
    ]


_DOSAGES: Mapping[str, list[Element]] = {key: _dosage(item) for key, item in catalogue.MEDICATIONS.items()}
