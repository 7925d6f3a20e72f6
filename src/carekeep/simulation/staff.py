"""Who works in the hospital: departments, and for each district a team of clinicians with their shifts.

Three clinicians of each team also live in the district and are patients of the hospital, as in life. One nurse of each
team has left: her account and her habits are what the monitoring looks for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from types import MappingProxyType

from carekeep.simulation.names import CULTURE_WEIGHTS, CULTURES, plain
from carekeep.simulation.population import DAYS_IN_A_YEAR, HOUSEHOLDS_IN_A_DISTRICT, Member, household
from carekeep.simulation.streams import new_id, stream


@dataclass(frozen=True, slots=True)
class Department:
    """A department and how many clinicians of each team work there. ``rotates``: it never closes, so shifts rotate."""

    key: str
    name: str
    specialty: str
    specialty_name: str
    physicians: int
    nurses: int
    rotates: bool = False


DEPARTMENTS: Mapping[str, Department] = MappingProxyType(
    {
        department.key: department
        for department in (
            Department("family", "Family Medicine", "394814009", "General practice", 4, 3),
            Department("paediatrics", "Paediatrics", "394537008", "Pediatric specialty", 2, 1),
            Department("emergency", "Emergency", "773568002", "Emergency medicine", 2, 3, rotates=True),
            Department("medicine", "Internal Medicine Ward", "419192003", "Internal medicine", 2, 3, rotates=True),
            Department("surgery", "Surgery and Orthopaedics", "394609007", "General surgery", 2, 2, rotates=True),
            Department("cardiology", "Cardiology", "394579002", "Cardiology", 2, 1),
            Department("endocrinology", "Endocrinology", "394583002", "Endocrinology", 1, 1),
            Department("pulmonology", "Pulmonology", "418112009", "Pulmonary medicine", 1, 1),
            Department("psychiatry", "Psychiatry", "394587001", "Psychiatry", 2, 1),
            Department("oncology", "Oncology", "394592004", "Clinical oncology", 1, 1),
            Department("obstetrics", "Obstetrics", "394585009", "Obstetrics and gynecology", 2, 1),
            Department("infectious", "Infectious Diseases", "394807007", "Infectious diseases", 1, 1),
        )
    }
)


@dataclass(frozen=True, slots=True)
class Shift:
    """Working hours that begin at ``start`` o'clock (UTC) and last ``hours``."""

    name: str
    start: int
    hours: int


OFFICE = Shift("office", 8, 9)
DAY, EVENING, NIGHT = Shift("day", 7, 8), Shift("evening", 15, 8), Shift("night", 23, 8)
_ROTA = (DAY, DAY, EVENING, EVENING, NIGHT, NIGHT, None, None)
_SATURDAY = 5
_DEPARTMENTS_OF_RESIDENTS = ("family", "medicine", "emergency")
_FORMER = 99


@dataclass(frozen=True, slots=True)
class Clinician:
    """A practitioner of one department. ``resident`` is the same human being as a patient, if she is one."""

    practitioner_id: str
    role_id: str
    role: str
    department: str
    district: int
    given: str
    family: str
    sex: str
    birth: date
    license: str
    phone: str
    rota: int
    resident: Member | None
    left: date | None

    @property
    def reference(self) -> str:
        """The FHIR reference to the practitioner."""
        return f"Practitioner/{self.practitioner_id}"

    @property
    def name(self) -> str:
        """The name as it is written in a sentence."""
        return f"Dr {self.given} {self.family}" if self.role == "physician" else f"{self.given} {self.family}"

    @property
    def login(self) -> str:
        """A sign-in name: given and family name, and the district outside the first."""
        return f"{plain(self.given)}.{plain(self.family)}" + (str(self.district) if self.district else "")


@dataclass(frozen=True, slots=True)
class Team:
    """The clinicians who care for one district."""

    district: int
    clinicians: tuple[Clinician, ...]
    former: Clinician
    physicians: Mapping[str, tuple[Clinician, ...]]
    nurses: Mapping[str, tuple[Clinician, ...]]


