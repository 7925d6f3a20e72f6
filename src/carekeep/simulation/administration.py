"""What surrounds the medicine in a chart: who the patient is, the family, insurance, the care team, plans, consents."""

from datetime import UTC, datetime, time, timedelta

from carekeep.simulation import catalogue
from carekeep.simulation.courses import CELEBRITY, Problem
from carekeep.simulation.elements import (
    ACT_CODE,
    LOINC,
    MEMBER_SYSTEM,
    MRN_SYSTEM,
    Element,
    coding,
    concept,
    hl7,
    period,
    quantity,
)
from carekeep.simulation.facility import Facility
from carekeep.simulation.population import Address, Member
from carekeep.simulation.profile import Profile
from carekeep.simulation.staff import DEPARTMENTS, OFFICE, Clinician
from carekeep.simulation.streams import Resource, new_id, stream
from carekeep.simulation.visits import Story

_RELATIVES = 2
_APPOINTMENTS_IN_A_DAY = 16
_SATURDAY_NUMBER = 6
_MARITAL = {
    code: hl7("v3-MaritalStatus", code, display)
    for code, display in (
        ("S", "Never Married"),
        ("M", "Married"),
        ("T", "Domestic partner"),
        ("D", "Divorced"),
        ("W", "Widowed"),
    )
}
_RELATIONS = {
    code: [hl7("v3-RoleCode", code, display)]
    for code, display in (
        ("MTH", "mother"), ("FTH", "father"), ("SPS", "spouse"), ("CHILD", "child"), ("PRN", "parent"),
    )
}  # fmt: skip
_RECORD_NUMBER = hl7("v2-0203", "MR", "Medical record number")


def patient(profile: Profile, home: Facility) -> Resource:
    """The Patient resource."""
    member = profile.member
    resource: Resource = {"resourceType": "Patient", "id": member.patient_id}
    if member.prominent:
        resource["meta"] = CELEBRITY
    language = {"coding": [coding("urn:ietf:bcp:47", member.language)]}
    resource |= {
        "identifier": [{"use": "usual", "type": _RECORD_NUMBER, "system": MRN_SYSTEM, "value": member.mrn}],
        "active": member.death is None,
        "name": [{"use": "official", "family": member.family, "given": list(member.given)}],
        "telecom": [
            {"system": "phone", "value": member.phone, "use": "mobile"},
            {"system": "email", "value": member.email},
        ],
        "gender": member.sex,
        "birthDate": member.birth.isoformat(),
        "address": [_address(profile.household.address)],
        "communication": [{"language": language, "preferred": True}],
        "generalPractitioner": [{"reference": profile.primary.reference, "display": profile.primary.name}],
        "managingOrganization": {"reference": f"Organization/{home.hospital}"},
    }
    if member.death:
        resource["deceasedDateTime"] = member.death.isoformat()
    if member.role != "child":
        resource["maritalStatus"] = _MARITAL[member.marital]
    return resource


def _address(address: Address) -> Element:
    return {
        "use": "home",
        "type": "both",
        "line": [address.line],
        "city": address.city,
        "postalCode": address.postal_code,
    }


def related_id(seed: int, member: Member, relative: Member) -> str:
    """The id of the RelatedPerson by which ``relative`` stands in the chart of ``member``."""
    return new_id(stream(seed, "related", member.patient_id, relative.patient_id))


def relatives(profile: Profile) -> list[tuple[Member, str]]:
    """Who of the household stands in the chart, with the v3-RoleCode: parents of a child, else the nearest adults."""
    found = []
    for other in profile.household.members:
        if other.patient_id != profile.member.patient_id and not other.death:
            code = _relation(profile.member.role, other)
            if code:
                found.append((other, code))
    return found[:_RELATIVES]


def _relation(role: str, other: Member) -> str | None:
    if role == "child":
        parent = "MTH" if other.sex == "female" else "FTH"
        return parent if other.role in {"head", "partner"} else None
    if role == "grandparent":
        return "CHILD" if other.role == "head" else None
    if other.role in {"head", "partner"}:
        return "SPS"
    return "PRN" if role == "head" and other.role == "grandparent" else None


def family(story: Story, seed: int) -> None:
    """RelatedPerson resources; the record number in ``identifier`` tells which patient the relative is."""
    profile = story.profile
    for other, code in relatives(profile):
        story.scribe.resources.append(
            {
                "resourceType": "RelatedPerson",
                "id": related_id(seed, profile.member, other),
                "identifier": [{"type": _RECORD_NUMBER, "system": MRN_SYSTEM, "value": other.mrn}],
                "active": True,
                "patient": story.scribe.subject,
                "relationship": _RELATIONS[code],
                "name": [{"use": "official", "family": other.family, "given": list(other.given)}],
                "telecom": [{"system": "phone", "value": other.phone, "use": "mobile"}],
                "gender": other.sex,
                "birthDate": other.birth.isoformat(),
            }
        )


