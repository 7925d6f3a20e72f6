"""A patient's body over time: what a measurement shows on a day, given growth, age, illness and treatment."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import date
from math import exp
from random import Random

from carekeep.simulation.catalogue import MEASURES
from carekeep.simulation.courses import Effect
from carekeep.simulation.population import Member

# Age in years, height in cm, weight in kg: rounded medians of both sexes up to 12, then of women and men apart.
_AGES = (0.0, 0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 120.0)
_HEIGHTS = {
    "female": (50, 66, 75, 86, 102, 115, 127, 138, 151, 159, 162, 163, 163),
    "male": (50, 67, 76, 87, 103, 116, 128, 139, 149, 164, 174, 177, 177),
}
_WEIGHTS = {
    "female": (3.4, 7.4, 9.2, 12.0, 16.1, 20.2, 25.8, 32.5, 41.5, 49.0, 54.0, 58.0, 68.0),
    "male": (3.5, 7.9, 9.8, 12.4, 16.3, 20.7, 26.0, 32.5, 40.5, 51.0, 61.0, 67.0, 81.0),
}
_GROWN = 18.0
_SETTLED_AGE = 35.0


@dataclass(frozen=True, slots=True)
class _Influence:
    """An effect that began on day ``start`` and is treated from day ``treated`` on (proleptic ordinals)."""

    effect: Effect
    start: float
    treated: float


class Body:
    """Measurements of one patient: a personal constant, growth, and the influence of illnesses, plus noise."""

    __slots__ = ("_influences", "_member", "_personal", "_random", "_stature")

    def __init__(self, random: Random, member: Member) -> None:
        """``random``: the chart's stream."""
        self._random = random
        self._member = member
        self._personal: dict[str, float] = {}
        self._stature = random.gauss(0, 0.035)
        self._influences: dict[str, list[_Influence]] = {}

    def suffer(self, effects: tuple[Effect, ...], onset: date, treatment_delay: int) -> None:
        """Let an illness that began on ``onset`` act on the measures that it changes."""
        start = onset.toordinal()
        for effect in effects:
            found = self._influences.setdefault(effect.measure, [])
            found.append(_Influence(effect, start, start + treatment_delay))

    def measure(self, key: str, day: date) -> float:
        """A measurement on a day; ``height`` and ``weight`` grow with age. Not rounded."""
        if key in {"height", "weight"}:
            return self._size(key, day)
        measure = MEASURES[key]
        personal = self._personal.get(key)
        if personal is None:
            personal = self._personal[key] = self._random.gauss(measure.typical, measure.person)
        value = personal + self._shift(key, day) + self._random.gauss(0, measure.noise)
        return max(measure.floor, value)

    def blood_pressure(self, day: date) -> tuple[float, float]:
        """Systolic and diastolic pressure in mmHg."""
        age = self._member.age(day)
        gauss = self._random.gauss
        systolic = 92 + 1.5 * age if age < _GROWN else 114 + 0.22 * (age - _GROWN)
        diastolic = 56 + 0.8 * age if age < _GROWN else 72 + 0.08 * (age - _GROWN)
        return (
            systolic + self._shift("systolic", day) + gauss(0, 5),
            diastolic + self._shift("diastolic", day) + gauss(0, 3.5),
        )

    def heart_rate(self, day: date) -> float:
        """Beats a minute: fast in infants."""
        return self.measure("heart rate", day) + max(0.0, 60 - 5 * self._member.age(day))

    def respiration(self, day: date) -> float:
        """Breaths a minute: fast in infants."""
        return self.measure("respiration", day) + max(0.0, 22 - 2.4 * self._member.age(day))

    def _shift(self, key: str, day: date) -> float:
        influences = self._influences.get(key)
        if not influences:
            return 0.0
        now, total = day.toordinal(), 0.0
        for influence in influences:
            effect = influence.effect
            if now < influence.start:
                continue
            passed = now - influence.treated
            total += effect.untreated
            if passed > 0:
                total += (effect.treated - effect.untreated) * (1 - exp(-passed / effect.days))
        return total

    def _size(self, key: str, day: date) -> float:
        age = max(0.0, self._member.age(day))
        table = (_HEIGHTS if key == "height" else _WEIGHTS)[self._member.sex]
        if age >= _SETTLED_AGE:
            size = float(table[-1])
        else:
            upper = min(bisect_right(_AGES, age), len(_AGES) - 1)
            low, high = _AGES[upper - 1], min(_AGES[upper], _SETTLED_AGE)
            size = table[upper - 1] + (table[upper] - table[upper - 1]) * (age - low) / (high - low)
        if key == "height":
            return size * (1 + self._stature) + self._random.gauss(0, 0.2)
        return size * (1 + 2.2 * self._stature) + self._shift("weight", day) + self._random.gauss(0, 0.01 * size)
