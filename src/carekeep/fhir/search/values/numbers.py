"""Numbers and quantities (FHIR R4 3.1.1.4.6, 3.1.1.4.13).

A value is a span of decimals: one number, a Range, or all below ``<5``. ``eq``, ``ne`` and ``ap`` compare with the
implicit precision of what was written (5.4 is [5.35, 5.45)); the other prefixes take it exactly.
Units of UCUM are compared by what they measure (0.0054 g is 5.4 mg) where one is asked for by system and code; other
units, and those asked for without a system, as they are written.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Context, Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from carekeep.fhir.search.expressions import Json, Path
from carekeep.fhir.search.ranges import Line, Wanted
from carekeep.fhir.search.values.text import BadValue, split, unescape
from carekeep.fhir.units import UCUM, Scale, scale_of

# Leaves are steps of 1/32 of a power of two between 2^-20 and 2^44, on both sides of zero: the index is good to about
# 2 %, and exact matching does the rest. 4 terms a value, at most 29 a question open on one side.
MAGNITUDES = Line(last=(1 << 12) - 1, levels=4, covers=5)
_ZERO = 1 << 11
_STEPS = 32
_LOWEST, _HIGHEST = -20, 44
_NUMBER = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?([+-]?\d{1,40}(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?)", re.ASCII)
_HALF = Decimal("0.5")
_INFINITY = Decimal("Infinity")
# Numbers become fractions at this length, and only between these powers of ten: the rest is nothing, or without end.
_DIGITS = Context(prec=200)
_MOST_POWERS = 2_000
# Before the index values of numbers in base units, which lie on a line of their own.
IN_BASE_UNITS = b"u"
_AP_SHARE = Decimal("0.1")
CURRENCIES = "urn:iso:std:iso:4217"
_QUANTITIES = frozenset({"Quantity", "Age", "Duration", "Count", "Distance"})


@dataclass(frozen=True, slots=True)
class Span:
    """From ``low`` to ``high``, both included; infinite where it has no bound."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Measure:
    """A span with its unit: code in a system, and as people read it."""

    span: Span
    system: str | None = None
    code: str | None = None
    unit: str | None = None

    @property
    def scale(self) -> Scale | None:
        """The scale of its unit, if that is one of UCUM."""
        return _scale(self.system, self.code)


# What the prefixes compare, all of one kind: decimals as they are written; or fractions of base units (a float where
# there is no end).
Ordered = Any


def _scale(system: object, code: object) -> Scale | None:
    return scale_of(code) if system == UCUM and isinstance(code, str) else None


def _in_base(value: Decimal, scale: Scale) -> Fraction | float:
    """A value in base units, exactly; greater values are never less there."""
    if value.is_infinite() or value.adjusted() > _MOST_POWERS:
        return math.copysign(math.inf, value)
    number = Fraction(_DIGITS.plus(value)) if value.adjusted() > -_MOST_POWERS else Fraction(0)
    number *= scale.factor
    return number + scale.offset if scale.offset else number


def _span_in_base(span: Span, scale: Scale) -> tuple[Fraction | float, Fraction | float]:
    low = _in_base(span.low, scale)
    return low, low if span.high == span.low else _in_base(span.high, scale)


def _decimal(number: object) -> Decimal | None:
    if isinstance(number, bool) or not isinstance(number, (int, float, Decimal)):
        return None
    # The shortest text of a float is the decimal that was written.
    value = Decimal(repr(number)) if isinstance(number, float) else Decimal(number)
    return value if value.is_finite() else None


def measure(type_: str, element: Any) -> Measure | None:
    """The measure of an element, or None if it has none.

    SampledData has none: the standard does not say which of its many samples a search would mean.
    """
    if type_ in {"decimal", "integer", "positiveInt", "unsignedInt"}:
        value = _decimal(element)
        return None if value is None else Measure(Span(value, value))
    if not isinstance(element, dict):
        return None
    if type_ in _QUANTITIES:
        return _quantity(element)
    if type_ == "Range":
        return _range(element)
    if type_ == "Money":
        value = _decimal(element.get("value"))
        return None if value is None else Measure(Span(value, value), CURRENCIES, element.get("currency"))
    return None


def _quantity(element: Json) -> Measure | None:
    value = _decimal(element.get("value"))
    if value is None:
        return None
    spans = {
        "<": (-_INFINITY, value.next_minus()),
        "<=": (-_INFINITY, value),
        ">=": (value, _INFINITY),
        ">": (value.next_plus(), _INFINITY),
    }
    low, high = spans.get(str(element.get("comparator")), (value, value))
    return Measure(Span(low, high), element.get("system"), element.get("code"), element.get("unit"))


def _range(element: Json) -> Measure | None:
    bounds = [element.get("low"), element.get("high")]
    low, high = (_decimal(bound.get("value")) if isinstance(bound, dict) else None for bound in bounds)
    if low is None and high is None:
        return None
    unit = next(bound for bound in bounds if isinstance(bound, dict))
    span = Span(-_INFINITY if low is None else low, _INFINITY if high is None else high)
    return Measure(span, unit.get("system"), unit.get("code"), unit.get("unit"))


def index(path: Path, element: Any) -> Iterable[bytes]:
    """The index values of an element: of its number, whatever the unit, and of its number in base units of UCUM."""
    value = measure(path.type, element)
    if value is None:
        return
    low, high, scale = value.span.low, value.span.high, value.scale
    yield from MAGNITUDES.index(_leaf(low), None if high.is_infinite() else _leaf(high))
    if scale is not None:
        first, last = _span_in_base(value.span, scale)
        start = _leaf(first)
        end = start if last is first else None if last == math.inf else _leaf(last)
        for term in MAGNITUDES.index(start, end):
            yield IN_BASE_UNITS + term