def coverage(story: Story, home: Facility) -> None:
    """The insurance."""
    member = story.profile.member
    start = max(member.birth, story.limit.date() - timedelta(days=2200))
    insurer = home.insurers[member.household % len(home.insurers)]
    self_insured = member.role != "child"
    story.scribe.add(
        "Coverage",
        {
            "identifier": [{"system": MEMBER_SYSTEM, "value": f"M{member.household:07d}{member.ordinal}"}],
            "status": "active" if story.alive else "cancelled",
            "type": hl7("v3-ActCode", "EHCPOL", "extended healthcare"),
            "subscriberId": f"M{member.household:07d}",
            "beneficiary": story.scribe.subject,
            "relationship": hl7("subscriber-relationship", "self" if self_insured else "child"),
            "period": period(start, member.death.date() if member.death else None),
            "payor": [{"reference": f"Organization/{insurer}"}],
        },
    )


def care_team(story: Story, home: Facility) -> str:
    """The CareTeam; its reference."""
    profile, scribe = story.profile, story.scribe
    participants: list[Element] = [{"member": scribe.subject}]
    for clinician in profile.care_team:
        role = ("doctor", "Doctor") if clinician.role == "physician" else ("nurse", "Nurse")
        unit = scribe.department(clinician.department)
        participants.append(
            {"role": [hl7("practitioner-role", *role)], "member": scribe.person(clinician), "onBehalfOf": unit}
        )
    start = max(profile.member.birth, story.begin)
    return scribe.add(
        "CareTeam",
        {
            "status": "active" if story.alive else "inactive",
            "name": f"Care team of {profile.member.name}",
            "subject": scribe.subject,
            "period": period(start, profile.member.death.date() if profile.member.death else None),
            "participant": participants,
            "managingOrganization": [{"reference": f"Organization/{home.hospital}"}],
        },
    )


def allergies(story: Story) -> None:
    """A few allergies, recorded by the primary physician."""
    random, scribe, member = story.random, story.scribe, story.profile.member
    for allergy in catalogue.ALLERGIES:
        if random.random() >= 0.055:
            continue
        lived = max(1, (story.limit.date() - member.birth).days)
        day = member.birth + timedelta(days=random.randrange(lived))
        severity = random.choice(("moderate", "severe") if allergy.criticality == "high" else ("mild", "moderate"))
        scribe.add(
            "AllergyIntolerance",
            {
                "clinicalStatus": hl7("allergyintolerance-clinical", "active", "Active"),
                "verificationStatus": hl7("allergyintolerance-verification", "confirmed", "Confirmed"),
                "type": "allergy",
                "category": [allergy.category],
                "criticality": allergy.criticality,
                "code": allergy.code,
                "patient": scribe.subject,
                "recordedDate": day.isoformat(),
                "recorder": scribe.person(story.profile.primary),
                "reaction": [{"manifestation": [allergy.manifestation], "severity": severity}],
            },
        )


def plan(story: Story, problem: Problem, condition: str, team: str) -> None:
    """A Goal and a CarePlan for an illness that has a target value."""
    if not problem.course.goal:
        return
    measure, target = problem.course.goal
    scribe, author = story.scribe, story.profile.physician(problem.course.department)
    code, unit = (
        (catalogue.QUESTIONS["systolic"], quantity(target, "mmHg", "mm[Hg]"))
        if measure == "systolic"
        else (catalogue.MEASURES[measure].code, quantity(target, "%", "%"))
    )
    due = (story.limit + timedelta(days=180)).date().isoformat()
    goal = scribe.add(
        "Goal",
        {
            "lifecycleStatus": "active" if story.alive else "cancelled",
            "description": {"text": f"{code['text']} at or below {target:g}"},
            "subject": scribe.subject,
            "startDate": problem.onset.isoformat(),
            "target": [{"measure": code, "detailQuantity": unit | {"comparator": "<="}, "dueDate": due}],
            "expressedBy": scribe.person(author),
            "addresses": [{"reference": condition}],
        },
    )
    scribe.add(
        "CarePlan",
        {
            "status": "active" if story.alive else "revoked",
            "intent": "plan",
            "title": f"Living with {problem.course.key}",
            "subject": scribe.subject,
            "period": period(problem.onset, story.profile.member.death.date() if story.profile.member.death else None),
            "created": problem.onset.isoformat(),
            "author": scribe.person(author),
            "careTeam": [{"reference": team}],
            "addresses": [{"reference": condition}],
            "goal": [{"reference": goal}],
            "activity": [
                {"detail": {"status": "in-progress", "description": text}}
                for text in (
                    "Half an hour of brisk walking on most days",
                    "Medicine every day, measured at home weekly",
                )
            ],
        },
    )


