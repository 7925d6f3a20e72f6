"""Where a value lies to the range that the laboratory gave with it. Without one, nothing is said.

What the laboratory marked (``interpretation``) and what its range says must agree; when they do not, that is said, and
no verdict is given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from carekeep.web.plain.amounts import Amount, amount
from carekeep.web.plain.speech import Speech

Json = Mapping[str, Any]

_A_LITTLE: Final = Decimal("0.1")  # of the width of the range, or of its only bound
_NORMAL: Final = "normal"  # FHIR R4 referencerange-meaning; a range that says nothing is one of these


class Standing(Enum):
    """Where a value lies. The texts are sentences of their own, to be read without a picture."""

    NONE = ""
    USUAL = "in the usual range"
    A_LITTLE_ABOVE = "a little above the usual range"
    ABOVE = "above the usual range"
    FAR_ABOVE = "far above the usual range"
    A_LITTLE_BELOW = "a little below the usual range"
    BELOW = "below the usual range"
    FAR_BELOW = "far below the usual range"
    UNUSUAL = "not what is usual"
    UNCLEAR = "the laboratory's mark and its range do not agree"

    @property
    def direction(self) -> int:
        """1 above, -1 below, 0 for the others."""
        return _DIRECTIONS.get(self, 0)

    @property
    def is_unusual(self) -> bool:
        """Whether somebody should look at it."""
        return self not in {Standing.NONE, Standing.USUAL}


_DIRECTIONS: Final = {
    Standing.A_LITTLE_ABOVE: 1, Standing.ABOVE: 1, Standing.FAR_ABOVE: 1,
    Standing.A_LITTLE_BELOW: -1, Standing.BELOW: -1, Standing.FAR_BELOW: -1,
}  # fmt: skip
# Codes of v3-ObservationInterpretation that a word for patients follows from.
_MARKS: Final[Mapping[str, Standing]] = {
    "N": Standing.USUAL,
    "H": Standing.ABOVE, "HU": Standing.ABOVE, "HH": Standing.FAR_ABOVE,
    "L": Standing.BELOW, "LU": Standing.BELOW, "LL": Standing.FAR_BELOW,
    "A": Standing.UNUSUAL, "AA": Standing.UNUSUAL,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Band:
    """The usual range: at least one bound, or the laboratory's own words."""

    low: Decimal | None
    high: Decimal | None
    text: str = ""


def band_of(speech: Speech, ranges: object, unit: str) -> Band | None:
    """The range of people in general among those of an Observation; None when there is none in this unit."""
    if not isinstance(ranges, Sequence):
        return None
    for each in ranges:
        if not isinstance(each, Mapping) or not _is_normal(each):
            continue
        low, high = amount(speech, each.get("low")), amount(speech, each.get("high"))
        bounds = [bound for bound in (low, high) if bound.number is not None]
        if any(bound.unit not in {"", unit} for bound in bounds):
            continue
        if bounds or each.get("text"):
            return Band(low.number, high.number, "" if bounds else str(each["text"]))
    return None


def _is_normal(given: Json) -> bool:
    codes = [coding.get("code") for coding in given.get("type", {}).get("coding", ())]
    return not codes or _NORMAL in codes


def standing_of(value: Amount, band: Band | None, interpretations: object) -> Standing:
    """Where a value lies, by its range and by what the laboratory marked."""
    measured = _by_range(value, band)
    marked = _by_mark(interpretations)
    if marked is Standing.NONE or measured is Standing.NONE:
        return measured if marked is Standing.NONE else marked
    if marked is Standing.UNUSUAL:
        return measured if measured.direction else Standing.UNUSUAL
    if marked.direction != measured.direction:
        return Standing.UNCLEAR
    return marked if marked in {Standing.FAR_ABOVE, Standing.FAR_BELOW} else measured


def _by_mark(interpretations: object) -> Standing:
    if not isinstance(interpretations, Sequence):
        return Standing.NONE
    codes = [coding.get("code") for each in interpretations for coding in each.get("coding", ())]
    return next((_MARKS[code] for code in codes if code in _MARKS), Standing.NONE)


def _by_range(value: Amount, band: Band | None) -> Standing:
    number = value.number
    if number is None or band is None or (band.low is None and band.high is None):
        return Standing.NONE
    low, high = band.low, band.high
    reaches_up, reaches_down = value.comparator in {">", ">="}, value.comparator in {"<", "<="}
    if high is not None and (number > high or (number == high and value.comparator == ">")):
        return Standing.NONE if reaches_down else _degree(number - high, band, above=True)
    if low is not None and (number < low or (number == low and value.comparator == "<")):
        return Standing.NONE if reaches_up else _degree(low - number, band, above=False)
    # "less than 5" is in a range that has no lower bound, and may be below one that has.
    if (reaches_up and high is not None) or (reaches_down and low is not None):
        return Standing.NONE
    return Standing.USUAL


def _degree(beyond: Decimal, band: Band, *, above: bool) -> Standing:
    low, high = band.low, band.high
    width = high - low if low is not None and high is not None else abs(high if high is not None else low or Decimal(0))
    if beyond <= width * _A_LITTLE:
        return Standing.A_LITTLE_ABOVE if above else Standing.A_LITTLE_BELOW
    return Standing.ABOVE if above else Standing.BELOW


def spoken_standing(speech: Speech, standing: Standing) -> str:
    """In words; nothing where nothing can be said."""
    return speech.say(standing.value) if standing.value else ""


def spoken_band(speech: Speech, band: Band | None, unit: str = "") -> str:
    """The usual range in words: "70 to 99 mg/dL"."""
    if band is None:
        return ""
    low, high = (speech.number(bound) if bound is not None else "" for bound in (band.low, band.high))
    if low and high:
        return f"{speech.say('{start} to {end}', start=low, end=high)} {unit}".strip()
    if high:
        return speech.say("at most {value}", value=f"{high} {unit}".strip())
    return speech.say("at least {value}", value=f"{low} {unit}".strip()) if low else band.text