def _leaf(value: Decimal | Fraction | float) -> int:
    """The leaf of a number; greater numbers never have smaller leaves."""
    try:
        mantissa, exponent = math.frexp(abs(float(value)))
    except OverflowError:  # of a fraction; a decimal becomes infinite
        mantissa, exponent = math.inf, 0
    if exponent < _LOWEST or mantissa == 0:
        step = 0
    elif exponent >= _HIGHEST or math.isinf(mantissa):
        step = _ZERO - 1
    else:
        step = (exponent - _LOWEST) * _STEPS + int((mantissa - 0.5) * 2 * _STEPS)
    return _ZERO + step if value >= 0 else _ZERO - 1 - step


@dataclass(frozen=True, slots=True)
class SoughtNumber:
    """A number with its prefix, and the unit if one was asked for.

    ``around`` is what ``eq``, ``ne`` ([low, high)) and ``ap`` ([low, high]) mean. ``system`` None: any system;
    ``code`` None: any unit. Without a system the code may be the unit's text (R4: ``5.4||mg``). ``scale`` is that of
    the unit, if it is one of UCUM; then the numbers are in base units.
    """

    prefix: str
    exact: Ordered
    around: tuple[Ordered, Ordered]
    system: str | None = None
    code: str | None = None
    scale: Scale | None = None

    @property
    def namespace(self) -> bytes:
        """What stands before its values in the index."""
        return b"" if self.scale is None else IN_BASE_UNITS

    def matches(self, path: Path, element: Any) -> bool:
        """See Sought."""
        value = measure(path.type, element)
        if value is None:
            return False
        span: tuple[Ordered, Ordered] = (value.span.low, value.span.high)
        if self.scale is None:
            return self._same_unit(value) and _holds(self.prefix, *span, self.exact, self.around)
        scale = value.scale
        if scale is None or scale.dimension != self.scale.dimension:
            return False
        return _holds(self.prefix, *_span_in_base(value.span, scale), self.exact, self.around)

    def _same_unit(self, value: Measure) -> bool:
        if self.system is not None:
            return value.system == self.system and (self.code is None or value.code == self.code)
        return self.code is None or self.code in {value.code, value.unit}

    def wanted(self) -> Wanted | None:
        """The magnitudes in question, of the line that ``namespace`` names."""
        first, last, exact = _leaf(self.around[0]), _leaf(self.around[1]), _leaf(self.exact)
        answers = {
            "eq": Wanted(low=first, high=last),
            "gt": Wanted(reach=exact),
            "lt": Wanted(high=exact),
            "ge": Wanted(reach=exact),
            "le": Wanted(high=exact),
            "sa": Wanted(low=exact),
            "eb": Wanted(high=exact),
            "ap": Wanted(reach=first, high=last),
        }
        return answers.get(self.prefix)

    def terms(self, _path: Path) -> Iterable[bytes] | None:
        """See Sought."""
        wanted = self.wanted()
        return None if wanted is None else [self.namespace + value for value in MAGNITUDES.ask(wanted)]


def _holds(prefix: str, low: Ordered, high: Ordered, exact: Ordered, around: tuple[Ordered, Ordered]) -> bool:
    """R4 3.1.1.4.5: how each prefix compares a span of values, from ``low`` to ``high``, with what is sought."""
    inside = around[0] <= low and high < around[1]
    answers: dict[str, bool] = {
        "eq": inside,
        "ne": not inside,
        "gt": high > exact,
        "lt": low < exact,
        "ge": high >= exact,
        "le": low <= exact,
        "sa": low > exact,
        "eb": high < exact,
        "ap": low <= around[1] and high >= around[0],
    }
    return answers[prefix]


def parse_number(text: str) -> SoughtNumber:
    """A number with its prefix. Raises BadValue."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise BadValue("write a number such as 100, 5.40 or 1e2, after a prefix or none")
    prefix, written, places, exponent = found.groups()
    try:
        exact = Decimal(written)
    except InvalidOperation:  # pragma: no cover - the pattern admits numbers only
        raise BadValue("this is no number") from None
    if prefix == "ap":
        margin = abs(exact) * _AP_SHARE
    else:
        # R4 reads 1e2 as [95, 105): with an exponent, a whole mantissa counts as having one decimal place.
        digits = len(places or "") or (1 if exponent else 0)
        margin = _HALF.scaleb(int(exponent or 0) - digits)
    return SoughtNumber(prefix or "eq", exact, (exact - margin, exact + margin))


def parse_quantity(text: str) -> SoughtNumber:
    """``number``, ``number|system|code`` or ``number||code``. Raises BadValue."""
    pieces = [unescape(piece) for piece in split(text, "|")]
    if len(pieces) not in {1, 3}:
        raise BadValue("write a quantity as number, number|system|code or number||code")
    number = parse_number(pieces[0])
    if len(pieces) == 1:
        return number
    system, code = pieces[1] or None, pieces[2] or None
    scale = _scale(system, code)
    if scale is None:
        return SoughtNumber(number.prefix, number.exact, number.around, system, code)
    low, high = number.around
    around = (_in_base(low, scale), _in_base(high, scale))
    return SoughtNumber(number.prefix, _in_base(number.exact, scale), around, system, code, scale)
