"""Units of UCUM: what others have measured, what never compares, and that no code costs much."""

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.fhir.units import LONGEST, Scale, scale_of

# A value in a unit, and the same in another: by UCUM's definitions and those of NIST SP 811.
EQUAL = [
    ("100", "mg/dL", "1", "g/L"),
    ("1", "g%", "1", "g/dL"),
    ("120", "mm[Hg]", "15.99864", "kPa"),
    ("60", "/min", "1", "Hz"),
    ("1", "[lb_av]", "0.45359237", "kg"),
    ("1", "[in_i]", "2.54", "cm"),
    ("6", "[ft_i]", "1.8288", "m"),
    ("98.6", "[degF]", "37", "Cel"),
    ("37", "Cel", "310.15", "K"),
    ("80", "[degRe]", "100", "Cel"),
    ("-40", "Cel", "-40", "[degF]"),
    ("5", "10*3/uL", "5", "10*9/L"),
    ("5", "10^3/uL", "5", "10*9/L"),
    ("1", "[IU]/L", "1", "m[iU]/mL"),
    ("2", "meq/L", "2", "mmol/L"),
    ("60", "U/L", "1", "ukat/L"),
    ("1", "mL/(24.h)", "1", "mL/d"),
    ("1", "kcal", "4184", "J"),
    ("1", "a", "365.25", "d"),
    ("5", "%", "0.05", "{ratio}"),
    ("90", "mL/min/{1.73_m2}", "90", "mL/min"),
    ("1", "KiBy", "8192", "bit"),
    ("1", "m[H2O]", "100", "cm[H2O]"),
    ("1", "10.L/min", "10", "L/min"),
]
NEVER = [("[iU]", "[arb'U]"), ("[iU]", "1"), ("mg", "mL"), ("mmol/L", "mg/dL"), ("Cel", "m"), ("[GPL'U]", "[MPL'U]")]
# Logarithms, scales in powers or with a prefix, no UCUM at all, and what would be long to work out.
WITHOUT_SCALE = [
    "[pH]", "dB", "B[10.nV]", "[hp'_X]", "Cel2", "mCel", "Cel/h", "mcg", "Torr", "", "/", "mg//dL", "mg dL", "(mg",
    "mg)", "mg.", "mg{", "{a}}", "mg{ß}", "m\u0661", "kmin", "m100", "Ym40.Ym40.Ym40.Ym40.Ym40", "0", "(" * 30 + "m",
    "m" * LONGEST + "m", "m." * (LONGEST // 2) + "m",
]  # fmt: skip
UNITS = st.sampled_from(["mg", "kg/m2", "mm[Hg]", "Cel", "[degF]", "[iU]", "10*3/uL", "%", "[lb_av]", "{score}"])


def known(code: str) -> Scale:
    scale = scale_of(code)
    assert scale is not None
    return scale


@pytest.mark.parametrize(("value", "unit", "other_value", "other"), EQUAL)
def test_equal_quantities_are_equal_in_base_units(value: str, unit: str, other_value: str, other: str) -> None:
    first, second = known(unit), known(other)
    assert first.dimension == second.dimension
    assert Fraction(value) * first.factor + first.offset == Fraction(other_value) * second.factor + second.offset


@pytest.mark.parametrize(("unit", "other"), NEVER)
def test_what_is_measured_differently_never_compares(unit: str, other: str) -> None:
    assert known(unit).dimension != known(other).dimension


@pytest.mark.parametrize("code", WITHOUT_SCALE)
def test_a_unit_without_a_scale(code: str) -> None:
    assert scale_of(code) is None


@given(UNITS, UNITS, st.integers(-3, 3).filter(bool))
def test_products_and_powers_are_those_of_the_factors(one: str, two: str, power: int) -> None:
    first, second = known(one), known(two)
    product = scale_of(f"({one}).({two})")
    if first.offset or second.offset:
        assert product is None
        return
    assert product is not None
    assert product.factor == first.factor * second.factor
    assert known(f"({two}).({one})").dimension == product.dimension
    assert known(f"({one})/({one})").dimension == ()
    assert known(f"m{power}").dimension == (("m", power),)


@given(
    st.lists(
        st.sampled_from([*"mgskuYL./(){}%'-+019", "[iU]", "10*", "Cel", "pc40", "{a}", "[", "]", "ß"]), max_size=30
    )
)
def test_any_code_is_answered_at_once(pieces: list[str]) -> None:
    code = "".join(pieces)
    scale_of("m")
    started = time.perf_counter()
    scale = scale_of(code)
    assert time.perf_counter() - started < 0.5
    assert scale is None or scale.factor > 0


def test_few_codes_are_remembered() -> None:
    for number in range(1, 5_000):
        scale_of(f"{number}.m")
    assert scale_of.cache_info().currsize <= 4_096
