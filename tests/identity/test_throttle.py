"""Guessing passwords: by one who has time, by many at once, over many logins, and against the owner's own way in."""

import asyncio

import pytest

from carekeep.encryption import Secret, verify_password
from carekeep.identity import SignInRefused, SignInThrottled, sign_in
from carekeep.identity.throttle import Throttled
from carekeep.identity.throttle_rules import MOST_OF_AN_ADDRESS, MOST_OF_STRANGERS, WINDOW_MS
from carekeep.storage import Change
from tests.identity.people import PASSWORD, Office

WRONG = Secret("seventeen swans sink")
LONG_MS = 20 * 60_000
DAY_MS = 86_400_000


async def attempt(
    office: Office,
    login: str = "amelie",
    password: Secret = WRONG,
    *,
    address: str = "203.0.113.9",
    browser: str | None = None,
) -> str:
    try:
        verified = await office.sign_in.verify(login, password, None, address=address, known_browser=browser)
    except SignInThrottled as throttled:
        return "off" if throttled.wait_ms is None else f"wait {throttled.wait_ms // 1000}"
    except SignInRefused:
        return "wrong"
    await office.database.commit(verified.steps)
    return "signed in"


async def guess(office: Office, times: int, login: str = "amelie", browser: str | None = None) -> list[str]:
    """Guesses by a stranger who has many addresses, and patience."""
    answers = []
    for number in range(times):
        answers.append(await attempt(office, login, address=f"198.51.100.{number}", browser=browser))
        office.now += LONG_MS
    return answers


@pytest.mark.parametrize("login", ["amelie", "nobody"])
async def test_haste_makes_waiting_for_known_and_unknown_alike(office: Office, login: str) -> None:
    await office.practitioner()
    answers = [await attempt(office, login) for _ in range(6)]
    assert answers == ["wrong"] * 5 + ["wait 1"]
    assert await attempt(office, login, PASSWORD) == "wait 1"
    office.now += 1000
    assert await attempt(office, login) == "wrong"
    assert await attempt(office, login) == "wait 2"


@pytest.mark.parametrize("login", ["amelie", "nobody"])
async def test_patience_and_many_addresses_end_too(office: Office, login: str) -> None:
    await office.practitioner()
    assert await guess(office, MOST_OF_STRANGERS + 2, login) == ["wrong"] * MOST_OF_STRANGERS + ["off"] * 2
    assert await attempt(office, login, PASSWORD) == "off"


async def test_the_owner_is_not_locked_out_in_a_browser_that_is_known(office: Office) -> None:
    await office.practitioner()
    browser = office.known_browsers.issue("AMELIE").reveal_text()
    await guess(office, MOST_OF_STRANGERS)
    browser_of_a_year = browser
    office.now += DAY_MS
    assert await attempt(office, password=PASSWORD) == "off"
    assert await attempt(office, password=PASSWORD, browser=browser) == "signed in"
    office.now += 90 * DAY_MS
    assert await attempt(office, password=PASSWORD, browser=browser_of_a_year) == "off"


async def test_a_known_browser_is_known_for_its_login(office: Office) -> None:
    await office.practitioner()
    await office.practitioner("bruno")
    await guess(office, MOST_OF_STRANGERS)
    for cookie in (office.known_browsers.issue("bruno").reveal_text(), "", "x" * 86, "é"):
        assert await attempt(office, password=PASSWORD, browser=cookie) == "off"


async def test_a_stolen_known_browser_has_ten_tries_and_is_a_stranger(office: Office) -> None:
    await office.practitioner()
    browser = office.known_browsers.issue("amelie").reveal_text()
    await guess(office, MOST_OF_STRANGERS)
    assert await guess(office, 11, browser=browser) == ["wrong"] * 10 + ["off"]
    other = office.known_browsers.issue("amelie").reveal_text()
    assert await attempt(office, password=PASSWORD, browser=other) == "signed in"


async def test_a_hundred_in_a_row_put_the_password_off(office: Office) -> None:
    await office.practitioner()
    browsers = [office.known_browsers.issue("amelie").reveal_text() for _ in range(4)]
    answers = await guess(office, MOST_OF_STRANGERS)
    for browser in browsers[:2]:
        answers += await guess(office, 10, browser=browser)
    assert answers == ["wrong"] * 100
    assert await attempt(office, password=PASSWORD, browser=browsers[3]) == "off"


async def test_a_success_starts_the_count_anew(office: Office) -> None:
    await office.practitioner()
    for _ in range(3):
        assert [await attempt(office) for _ in range(4)] == ["wrong"] * 4
        assert await attempt(office, password=PASSWORD) == "signed in"


async def test_an_attacker_with_an_account_does_not_hide_behind_its_successes(office: Office) -> None:
    """The address's count is only taken back for the success itself."""
    await office.practitioner()
    await office.practitioner("mallory")
    for number in range(MOST_OF_AN_ADDRESS):
        assert await attempt(office, f"victim-{number}") == "wrong"
        if number % 10 == 0:
            assert await attempt(office, "mallory", PASSWORD) == "signed in"
    assert (await attempt(office, "victim-x")).startswith("wait")
    assert await attempt(office, "victim-x", address="203.0.113.10") == "wrong"
    office.now += WINDOW_MS
    assert await attempt(office, "victim-x") == "wrong"


