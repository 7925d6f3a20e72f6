"""What is decided about a patient before the chart is written: illnesses, and who cares for the patient.

A profile is cheap (no resources), so panels, the cast and the access events are made from profiles alone. A chart uses
no clinician who is not in its profile.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random
from types import MappingProxyType

from carekeep.simulation.courses import COURSES, Course, Problem, recent, share
from carekeep.simulation.population import DAYS_IN_A_YEAR, Household, Member, district_of
from carekeep.simulation.staff import DEPARTMENTS, Clinician, team
from carekeep.simulation.streams import stream

_CHILD_AGE = 16
_RECENT_DAYS = 1100
_CAST: Mapping[int, Mapping[str, int]] = MappingProxyType(
    {
        0: MappingProxyType({"diabetes": 900, "hypertension": 2100, "depression": 700}),
        1: MappingProxyType({"asthma": 800}),
        4: MappingProxyType({"osteoarthritis": 3000, "hypertension": 5000}),
    }
)
"""Members of the first household: their illnesses, and how many days ago they began."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A patient's illnesses and clinicians. ``assigned``: the physician in each department, if needed."""

    member: Member
    household: Household
    problems: tuple[Problem, ...]
    primary: Clinician
    nurse: Clinician
    assigned: Mapping[str, Clinician]
    pregnant_since: date | None
    admitted: bool
    smoking: str

    @property
    def care_team(self) -> tuple[Clinician, ...]:
        """Who is on the patient's care team: the primary physician, the nurse, and a specialist for each illness."""
        specialists = (self.physician(problem.course.department) for problem in self.problems)
        return tuple(dict.fromkeys((self.primary, self.nurse, *specialists)))

    def physician(self, department: str) -> Clinician:
        """The patient's physician in a department; in family medicine, the primary physician."""
        return self.primary if department == "family" else self.assigned[department]


def profile(seed: int, household: Household, member: Member, now: datetime) -> Profile:
    """The profile of one member of a household."""
    random = stream(seed, "profile", member.household, member.ordinal)
    today = now.date()
    staff = team(seed, district_of(member.household), today)
    # Neighbours see different physicians, and members of a family mostly the same one.
    assigned = {key: staff.physicians[key][member.household % len(staff.physicians[key])] for key in DEPARTMENTS}
    adult = member.age(today) >= _CHILD_AGE
    department = "family" if adult else "paediatrics"
    nurses = staff.nurses[department]
    cast = _CAST.get(member.ordinal, MappingProxyType({})) if member.household == 0 else None
    problems = _problems(random, member, today) if cast is None else _cast_problems(cast, today)
    pregnant = cast is None and member.sex == "female" and 20 < member.age(today) < 41 and random.random() < 0.06
    ill = any(problem.course.department in {"medicine", "cardiology"} for problem in problems)
    return Profile(
        member=member,
        household=household,
        problems=problems,
        primary=assigned[department],
        nurse=nurses[member.household % len(nurses)],
        assigned=MappingProxyType(assigned),
        pregnant_since=today - timedelta(days=random.randrange(50, 250)) if pregnant and not member.death else None,
        admitted=not member.death and random.random() < (0.06 if ill else 0.006) and member.household > 0,
        smoking=random.choices(("never smoked", "smoked", "smokes"), (65, 20, 15))[0] if adult else "never smoked",
    )


def _problems(random: Random, member: Member, today: date) -> tuple[Problem, ...]:
    end = member.death.date() if member.death else today
    age = member.age(end)
    found = (course for course in COURSES.values() if random.random() < share(course, age, member.sex))
    problems = (Problem(course, _onset(random, course, age, end)) for course in found)
    return tuple(problem for problem in problems if problem.onset < end)


def _onset(random: Random, course: Course, age: float, end: date) -> date:
    """When the illness began: at most 20 years ago, at an age at which it occurs."""
    years = min(20.0, age - course.prevalence[0][0] + 1)
    days = min(years * DAYS_IN_A_YEAR, _RECENT_DAYS if recent(course.key) else 7400)
    return end - timedelta(days=max(20, int(random.triangular(20, max(21, days), min(1200, days)))))


def _cast_problems(cast: Mapping[str, int], today: date) -> tuple[Problem, ...]:
    return tuple(Problem(COURSES[key], today - timedelta(days=days)) for key, days in cast.items())
