"""What every patient goes through: check-ups, vital signs, laboratory panels, immunizations."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random

from carekeep.simulation import catalogue
from carekeep.simulation.body import Body
from carekeep.simulation.elements import Element
from carekeep.simulation.population import DAYS_IN_A_YEAR
from carekeep.simulation.profile import Profile
from carekeep.simulation.scribe import Scribe
from carekeep.simulation.staff import EVENING, Clinician, next_duty

YEARS_TOLD = 3.0
"""How far back a chart tells visits; older illnesses are told as conditions, and immunizations all."""
_WELL_CHILD_MONTHS = (1, 2, 4, 6, 9, 12, 15, 18, 24, 30)
_MONTH = DAYS_IN_A_YEAR / 12
_ADULT = 18
_LAST_WORK = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class Story:
    """One patient's chart while it is written. ``limit``: no event may begin after it (``now``, or death)."""

    profile: Profile
    scribe: Scribe
    body: Body
    random: Random
    now: datetime
    begin: date
    limit: datetime
    hospital: Element

    @property
    def alive(self) -> bool:
        """Whether the patient lives."""
        return self.profile.member.death is None

    def attend(self, clinician: Clinician, day: date, *, daytime: bool = True) -> datetime | None:
        """A quarter of an hour in the clinician's first shift on ``day`` or later; None if that is too late."""
        day, shift = next_duty(clinician, max(day, self.profile.member.birth))
        while daytime and shift.start >= EVENING.start:
            day, shift = next_duty(clinician, day + timedelta(days=1))
        quarters = 4 * shift.start + self.random.randrange(4 * shift.hours - 5)
        when = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=15 * quarters)
        return when if when <= self.limit else None


def limit_of(profile: Profile, now: datetime) -> datetime:
    """The moment after which nothing begins: a little before now, or a day before death."""
    death = profile.member.death
    return death - timedelta(days=1) if death else now - _LAST_WORK


def vital_signs(story: Story, when: datetime, encounter: str, *, full: bool) -> None:
    """What the nurse measures: all of it at a check-up, less at other visits."""
    scribe, body, day = story.scribe, story.body, when.date()
    adult = story.profile.member.age(day) >= _ADULT
    nurse = scribe.person(story.profile.nurse)
    if story.profile.member.age(day) >= 3:
        scribe.blood_pressure(*body.blood_pressure(day), when, encounter, nurse)
    scribe.observe("heart rate", body.heart_rate(day), when, encounter, nurse, adult=adult)
    weight = body.measure("weight", day)
    scribe.observe("weight", weight, when, encounter, nurse)
    if not full:
        return
    scribe.observe("respiration", body.respiration(day), when, encounter, nurse, adult=adult)
    scribe.observe("temperature", body.measure("temperature", day), when, encounter, nurse)
    scribe.observe("oxygen", body.measure("oxygen", day), when, encounter, nurse)
    height = body.measure("height", day)
    scribe.observe("height", height, when, encounter, nurse)
    if adult:
        scribe.observe("bmi", weight / (height / 100) ** 2, when, encounter, nurse)


def panel(story: Story, key: str, when: datetime, encounter: str, meta: Element | None = None) -> None:
    """A laboratory panel: its observations and the report over them."""
    chosen = catalogue.PANELS[key]
    scribe, day = story.scribe, when.date()
    adult = story.profile.member.age(day) >= _ADULT
    results = [
        scribe.observe(
            measure, story.body.measure(measure, day), when, encounter, story.hospital, adult=adult, meta=meta
        )
        for measure in chosen.measures
    ]
    scribe.report(chosen.code, chosen.section, when, encounter, story.hospital, results=results, meta=meta)


def check_ups(story: Story) -> None:
    """Well-child visits, and yearly check-ups of those who come to them."""
    member, random = story.profile.member, story.random
    end = story.limit.date()
    if member.age(story.begin) < 3:
        for months in _WELL_CHILD_MONTHS:
            day = member.birth + timedelta(days=int(months * _MONTH))
            if story.begin <= day <= end:
                _check_up(story, day, "well child")
    day = max(story.begin, member.birth + timedelta(days=1095)) + timedelta(days=random.randrange(300))
    faithful = 0.9 if member.household == 0 else 0.55 if 18 < member.age(end) < 45 else 0.85
    while day <= end:
        if random.random() < faithful:
            _check_up(story, day, "check-up" if member.age(day) >= _ADULT else "well child")
        day += timedelta(days=random.randint(340, 400))


def _check_up(story: Story, day: date, visit: str) -> None:
    profile, random, scribe = story.profile, story.random, story.scribe
    when = story.attend(profile.primary, day)
    if when is None:
        return
    age = profile.member.age(day)
    encounter = scribe.encounter("AMB", visit, profile.primary, when, when + timedelta(minutes=30))
    vital_signs(story, when, encounter, full=True)
    author = scribe.person(profile.primary)
    if age >= _ADULT:
        smoking = catalogue.ANSWERS[profile.smoking]
        scribe.answer(catalogue.QUESTIONS["smoking"], smoking, when, encounter, author, social=True)
        scribe.procedure("depression screening", when, profile.nurse, encounter, minutes=10)
        for key in ("lipids", "metabolic", "blood count"):
            if random.random() < (0.75 if age > 40 else 0.3):
                panel(story, key, when, encounter)
    if age >= 50 and profile.member.sex == "female" and random.random() < 0.4:
        scribe.procedure("mammography", when, profile.primary, encounter, minutes=20)
    mood = random.choice(("well", "well", "tired at times", "well, with a few worries"))
    text = (
        f"{profile.member.name}, {max(0, int(age))} years. Feels {mood}. "
        f"Examination without new findings. Advice on movement, food and sleep. Next check-up in a year."
    )
    scribe.note("progress", "Check-up", text, when + timedelta(minutes=25), profile.primary, encounter)


def immunizations(story: Story) -> None:
    """The whole childhood schedule; for adults influenza, tetanus, and from 50 and 65 years zoster and pneumococci."""
    member, random, scribe = story.profile.member, story.random, story.scribe
    end = story.limit.date()
    age = member.age(end)
    if age < 22:
        for vaccine in catalogue.CHILD_VACCINES:
            for months in vaccine.months:
                day = member.birth + timedelta(days=int(months * _MONTH) + random.randrange(12))
                if day <= end and random.random() < 0.96:
                    scribe.immunize(vaccine.code, day, _lot(random))
    else:
        for minimum, code in (
            (22, catalogue.ADULT_VACCINES["tetanus"]),
            (50, catalogue.ADULT_VACCINES["zoster"]),
            (65, catalogue.ADULT_VACCINES["pneumococcal"]),
        ):
            ago = random.randrange(20, int(min(age - minimum, 9) * DAYS_IN_A_YEAR) + 30) if age > minimum else 0
            if ago and random.random() < 0.7:
                scribe.immunize(code, end - timedelta(days=ago), _lot(random))
    for year in range(max(story.begin.year, member.birth.year + 1), end.year + 1):
        day = date(year, 10, random.randint(1, 31))
        if day <= end and random.random() < (0.75 if age > 64 else 0.4):
            scribe.immunize(catalogue.ADULT_VACCINES["influenza"], day, _lot(random))


def _lot(random: Random) -> str:
    return f"L{random.randrange(16**5):05X}"
