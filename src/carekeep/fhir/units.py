"""Units of measure as numbers that compare: 100 mg/dL is 1 g/L (UCUM 2.2, https://ucum.org/ucum).

What UCUM's units are comes from the official table, which the library ``ucumvert`` carries. Reading a code and working
out its scale is done here: exactly, as fractions, and in time that is bounded by the length of the code. A unit that
has no scale is compared as it is written: logarithms (pH, decibel), unknown codes, very long ones.

As UCUM has it, annotations (``{score}``) are part of no unit, and a mole is a number of particles. An arbitrary unit
(``[iU]``) is a measure of its own and equals no other.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from types import MappingProxyType

UCUM = "http://unitsofmeasure.org"
LONGEST = 64  # characters of a code that is read
_SCALES = 4096  # codes that are remembered
_GREATEST_POWER = 40
_GREATEST_SCALE = 4096  # bits

# UCUM's table gives the codes of its prefixes; their values are those of the SI and of IEC 80000-13.
_POWERS_OF_TEN = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip
_PREFIXES: Mapping[str, Fraction] = {name: Fraction(10) ** power for name, power in _POWERS_OF_TEN.items()} | {
    name: Fraction(1 << (10 * step)) for step, name in enumerate(("Ki", "Mi", "Gi", "Ti"), 1)
}
# The special units whose scale is a line, as UCUM's functions say: kelvins are value * factor + offset.
_LINES = {
    "Cel": (Fraction(1), Fraction("273.15")),
    "[degF]": (Fraction(5, 9), Fraction("459.67") * Fraction(5, 9)),
    "[degRe]": (Fraction(5, 4), Fraction("273.15")),
}
_TOKEN = re.compile(
    r"(?P<annotation>\{[!-z|~]*\})|(?P<mark>[./()])"
    r"|(?P<symbol>10[*^]|(?:[A-Za-z%'_]|\[[!-Z\\^-~]+\])+)(?P<power>[+-]?\d+)?|(?P<factor>[1-9]\d*)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Scale:
    """How values in a unit become values in base units: ``value * factor + offset``; ``factor`` is above zero.

    ``dimension`` are the base units (and arbitrary units) with their powers, sorted. Units of equal dimension compare.
    """

    factor: Fraction
    offset: Fraction
    dimension: tuple[tuple[str, int], ...]


class _Unreadable(Exception):
    """A code has no scale."""


@dataclass(frozen=True, slots=True)
class _Ratio:
    """A product of powers: of a number, and of base units."""

    factor: Fraction
    powers: Mapping[str, int]

    def times(self, other: "_Ratio", power: int) -> "_Ratio":
        """The product with a power of another."""
        powers = dict(self.powers)
        for name, its in other.powers.items():
            powers[name] = powers.get(name, 0) + its * power
        factor = self.factor * other.factor**power
        if max(factor.numerator.bit_length(), factor.denominator.bit_length()) > _GREATEST_SCALE:
            raise _Unreadable
        return _Ratio(factor, powers)


_ONE = _Ratio(Fraction(1), {})


@lru_cache(maxsize=_SCALES)
def scale_of(code: str) -> Scale | None:
    """The scale of a unit by its case-sensitive UCUM code, or None if it has none that is known here."""
    if len(code) > LONGEST:
        return None
    bare = code.partition("{")[0]
    if bare in _LINES and _TOKEN.fullmatch(code[len(bare) :] or "{}"):
        factor, offset = _LINES[bare]
        return Scale(factor, offset, (("K", 1),))
    try:
        ratio = _read(code)
    except _Unreadable:
        return None
    return Scale(
        ratio.factor, Fraction(0), tuple(sorted((name, power) for name, power in ratio.powers.items() if power))
    )


def _read(code: str) -> _Ratio:
    tokens = list(_tokens(code))
    ratio, end = _term(tokens, 0)
    if end != len(tokens):
        raise _Unreadable
    return ratio


def _tokens(code: str) -> Iterator[re.Match[str]]:
    at = 0
    while at < len(code):
        token = _TOKEN.match(code, at)
        if token is None:
            raise _Unreadable
        yield token
        at = token.end()


def _term(tokens: list[re.Match[str]], at: int) -> tuple[_Ratio, int]:
    """Components with ``.`` and ``/`` between them, from left to right; a ``/`` may come first."""
    ratio, power = _ONE, 1
    if at < len(tokens) and tokens[at][0] == "/":
        at, power = at + 1, -1
    while True:
        component, at = _component(tokens, at)
        ratio = ratio.times(component, power)
        if at == len(tokens) or tokens[at][0] not in {".", "/"}:
            return ratio, at
        at, power = at + 1, 1 if tokens[at][0] == "." else -1


def _component(tokens: list[re.Match[str]], at: int) -> tuple[_Ratio, int]:
    """A unit with its power, a number, or a term in brackets; annotations after it, or alone."""
    if at == len(tokens):
        raise _Unreadable
    token, start = tokens[at], at
    ratio = _ONE
    if token[0] == "(":
        ratio, at = _term(tokens, at + 1)
        if at == len(tokens) or tokens[at][0] != ")":
            raise _Unreadable
        at += 1
    elif token["symbol"]:
        ratio, at = _ONE.times(_unit(token["symbol"]), _power(token["power"])), at + 1
    elif token["factor"]:
        ratio, at = _Ratio(Fraction(int(token["factor"])), {}), at + 1
    while at < len(tokens) and tokens[at]["annotation"]:
        at += 1
    if at == start:
        raise _Unreadable
    return ratio, at


def _power(text: str | None) -> int:
    power = 1 if text is None else int(text)
    if abs(power) > _GREATEST_POWER:
        raise _Unreadable
    return power


def _unit(symbol: str) -> _Ratio:
    """A unit of the table, or one of its metric units with a prefix."""
    atoms = _atoms()
    if symbol in atoms:
        return _ratio_of(symbol)
    for length in (2, 1):
        prefix, rest = symbol[:length], symbol[length:]
        if prefix in _PREFIXES and rest in atoms and atoms[rest].metric:
            ratio = _ratio_of(rest)
            return _Ratio(ratio.factor * _PREFIXES[prefix], ratio.powers)
    raise _Unreadable


@cache
def _ratio_of(code: str) -> _Ratio:
    """A unit of the table in base units. Nothing is remembered but what the table has."""
    atom = _atoms()[code]
    if atom.defined_by is None:
        return _Ratio(Fraction(1), {code: 1})
    if atom.special:
        raise _Unreadable
    return _Ratio(atom.factor, {}).times(_read(atom.defined_by), 1)


@dataclass(frozen=True, slots=True)
class _Atom:
    """A row of the table: so many of what it is defined by, which is nothing for base units and arbitrary units."""

    metric: bool
    special: bool = False
    factor: Fraction = Fraction(1)
    defined_by: str | None = None


@cache
def _atoms() -> Mapping[str, _Atom]:
    # Imported when the first unit is read: it loads slowly (0.2 s), and most commands never read a unit.
    from ucumvert import xml_util  # type: ignore[import-untyped] # noqa: PLC0415

    atoms = {code: _Atom(metric=True) for code in xml_util.get_base_units()}
    for unit in xml_util.get_units_with_full_definition():
        if unit.is_arbitrary and unit.defining_unit == "1":
            atoms[unit.code_cs] = _Atom(unit.is_metric)
        else:
            factor = Fraction(str(unit.conversion_factor))
            atoms[unit.code_cs] = _Atom(unit.is_metric, unit.is_special, factor, unit.defining_unit)
    return MappingProxyType(atoms)
