"""Values and quantities as people read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from carekeep.web.plain.moments import moment, span
from carekeep.web.plain.names import name_of
from carekeep.web.plain.speech import Speech

Json = Mapping[str, Any]

# FHIR QuantityComparator: how the true value lies to the one that is given.
_COMPARATORS: Final = {
    "<": "less than {value}",
    "<=": "at most {value}",
    ">": "more than {value}",
    ">=": "at least {value}",
}
# UCUM codes that were put where a unit for people should be.
_UNITS: Final = {
    "mm[Hg]": "mmHg", "Cel": "°C", "degrees C": "°C", "/min": "per minute", "kg/m2": "kg/m²", "m[IU]/L": "mIU/L",
    "{score}": "points", "10*3/uL": "thousand/µL", "10*6/uL": "million/µL", "mL/min/{1.73_m2}": "mL/min/1.73 m²",
    "beats/minute": "beats per minute", "breaths/minute": "breaths per minute", "uL": "µL", "cells/uL": "cells/µL",
    "d": "days", "wk": "weeks", "mo": "months", "a": "years", "h": "hours", "1": "",
}  # fmt: skip
_LARGEST: Final = 15  # digits before and after the point that a page has room for


@dataclass(frozen=True, slots=True)
class Amount:
    """A quantity: its number (None: there is none), how it lies to the true one, its unit, and all of it in words."""

    number: Decimal | None
    comparator: str
    unit: str
    words: str


def amount(speech: Speech, quantity: object) -> Amount:
    """A Quantity."""
    if not isinstance(quantity, Mapping):
        return Amount(None, "", "", "")
    given = str(quantity.get("unit") or quantity.get("code") or "")
    unit = speech.say(_UNITS[given]) if _UNITS.get(given) else "" if given in _UNITS else given
    number, comparator = number_of(quantity.get("value")), str(quantity.get("comparator", ""))
    if number is None:
        return Amount(None, comparator, unit, "")
    words = f"{speech.number(number)} {unit}".strip()
    if comparator in _COMPARATORS:
        words = speech.say(_COMPARATORS[comparator], value=words)
    return Amount(number, comparator, unit, words)


def number_of(value: object) -> Decimal | None:
    """A number of a resource with the digits that it was written with; None for what is none, or is beyond reading."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    exponent = number.as_tuple().exponent
    if not number.is_finite() or not isinstance(exponent, int) or exponent < -_LARGEST or number.adjusted() > _LARGEST:
        return None
    return number.quantize(Decimal(1)) if exponent > 0 else number


def spoken_value(speech: Speech, element: Json) -> str:
    """The ``value[x]`` of an Observation or of a component of one; why there is none, if it says so."""
    for key, value in element.items():
        if key.startswith("value"):
            return _spoken(speech, key.removeprefix("value"), value)
    reason = element.get("dataAbsentReason")
    return name_of(speech, reason).plain if reason else ""


def _spoken(speech: Speech, kind: str, value: Any) -> str:
    match kind:
        case "Quantity":
            return amount(speech, value).words
        case "CodeableConcept":
            return name_of(speech, value).plain
        case "Boolean":
            return speech.say("yes") if value is True else speech.say("no")
        case "Range" | "Ratio":
            return _two(speech, value)
        case "Period":
            return span(speech, value.get("start"), value.get("end"))
        case "DateTime":
            return moment(speech, value).words
        case "String" | "Time" | "Integer":
            return str(value)
    return speech.say("see the record itself")


def _two(speech: Speech, value: Json) -> str:
    """A Range or a Ratio."""
    if "numerator" in value or "denominator" in value:
        parts = (amount(speech, value.get(part)).words for part in ("numerator", "denominator"))
        return " : ".join(part for part in parts if part)
    low, high = amount(speech, value.get("low")).words, amount(speech, value.get("high")).words
    return speech.say("{start} to {end}", start=low, end=high) if low and high else low or high
