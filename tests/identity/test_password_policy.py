"""Passwords and verdicts (NIST SP 800-63B-4, section 3.1.1)."""

import time

import pytest
from zxcvbn import matching  # type: ignore[import-untyped]

from carekeep.encryption import Secret
from carekeep.identity import PasswordRefused
from carekeep.identity.password_policy import check_password, stands_alone

LOGIN, NAME = "amelie.b@ward-3.example", "Amélie Beaumont-Rousseau"
# The dearest text for zxcvbn's search for look-alike letters: it has every one of them.
DEAREST = "4@8({[<369!1|0$5+7%2" * 60


def verdict(password: str | bytes, *, with_code: bool) -> str | None:
    try:
        check_password(Secret(password), with_code=with_code, login=LOGIN, name=NAME)
    except PasswordRefused as refused:
        return str(refused)
    return None


@pytest.mark.parametrize(
    ("password", "alone", "with_code"),
    [
        # length
        ("", False, False),
        ("kq7wzp3", False, False),
        ("kq7wzp3x", False, True),
        ("kq7wzp3xv9tm2b", False, True),
        ("kq7wzp3xv9tm2bd", True, True),
        ("heron over reeds at dusk " * 3, True, True),
        (("heron over reeds at dusk " * 60)[:1024], True, True),
        (("heron over reeds at dusk " * 60)[:1025], False, False),
        # any character, and none demanded
        ("heronoverreedsatdusk", True, True),
        ("七つの海を渡る青い鳥が歌う夜明け", True, True),
        ("🦢🪿🦩🦉🦜🐧🦆🦃", False, True),
        ("zażółć gęślą jaźń", True, True),
        ("пятьсот тихих озёр", True, True),
        ("e\u0301a\u0300o\u0302u\u0308i\u0301n\u0303c\u0327y\u0301", False, True),  # eight characters as one types them
        (b"\xff" * 20, False, False),
        # what attackers try first
        ("password", False, False),
        ("passwordpassword", False, False),
        ("P@ssw0rdP@ssw0rd", False, False),
        ("iloveyou", False, False),
        ("trustno1", False, False),
        ("qwertyuiopasdfgh", False, False),
        ("123456789012345", False, False),
        ("aaaaaaaaaaaaaaaa", False, False),
        ("abcdefghijklmnop", False, False),
        ("               a", False, False),
        ("Summer2026!Summer2026!", False, False),
        ("🦢" * 15, False, False),
        ("drowssapdrowssap", False, False),
        # what the account and the service give away
        (LOGIN.upper(), False, False),
        ("amelie b @ ward 3 example", False, False),
        ("AMÉLIE BEAUMONT ROUSSEAU", False, False),
        ("amélie1984", False, False),
        ("beaumont-rousseau", False, False),
        ("beaumontbeaumont", False, False),
        ("carekeepcarekeep", False, False),
        ("Carekeep2026", False, False),
        ("carekeep amelie", False, False),
        ("amelie beaumont 1984", False, False),
        ("carekeep heron over reeds", True, True),
    ],
    ids=lambda value: f"{repr(value)[:40]} {len(value)}" if isinstance(value, str | bytes) else None,
)
def test_verdict(password: str | bytes, *, alone: bool, with_code: bool) -> None:
    assert (verdict(password, with_code=False) is None, verdict(password, with_code=True) is None) == (alone, with_code)


@pytest.mark.parametrize(
    ("password", "told"),
    [
        ("password", "it is on the lists of most used passwords"),
        ("beaumont84", "it leans on the login, the name or the name of this service"),
        ("aaaaaaaaaaaaaaaa", "it repeats itself"),
        ("abcdefghijklmnop", "it follows the alphabet, the numbers or the keyboard"),
        ("12.11.1984", "it leans on a date"),
        ("dragonmaster", "it is a common password, word or name with little added"),
    ],
)
def test_the_reason_is_told_and_the_password_is_not(password: str, told: str) -> None:
    said = verdict(password, with_code=True)
    assert said is not None
    assert said.startswith(f"The password is easy to guess: {told}. Take four or more words")
    assert password not in said.replace("used passwords", "").replace("common password", "").replace("The password", "")


def test_the_rule_is_told() -> None:
    assert verdict("short1", with_code=False) == "The password is too short: at least 15 characters."
    assert verdict("short1", with_code=True) == "The password is too short: at least 8 characters."


def test_what_stands_alone() -> None:
    assert not stands_alone(Secret("x" * 14))
    assert stands_alone(Secret("x" * 15))
    assert not stands_alone(Secret("e\u0301" * 14))


def test_the_worst_text_is_rated_in_time() -> None:
    started = time.process_time()
    verdict(DEAREST[:1024], with_code=False)
    assert time.process_time() - started < 5  # without a bound it is minutes


def test_nothing_of_an_account_stays_in_the_process() -> None:
    verdict("heron over reeds at dusk", with_code=False)
    assert "beaumont" not in repr(matching.RANKED_DICTIONARIES.get("user_inputs"))
