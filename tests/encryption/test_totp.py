"""One-time codes: a step either way, and each code once."""

from hypothesis import given
from hypothesis import strategies as st

from carekeep.encryption import Secret, new_totp_key, totp_code, totp_counter, totp_uri

KEY = Secret(b"12345678901234567890")
STEP = 30_000
NOW = 1_800_000_000_000


@given(st.integers(-3, 3), st.integers(0, STEP - 1))
def test_a_step_before_and_after_is_right(steps: int, within: int) -> None:
    current = NOW // STEP
    code = totp_code(KEY, NOW + steps * STEP)
    expected = current + steps if abs(steps) <= 1 else None
    assert totp_counter(KEY, code, NOW + within, last=0) == expected


def test_a_code_is_good_once() -> None:
    code = totp_code(KEY, NOW)
    counter = totp_counter(KEY, code, NOW, last=0)
    assert counter is not None
    assert totp_counter(KEY, code, NOW, last=counter) is None
    assert totp_counter(KEY, code, NOW + STEP, last=counter) is None
    assert totp_counter(KEY, totp_code(KEY, NOW - STEP), NOW, last=counter) is None
    assert totp_counter(KEY, totp_code(KEY, NOW + STEP), NOW + STEP, last=counter) == counter + 1


def test_what_is_not_a_code_is_not_right() -> None:
    code = totp_code(KEY, NOW)
    for wrong in ("", code[:5], code + "0", f" {code}", "\u0661" * 6, "\udcff"):
        assert totp_counter(KEY, wrong, NOW, last=0) is None


def test_another_key_gives_another_code() -> None:
    key = new_totp_key()
    assert len(key.reveal()) == 20
    assert [totp_code(key, NOW + n * STEP) for n in range(4)] != [totp_code(KEY, NOW + n * STEP) for n in range(4)]


def test_uri_for_the_authenticator_app() -> None:
    uri = totp_uri(KEY, "amelie@ward", "Carekeep").reveal().decode()
    assert uri.startswith("otpauth://totp/Carekeep:amelie%40ward?")
    assert "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" in uri
