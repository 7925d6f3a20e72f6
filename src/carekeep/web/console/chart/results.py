"""Results of one kind together: the last value, how it moved, and the values before."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from carekeep.fhir.documents.words import amount, concept_text, result
from carekeep.records import Stored
from carekeep.web.console.chart.items import Day, day, first_day

Json = dict[str, Any]
_TIMES: Final = ("effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued")
_NOT_RESULTS: Final = frozenset({"entered-in-error", "cancelled"})
_UNUSUAL: Final = {
    "H": "high", "HH": "very high", "HU": "very high", "L": "low", "LL": "very low", "LU": "very low",
    "A": "unusual", "AA": "very unusual", "POS": "unusual",
}  # fmt: skip
_MOST_POINTS = 40


@dataclass(frozen=True, slots=True)
class Value:
    """One measurement. ``number`` is None for words and for several values in one."""

    id: str
    on: Day
    text: str = field(repr=False)
    number: Decimal | None = field(default=None, repr=False)
    unusual: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """Everything of one kind, the newest first. ``moved`` is ``up``, ``down``, ``same``, or empty without a number."""

    name: str = field(repr=False)
    code: str = field(repr=False)
    values: tuple[Value, ...] = field(repr=False)
    unit: str = field(default="", repr=False)
    usual: str = field(default="", repr=False)
    low: Decimal | None = field(default=None, repr=False)
    high: Decimal | None = field(default=None, repr=False)

    @property
    def last(self) -> Value:
        """The newest."""
        return self.values[0]

    @property
    def moved(self) -> str:
        """Against the value before."""
        numbers = [value.number for value in self.values[:2]]
        if len(numbers) < 2 or numbers[0] is None or numbers[1] is None:  # noqa: PLR2004 - the last two
            return ""
        return "same" if numbers[0] == numbers[1] else "up" if numbers[0] > numbers[1] else "down"

    @property
    def trend(self) -> tuple[tuple[int, Decimal], ...]:
        """Moments and numbers, the oldest first, at most forty."""
        found = [(value.on.sort, value.number) for value in self.values if value.number is not None and value.on.sort]
        return tuple(reversed(found[:_MOST_POINTS]))


def results_of(observations: Iterable[Stored]) -> tuple[Result, ...]:
    """The newest kinds first. What was entered in error is left out."""
    kinds: dict[str, list[Stored]] = {}
    for stored in observations:
        if stored.resource.get("status") not in _NOT_RESULTS:
            kinds.setdefault(_kind(stored.resource), []).append(stored)
    found = [_result(of_kind) for of_kind in kinds.values()]
    return tuple(sorted(found, key=lambda each: each.last.on.sort, reverse=True))


def _kind(observation: Json) -> str:
    """Two units are two kinds: their numbers do not compare."""
    code = observation.get("code", {})
    coding: Json = next(iter(code.get("coding", ())), {})
    quantity = observation.get("valueQuantity", {})
    unit = quantity.get("code") or quantity.get("unit") or ""
    return f"{coding.get('system', '')}|{coding.get('code') or code.get('text', '')}|{unit}"


def _result(of_kind: list[Stored]) -> Result:
    ordered = sorted(of_kind, key=lambda each: (first_day(each.resource, *_TIMES).sort, each.written), reverse=True)
    newest = ordered[0].resource
    coding: Json = next(iter(newest.get("code", {}).get("coding", ())), {})
    usual: Json = next(iter(newest.get("referenceRange", ())), {})
    quantity = newest.get("valueQuantity", {})
    return Result(
        name=concept_text(newest.get("code", {})),
        code=str(coding.get("code", "")),
        values=tuple(_value(each) for each in ordered),
        unit=str(quantity.get("unit") or quantity.get("code") or ""),
        usual=_usual(usual),
        low=_number(usual.get("low")),
        high=_number(usual.get("high")),
    )


def _value(stored: Stored) -> Value:
    found = stored.resource
    number = _number(found.get("valueQuantity"))
    text = result(found, {})
    return Value(stored.id, _day(found), text, number, _unusual(found, number))


def _day(found: Json) -> Day:
    return next((day(found[name]) for name in _TIMES if found.get(name)), Day())


def _number(quantity: object) -> Decimal | None:
    if not isinstance(quantity, dict) or "value" not in quantity or quantity.get("comparator"):
        return None
    try:
        return Decimal(str(quantity["value"]))
    except InvalidOperation:
        return None


def _unusual(found: Json, number: Decimal | None) -> str:
    """What the laboratory says, else by its reference range."""
    for concept in found.get("interpretation", ()):
        for coding in concept.get("coding", ()):
            if coding.get("code") in _UNUSUAL:
                return _UNUSUAL[coding["code"]]
            if coding.get("code") in {"N", "NEG"}:
                return ""
    usual: Json = next(iter(found.get("referenceRange", ())), {})
    low, high = _number(usual.get("low")), _number(usual.get("high"))
    if number is not None and high is not None and number > high:
        return "high"
    return "low" if number is not None and low is not None and number < low else ""


def _usual(range_: Json) -> str:
    if range_.get("text"):
        return str(range_["text"])
    low, high = amount(range_.get("low", {})), amount(range_.get("high", {}))
    if low and high:
        return f"{low} to {high}"
    return f"≥ {low}" if low else f"≤ {high}" if high else ""