def on_duty(clinician: Clinician, day: date) -> Shift | None:
    """The shift that a clinician begins on a day, or None on a day off."""
    if DEPARTMENTS[clinician.department].rotates:
        return _ROTA[(day.toordinal() + clinician.rota) % len(_ROTA)]
    return OFFICE if day.weekday() < _SATURDAY else None


def next_duty(clinician: Clinician, day: date) -> tuple[date, Shift]:
    """The first shift that begins on ``day`` or later."""
    while (shift := on_duty(clinician, day)) is None:
        day += timedelta(days=1)
    return day, shift


@lru_cache(maxsize=8)
def team(seed: int, district: int, today: date) -> Team:
    """The team of a district."""
    residents = _working_residents(seed, district, today)
    at_home = dict(zip(_DEPARTMENTS_OF_RESIDENTS, residents.values(), strict=False))
    taken = set(residents)

    def group(role: str) -> dict[str, tuple[Clinician, ...]]:
        return {
            department.key: tuple(
                _clinician(
                    seed, district, department, role, position, today, taken,
                    at_home.get(department.key) if role == "nurse" and position == 0 else None,
                )
                for position in range(department.physicians if role == "physician" else department.nurses)
            )
            for department in DEPARTMENTS.values()
        }  # fmt: skip

    physicians, nurses = group("physician"), group("nurse")
    everyone = tuple(clinician for key in DEPARTMENTS for clinician in (*physicians[key], *nurses[key]))
    former = _clinician(seed, district, DEPARTMENTS["medicine"], "nurse", _FORMER, today, taken, None)
    return Team(district, everyone, former, MappingProxyType(physicians), MappingProxyType(nurses))


def _working_residents(seed: int, district: int, today: date) -> dict[str, Member]:
    """Three women of working age who live in the district, by login.

    They live in its first households, so that small hospitals have them too.
    """
    first = district * HOUSEHOLDS_IN_A_DISTRICT + 2
    heads = (household(seed, number, today).members[0] for number in range(first, first + 30))
    working = {
        f"{plain(head.given[0])}.{plain(head.family)}": head
        for head in heads
        if head.sex == "female" and 24 < head.age(today) < 62 and not head.death
    }
    return dict(list(working.items())[: len(_DEPARTMENTS_OF_RESIDENTS)])


def _clinician(
    seed: int,
    district: int,
    department: Department,
    role: str,
    position: int,
    today: date,
    taken: set[str],
    resident: Member | None,
) -> Clinician:
    random = stream(seed, "clinician", district, department.key, role, position)
    practitioner_id, role_id = new_id(random), new_id(random)
    given, family, sex = _name(random, role, taken)
    birth = today - timedelta(days=int(random.uniform(27, 63) * DAYS_IN_A_YEAR))
    if resident:
        given, family, sex, birth = resident.given[0], resident.family, resident.sex, resident.birth
    left = today - timedelta(days=40) if position == _FORMER else None
    license_number = f"{'MD' if role == 'physician' else 'RN'}-{random.randrange(10**6, 10**7)}"
    phone = f"555-{random.randrange(10_000):04d}"
    return Clinician(
        practitioner_id, role_id, role, department.key, district, given, family, sex, birth, license_number, phone,
        random.randrange(len(_ROTA)), resident, left,
    )  # fmt: skip


def _name(random: Random, role: str, taken: set[str]) -> tuple[str, str, str]:
    """A name that nobody in the team has yet, so that logins differ."""
    while True:
        culture = random.choices(CULTURES, CULTURE_WEIGHTS)[0]
        sex = "female" if random.random() < (0.5 if role == "physician" else 0.8) else "male"
        given = random.choice(culture.women if sex == "female" else culture.men)
        family = random.choice(culture.families)
        if (login := f"{plain(given)}.{plain(family)}") not in taken:
            taken.add(login)
            return given, family, sex
