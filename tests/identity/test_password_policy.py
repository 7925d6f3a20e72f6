"""Passwords and verdicts (NIST SP 800-63B-4, section 3.1.1)."""

import pytest

from carekeep.encryption import Secret
from carekeep.identity import PasswordRefused
from carekeep.identity.password_policy import check_password

LOGIN, NAME = "amelie.b@ward-3.example", "Amélie Beaumont-Rousseau"


def verdict(password: str | bytes, *, with_code: bool) -> str | None:
    try:
        check_password(Secret(password), with_code=with_code, login=LOGIN, name=NAME)
    except PasswordRefused as refused:
        return str(refused)
    return None


@pytest.mark.parametrize(
    ("password", "alone", "with_code"),
    [
        ("x" * 7, False, False),
        ("x" * 8, False, True),
        ("x" * 14, False, True),
        ("x" * 15, True, True),
        ("x" * 1024, True, True),
        ("x" * 1025, False, False),
        ("é" * 8, False, True),
        ("🦢" * 15, True, True),
        ("               a", True, True),
        (" " * 20, True, True),
        ("e\u0301" * 8, False, True),  # eight characters as one types them
        (LOGIN.upper(), False, False),
        ("amelie b @ ward 3 example", False, False),
        ("AMÉLIE BEAUMONT ROUSSEAU", False, False),
        (LOGIN + " and more", True, True),
        (b"\xff" * 20, False, False),
        ("", False, False),
    ],
    ids=repr,
)
def test_verdict(password: str | bytes, *, alone: bool, with_code: bool) -> None:
    assert (verdict(password, with_code=False) is None, verdict(password, with_code=True) is None) == (alone, with_code)


def test_the_rule_is_told_and_the_password_is_not() -> None:
    assert verdict("short1", with_code=False) == "The password is too short: at least 15 characters."
    assert verdict("short1", with_code=True) == "The password is too short: at least 8 characters."
    assert verdict(NAME, with_code=False) == "The password must not be the login or the name."
