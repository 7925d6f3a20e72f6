"""Who lives around the hospital: households with shared surnames and addresses, and the people in them.

Household ``h`` is drawn from its own stream, so it is the same in a hospital of any size. The first household is not
drawn but cast: a mother, her daughter, her husband, a son and a grandmother, whom the demo and the docs speak about.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from random import Random

from carekeep.simulation.names import CULTURE_WEIGHTS, CULTURES, STREETS, TOWNS, Culture, plain
from carekeep.simulation.streams import new_id, stream

HOUSEHOLDS_IN_A_DISTRICT = 90
"""Households that share a team of clinicians; about 235 patients."""
PLACES_IN_A_HOUSEHOLD = 8
DAYS_IN_A_YEAR = 365.25
HOUSEHOLDS_IN_A_STREET = 6
_ADULT = 18


@dataclass(frozen=True, slots=True)
class Address:
    """An invented postal address."""

    line: str
    city: str
    postal_code: str


@dataclass(frozen=True, slots=True)
class Member:
    """One person of a household; every member is a patient of the hospital.

    ``role`` is the place in the household: head, partner, child or grandparent (a parent of the head).
    ``place`` is unique among the people of a district; appointments use it to avoid each other.
    """

    household: int
    ordinal: int
    patient_id: str
    mrn: str
    role: str
    sex: str
    given: tuple[str, ...]
    family: str
    birth: date
    death: datetime | None
    language: str
    language_name: str
    marital: str
    phone: str
    prominent: bool

    @property
    def place(self) -> int:
        """Position among the people of the district."""
        return self.household % HOUSEHOLDS_IN_A_DISTRICT * PLACES_IN_A_HOUSEHOLD + self.ordinal

    @property
    def name(self) -> str:
        """The name as it is written in a sentence."""
        return f"{self.given[0]} {self.family}"

    @property
    def email(self) -> str:
        """An address at example.org, which receives nothing."""
        return f"{plain(self.given[0])}.{plain(self.family)}{self.household}@example.org"

    def age(self, day: date) -> float:
        """Age in years on a day; negative before birth."""
        return (day - self.birth).days / DAYS_IN_A_YEAR

    def is_adult(self, day: date) -> bool:
        """Whether the person is of age on that day."""
        return self.age(day) >= _ADULT


@dataclass(frozen=True, slots=True)
class Household:
    """People at one address, in the order in which they are patients."""

    number: int
    address: Address
    members: tuple[Member, ...]

    def having(self, role: str) -> tuple[Member, ...]:
        """The members of one role."""
        return tuple(member for member in self.members if member.role == role)


@dataclass(frozen=True, slots=True)
class _Sketch:
    role: str
    sex: str
    age: float
    marital: str = "S"


def district_of(household: int) -> int:
    """The district whose team cares for a household."""
    return household // HOUSEHOLDS_IN_A_DISTRICT


def households(seed: int, patients: int, today: date) -> Iterator[Household]:
    """Whole households until they hold at least ``patients`` people."""
    number = total = 0
    while total < patients:
        found = household(seed, number, today)
        yield found
        number += 1
        total += len(found.members)


@lru_cache(maxsize=512)
def household(seed: int, number: int, today: date) -> Household:
    """Household ``number`` as it is on the day ``today``."""
    random = stream(seed, "household", number)
    culture = random.choices(CULTURES, CULTURE_WEIGHTS)[0]
    family = random.choice(culture.families)
    sketches = _CAST if number == 0 else _sketch(random)
    members = tuple(
        _member(stream(seed, "person", number, ordinal), number, ordinal, sketch, culture, family, today)
        for ordinal, sketch in enumerate(sketches)
    )
    return Household(number, _address(random, seed, number), members)


_CAST = (
    _Sketch("head", "female", 41.6, "M"),
    _Sketch("child", "female", 8.4),
    _Sketch("partner", "male", 43.2, "M"),
    _Sketch("child", "male", 2.3),
    _Sketch("grandparent", "female", 71.5, "W"),
)


def _sketch(random: Random) -> tuple[_Sketch, ...]:
    """Who lives together, in proportions like those of a European or North American town."""
    draw = random.random()
    if draw < 0.24:
        return (_Sketch("head", random.choice(("female", "male")), random.triangular(20, 86, 38)),)
    if draw < 0.34:
        sex = "female" if random.random() < 0.66 else "male"
        return (_Sketch("head", sex, random.triangular(68, 97, 78), "W"),)
    if draw < 0.58:
        return _couple(random, random.triangular(25, 90, 58))
    mother_age = random.triangular(23, 56, 37)
    children = _children(random, mother_age)
    if draw < 0.68:
        return (_Sketch("head", "female", mother_age, random.choice("SD")), *children)
    family = (*_couple(random, mother_age), *children)
    if draw > 0.94:
        parent = _Sketch(
            "grandparent", "female" if random.random() < 0.6 else "male", mother_age + random.uniform(21, 36), "W"
        )
        return (*family, parent)
    return family


def _couple(random: Random, age: float) -> tuple[_Sketch, _Sketch]:
    marital = "M" if random.random() < 0.8 else "T"
    partner = max(20.0, age + random.gauss(2, 3))
    return _Sketch("head", "female", age, marital), _Sketch("partner", "male", partner, marital)


def _children(random: Random, mother_age: float) -> tuple[_Sketch, ...]:
    youngest = random.uniform(max(0.05, mother_age - 40), min(19.0, mother_age - 19))
    ages = [youngest]
    for _ in range(random.choices((0, 1, 2, 3), (38, 42, 15, 5))[0]):
        ages.append(ages[-1] + random.uniform(1.4, 4.5))
    sexes = ("female", "male")
    return tuple(_Sketch("child", random.choice(sexes), age) for age in ages if age < min(22.0, mother_age - 17))


def _member(
    random: Random, household: int, ordinal: int, sketch: _Sketch, culture: Culture, family: str, today: date
) -> Member:
    patient_id = new_id(random)
    women = sketch.sex == "female"
    given = random.sample(culture.women if women else culture.men, 2)
    if sketch.role == "grandparent" and random.random() < 0.5:
        family = random.choice(culture.families)
    return Member(
        household=household,
        ordinal=ordinal,
        patient_id=patient_id,
        mrn=f"{household * PLACES_IN_A_HOUSEHOLD + ordinal + 100_000:08d}",
        role=sketch.role,
        sex=sketch.sex,
        given=tuple(given[: 1 + (random.random() < 0.4)]),
        family=family,
        birth=today - timedelta(days=int(sketch.age * DAYS_IN_A_YEAR) + 1),
        death=None if household == 0 else _death(random, sketch.age, today),
        language=culture.language if random.random() < 0.6 else "en",
        language_name=culture.language_name,
        marital=sketch.marital,
        phone=f"555-{random.randrange(10_000):04d}",
        prominent=household > 0 and sketch.age > 30 and random.random() < 0.006,
    )


def _death(random: Random, age: float, today: date) -> datetime | None:
    """When the person died, for the few who died in the last three years."""
    risk = 0.16 if age > 82 else 0.07 if age > 72 else 0.02 if age > 55 else 0.001
    if random.random() >= risk or age < 4:
        return None
    day = today - timedelta(days=random.randint(12, 1000))
    return datetime(day.year, day.month, day.day, random.randrange(24), random.randrange(60), tzinfo=UTC)


def _address(random: Random, seed: int, number: int) -> Address:
    """Neighbouring household numbers live in one street."""
    street = stream(seed, "street", number // HOUSEHOLDS_IN_A_STREET)
    city, postal_code = street.choice(TOWNS)
    house = number % HOUSEHOLDS_IN_A_STREET * 2 + street.randrange(1, 180) + random.randrange(2)
    return Address(f"{house} {street.choice(STREETS)}", city, postal_code)
