"""One patient's chart, from profile to resources."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from carekeep.simulation import administration as admin
from carekeep.simulation import journeys, visits
from carekeep.simulation.body import Body
from carekeep.simulation.correspondence import correspondence
from carekeep.simulation.courses import CANCER_TREATMENT
from carekeep.simulation.facility import facility
from carekeep.simulation.profile import Profile
from carekeep.simulation.scribe import Scribe
from carekeep.simulation.streams import Resource, stream


@dataclass(frozen=True, slots=True)
class Chart:
    """All resources of one patient, the Patient first; a reference leads to the chart itself or to the directory."""

    patient_id: str
    resources: list[Resource]


def chart(seed: int, profile: Profile, now: datetime) -> Chart:
    """Write the chart of a patient as it is at ``now``."""
    member, home = profile.member, facility(seed)
    random = stream(seed, "chart", member.household, member.ordinal)
    scribe = Scribe(seed, member.patient_id, home)
    limit = visits.limit_of(profile, now)
    told = (limit - timedelta(days=int(visits.YEARS_TOLD * 365))).date()
    story = visits.Story(
        profile=profile,
        scribe=scribe,
        body=Body(random, member),
        random=random,
        now=now,
        begin=max(told, member.birth),
        limit=limit,
        hospital={"reference": f"Organization/{home.hospital}", "display": "Carekeep General Hospital"},
    )
    scribe.resources.append(admin.patient(profile, home))
    admin.family(story, seed)
    admin.coverage(story, home)
    team = admin.care_team(story, home)
    admin.allergies(story)
    journeys.affect(story)
    reason = None
    for problem in profile.problems:
        condition = journeys.course(story, problem)
        reason = reason or (None if problem.course.meta else condition)
        admin.plan(story, problem, condition, team)
        if problem.course.key in CANCER_TREATMENT:
            journeys.cancer(story, problem, condition)
    visits.immunizations(story)
    visits.check_ups(story)
    journeys.episodes(story)
    journeys.pregnancies(story)
    journeys.stay(story, reason)
    admin.statements(story)
    admin.consent(story, home)
    admin.appointments(story)
    correspondence(story)
    return Chart(member.patient_id, scribe.resources)