def statements(story: Story) -> None:
    """MedicationStatements: what the patient says about medicine that is prescribed now."""
    scribe = story.scribe
    active = [
        item for item in scribe.resources if item["resourceType"] == "MedicationRequest" and item["status"] == "active"
    ]
    for request in active:
        asserted = story.limit.isoformat()
        scribe.add(
            "MedicationStatement",
            {
                "basedOn": [{"reference": f"MedicationRequest/{request['id']}"}],
                "status": "active",
                "medicationCodeableConcept": request["medicationCodeableConcept"],
                "subject": scribe.subject,
                "effectivePeriod": {"start": request["authoredOn"]},
                "dateAsserted": asserted,
                "informationSource": scribe.subject,
                "dosage": request["dosageInstruction"],
            },
            request.get("meta"),
        )


def consent(story: Story, home: Facility) -> None:
    """One patient in twelve keeps therapy notes from all but the therapist, or the chart from a physician."""
    scribe, random, profile = story.scribe, story.random, story.profile
    if not profile.member.is_adult(story.limit.date()):
        return
    if random.random() >= 1 / 12 and profile.member.household > 0:
        return
    therapist, other = profile.assigned["psychiatry"], profile.assigned[random.choice(tuple(DEPARTMENTS))]
    if other in profile.care_team or random.random() < 0.5 or profile.member.household == 0:
        notes = [coding(ACT_CODE, "PSYTHPN")]
        own: Element = {"type": "permit", "actor": [_recipient(scribe.person(therapist))], "securityLabel": notes}
        provision: Element = {"type": "deny", "securityLabel": notes, "provision": [own]}
    else:
        provision = {"type": "deny", "actor": [_recipient(scribe.person(other))]}
    scribe.add(
        "Consent",
        {
            "status": "active",
            "scope": hl7("consentscope", "patient-privacy", "Privacy Consent"),
            "category": [concept(LOINC, "59284-0", "Consent Document")],
            "patient": scribe.subject,
            "dateTime": (story.limit - timedelta(days=random.randrange(30, 300))).isoformat(),
            "performer": [scribe.subject],
            "organization": [{"reference": f"Organization/{home.hospital}"}],
            "policyRule": hl7("v3-ActCode", "OPTIN", "opt-in"),
            "provision": provision,
        },
    )


def _recipient(person: Element) -> Element:
    return {"role": hl7("v3-ParticipationType", "IRCP", "information recipient"), "reference": person}


def appointments(story: Story) -> None:
    """Appointments: one kept, for a few one missed, the next ones at times that nobody else of the district has."""
    profile, random = story.profile, story.random
    visits = [
        item
        for item in story.scribe.resources
        if item["resourceType"] == "Encounter" and item["class"]["code"] == "AMB"
    ]
    if visits:
        latest = max(visits, key=lambda visit: str(visit["period"]["start"]))
        individual = latest["participant"][0]["individual"]
        start = datetime.fromisoformat(latest["period"]["start"])
        _appointment(story, individual, start, "fulfilled", "Visit", "accepted", latest.get("meta"))
        if random.random() < 0.12:
            missed = start - timedelta(days=random.randrange(30, 200))
            if missed.date() >= max(story.begin, profile.member.birth):
                _appointment(story, individual, missed, "noshow", "Visit", "accepted", latest.get("meta"))
    if not story.alive:
        return
    if random.random() < 0.6 or profile.member.household == 0:
        person = story.scribe.person(profile.primary)
        _appointment(story, person, _free_time(story, 0), "booked", "Check-up", "accepted")
    for number, problem in enumerate(profile.problems[:2], start=1):
        clinician = profile.physician(problem.course.department)
        if _keeps_office_hours(clinician):
            person = story.scribe.person(clinician)
            when = _free_time(story, number)
            _appointment(story, person, when, "booked", "Follow-up", "needs-action", problem.course.meta)


def _keeps_office_hours(clinician: Clinician) -> bool:
    return not DEPARTMENTS[clinician.department].rotates


def _free_time(story: Story, number: int) -> datetime:
    """A half hour in the coming weekdays that belongs to the patient's place in the district alone."""
    place = story.profile.member.place
    day = story.now.date() + timedelta(days=1 + 70 * number)
    for _ in range(place // _APPOINTMENTS_IN_A_DAY + 1):
        day += timedelta(days=1)
        while day.isoweekday() >= _SATURDAY_NUMBER:
            day += timedelta(days=1)
    minutes = OFFICE.start * 60 + 30 * (place % _APPOINTMENTS_IN_A_DAY)
    return datetime.combine(day, time(), UTC) + timedelta(minutes=minutes)


def _appointment(
    story: Story,
    practitioner: Element,
    start: datetime,
    status: str,
    why: str,
    answer: str,
    meta: Element | None = None,
) -> None:
    created = min(start, story.limit) - timedelta(days=20)
    born = datetime.combine(story.profile.member.birth, time(), UTC)
    story.scribe.add(
        "Appointment",
        {
            "status": status,
            "description": why,
            "start": start.isoformat(),
            "end": (start + timedelta(minutes=30)).isoformat(),
            "created": max(created, born).isoformat(),
            "participant": [
                {"actor": story.scribe.subject, "status": "accepted"},
                {"actor": practitioner, "status": answer},
            ],
        },
        meta,
    )
