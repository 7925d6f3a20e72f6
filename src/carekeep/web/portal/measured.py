"""Results of one patient: observations as tests, each with its values over time, in plain words. Pure functions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from carekeep.fhir import interval_of
from carekeep.web.plain import (
    Amount,
    Band,
    Moment,
    Name,
    Speech,
    Standing,
    amount,
    band_of,
    moment,
    name_of,
    spoken_band,
    spoken_standing,
    spoken_status,
    spoken_value,
    standing_of,
)
from carekeep.web.plain.statuses import is_mistaken

Json = Mapping[str, Any]
Kind = Literal["laboratory", "vital-signs", "other"]

KINDS: Final[tuple[Kind, ...]] = ("laboratory", "vital-signs", "other")
_LEFT_OUT: Final = frozenset({"social-history", "exam"})  # they are no results, and stand in the record


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a reading; ``name`` is empty when it is the only one."""

    name: str
    words: str
    value: Amount
    band: Band | None
    standing: Standing
    says: str
    usual: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One Observation."""

    id: str
    when: Moment
    parts: tuple[Part, ...]
    status: str
    notes: tuple[str, ...]

    @property
    def words(self) -> str:
        """The values, together."""
        parts = [part for part in self.parts if part.words]
        units = {part.value.unit for part in parts}
        if len(parts) > 1 and len(units) == 1 and all(part.value.number is not None for part in parts):
            return " / ".join(part.words.removesuffix(part.value.unit).strip() for part in parts) + f" {units.pop()}"
        return "; ".join(f"{part.name}: {part.words}" if part.name else part.words for part in parts)

    @property
    def is_unusual(self) -> bool:
        """Whether one of the values is not as usual."""
        return any(part.standing.is_unusual for part in self.parts)


@dataclass(frozen=True, slots=True)
class Change:
    """How a value lies to the one before: 1 higher, -1 lower, 0 the same."""

    direction: int
    says: str


@dataclass(frozen=True, slots=True)
class Test:
    """All that is known of one test; readings newest first, at least one."""

    name: Name
    kind: Kind
    readings: tuple[Reading, ...]
    changes: tuple[Change | None, ...]
    count: int

    __test__ = False  # this is no test of pytest's

    @property
    def latest(self) -> Reading:
        """The newest reading."""
        return self.readings[0]


@dataclass(frozen=True, slots=True)
class Group:
    """The Observations of one test, newest first."""

    kind: Kind
    resources: tuple[Json, ...]


def grouped(observations: Iterable[Json]) -> list[Group]:
    """Observations by what they measure; those that were entered by mistake and those that are no results left out."""
    found: dict[tuple[str, ...], list[Json]] = {}
    for resource in observations:
        if not is_mistaken(resource) and kind_of(resource) is not None:
            found.setdefault(_key(resource), []).append(resource)
    groups = []
    for resources in found.values():
        resources.sort(key=happened_ms, reverse=True)
        groups.append(Group(kind_of(resources[0]) or "other", tuple(resources)))
    return groups


def same_test(resource: Json, other: Json) -> bool:
    """Whether two Observations measure the same."""
    return _key(resource) == _key(other)


def kind_of(resource: Json) -> Kind | None:
    """Where a result belongs; None for an Observation that is none."""
    codes = {coding.get("code") for each in resource.get("category", ()) for coding in each.get("coding", ())}
    if codes & _LEFT_OUT:
        return None
    return next((kind for kind in KINDS if kind in codes), "other")


def happened_ms(resource: Json) -> int:
    """When an Observation was made, to order them; 0 when it does not say."""
    period = resource.get("effectivePeriod") or {}
    written = resource.get("effectiveDateTime") or resource.get("effectiveInstant") or period.get("start")
    interval = interval_of(written) if isinstance(written or resource.get("issued"), str) else None
    return interval.start if interval else 0


def told(speech: Speech, group: Group, most: int) -> Test:
    """A test in words, with its ``most`` newest readings."""
    readings = tuple(reading(speech, resource) for resource in group.resources[:most])
    name = name_of(speech, group.resources[0].get("code"))
    before = readings[1] if len(readings) > 1 else None
    changes = tuple(_change(speech, part, before) for part in readings[0].parts)
    return Test(name, group.kind, readings, changes, len(group.resources))


def reading(speech: Speech, resource: Json) -> Reading:
    """An Observation in words."""
    parts = [_part(speech, each, name_of(speech, each.get("code")).plain) for each in resource.get("component", ())]
    if not parts or any(key.startswith("value") for key in resource):
        parts.insert(0, _part(speech, resource, ""))
    notes = tuple(str(note["text"]) for note in resource.get("note", ()) if note.get("text"))
    return Reading(
        str(resource.get("id", "")), _when(speech, resource), tuple(parts), spoken_status(speech, resource), notes
    )


def _part(speech: Speech, element: Json, name: str) -> Part:
    value = amount(speech, element.get("valueQuantity"))
    band = band_of(speech, element.get("referenceRange"), value.unit)
    standing = standing_of(value, band, element.get("interpretation"))
    says, usual = spoken_standing(speech, standing), spoken_band(speech, band, value.unit)
    return Part(name, spoken_value(speech, element), value, band, standing, says, usual)


def _when(speech: Speech, resource: Json) -> Moment:
    period = resource.get("effectivePeriod") or {}
    written = resource.get("effectiveDateTime") or resource.get("effectiveInstant") or period.get("start")
    return moment(speech, written or resource.get("issued"))


def _change(speech: Speech, part: Part, before: Reading | None) -> Change | None:
    """Against the same part of the reading before; None when the two cannot be compared."""
    earlier = next((each for each in before.parts if each.name == part.name), None) if before else None
    if earlier is None or part.value.number is None or earlier.value.number is None:
        return None
    if part.value.unit != earlier.value.unit or part.value.comparator or earlier.value.comparator:
        return None
    if part.value.number == earlier.value.number:
        return Change(0, _of_part(part, speech.say("the same as last time")))
    direction = 1 if part.value.number > earlier.value.number else -1
    text = "higher than last time ({value})" if direction == 1 else "lower than last time ({value})"
    return Change(direction, _of_part(part, speech.say(text, value=earlier.words)))


def _of_part(part: Part, says: str) -> str:
    return f"{part.name}: {says}" if part.name else says


def _key(resource: Json) -> tuple[str, ...]:
    concept = resource.get("code") or {}
    codes = sorted(
        f"{coding.get('system', '')}|{coding['code']}" for coding in concept.get("coding", ()) if coding.get("code")
    )
    return tuple(codes[:1]) or ("text", str(concept.get("text", "")))