async def test_an_ipv6_customer_is_one_address(office: Office) -> None:
    for number in range(MOST_OF_AN_ADDRESS):
        assert await attempt(office, f"victim-{number}", address=f"2001:db8:1:2::{number:x}") == "wrong"
    assert (await attempt(office, "victim-x", address="2001:db8:1:2:ffff::1")).startswith("wait")
    assert await attempt(office, "victim-x", address="2001:db8:1:3::1") == "wrong"
    for number in range(MOST_OF_AN_ADDRESS):
        assert await attempt(office, f"other-{number}", address="::ffff:192.0.2.1") == "wrong"
    assert (await attempt(office, "other-x", address="192.0.2.1")).startswith("wait")


async def test_two_at_once_do_not_get_an_extra_try(office: Office) -> None:
    """The race: the last try before the wait, from many addresses at the same moment."""
    await office.practitioner()
    assert [await attempt(office) for _ in range(4)] == ["wrong"] * 4
    answers = await asyncio.gather(*(attempt(office, address=f"198.51.100.{number}") for number in range(8)))
    assert sorted(answers) == ["wait 1"] * 7 + ["wrong"]


async def test_the_hundredth_is_the_last_from_wherever_it_comes(office: Office) -> None:
    """A stranger and a known browser at the same moment are counted in different buckets, and together, too."""
    await office.practitioner()
    tag = office.keyring.index.digest("login", "amelie")
    sql = "INSERT INTO attempt (subject, failures, last_ms) VALUES ($1, 99, 0)"
    await office.database.commit([Change(sql, ((tag,),))])
    browser = office.known_browsers.issue("amelie").reveal_text()
    answers = await asyncio.gather(attempt(office), attempt(office, browser=browser))
    assert sorted(answers) == ["off", "wrong"]


async def test_what_is_throttled_costs_no_work(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    await office.practitioner()
    worked: list[str] = []

    def counted(password: Secret, phc: str) -> bool:
        worked.append(phc)
        return verify_password(password, phc)

    monkeypatch.setattr(sign_in, "verify_password", counted)
    for login in ("amelie", "nobody"):
        worked.clear()
        for _ in range(10):
            await attempt(office, login)
        assert len(worked) == 5


async def test_it_is_counted_before_it_is_told(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that hangs up, or a process that dies while it checks a password, has had its try."""
    await office.practitioner()

    def dies(_password: Secret, _phc: str) -> bool:
        raise MemoryError

    monkeypatch.setattr(sign_in, "verify_password", dies)
    for _ in range(5):
        with pytest.raises(MemoryError):
            await attempt(office)
    assert await attempt(office) == "wait 1"


async def test_the_refusal_says_the_same_of_every_login(office: Office) -> None:
    made = await office.practitioner()
    told = []
    for login in ("amelie", "nobody"):
        for _ in range(5):
            await attempt(office, login)
        with pytest.raises(SignInThrottled) as throttled:
            await office.sign_in.verify(login, PASSWORD, None)
        told.append((str(throttled.value), throttled.value.wait_ms, throttled.value.reason))
        assert throttled.value.account_id == (made.id.hex() if login == "amelie" else None)
    assert told[0] == told[1]


async def test_the_count_of_an_account_is_kept_and_that_of_nobody_is_not(office: Office) -> None:
    made = await office.practitioner()
    for login in ("amelie", "nobody"):
        await guess(office, 3, login)
    office.now += 31 * DAY_MS
    await office.database.commit((await office.throttle.prepare_purge(office.now)).steps)
    [(subject, failures)] = await office.database.fetch("SELECT subject, failures FROM attempt")
    [(tag,)] = await office.database.fetch("SELECT login_tag FROM account WHERE id = $1", (made.id,))
    assert (subject, failures) == (tag, 3)


async def test_nothing_of_login_or_address_stands_in_the_open(office: Office) -> None:
    await attempt(office, "amelie", address="203.0.113.9")
    rows = await office.database.fetch("SELECT * FROM attempt")
    assert len(rows) == 4
    assert all(len(subject) == 16 for subject, _, _ in rows)
    assert b"amelie" not in repr(rows).encode()
    assert b"203.0" not in repr(rows).encode()


async def test_a_try_that_is_always_overtaken_is_told_to_wait(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = office.database.commit

    async def overtaken(steps: list[Change]) -> None:
        strangers = office.keyring.index.digest("attempts of strangers", office.keyring.index.digest("login", "amelie"))
        sql = """INSERT INTO attempt (subject, failures, last_ms) VALUES ($1, 1, 0)
                 ON CONFLICT (subject) DO UPDATE SET failures = attempt.failures + 1"""
        await commit([Change(sql, ((strangers,),))])
        await commit(steps)

    monkeypatch.setattr(office.database, "commit", overtaken)
    with pytest.raises(Throttled) as throttled:
        await office.throttle.take("amelie", None, None)
    assert throttled.value.wait_ms == 1000
