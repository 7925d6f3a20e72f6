"""Counting wrong passwords, in the database, before anybody is told whether they were wrong.

The rules are in ``throttle_rules``. Subjects stand in the table as keyed digests; the counter of failures in a row is
filed under the account's own ``login_tag``, so that it outlives every purge for as long as the account does.
"""

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from carekeep.encryption import Keyring
from carekeep.identity.account import login_tag
from carekeep.identity.known_browsers import KnownBrowsers
from carekeep.identity.throttle_rules import (
    MOST_IN_A_ROW,
    MOST_OF_AN_ADDRESS,
    MOST_OF_EVERYBODY,
    WINDOW_MS,
    Count,
    Counts,
    judge,
)
from carekeep.storage import Change, Clock, Conflict, Database, Prepared, system_clock

_RACES = 3  # tries for the same login that may come in between
_A_MOMENT_MS = 1000
_QUIET_MS = 30 * 86_400_000
_IPV6_NETWORK_BITS = 64  # what one customer is given

_READ = "SELECT subject, failures, last_ms FROM attempt WHERE subject IN ($1, $2, $3, $4, $5)"
_COUNT = """
    INSERT INTO attempt (subject, failures, last_ms) VALUES ($1, 1, $2)
    ON CONFLICT (subject) DO UPDATE SET failures = attempt.failures + 1, last_ms = excluded.last_ms
     WHERE attempt.failures < $3
"""
_FORGET = "DELETE FROM attempt WHERE subject = $1"
_TAKE_BACK = "UPDATE attempt SET failures = failures - 1 WHERE subject = $1 AND failures > 0"
_PURGE = """
    DELETE FROM attempt WHERE last_ms < $1
       AND NOT EXISTS (SELECT 1 FROM account a WHERE a.login_tag = attempt.subject)
"""


class Throttled(Exception):
    """The try may not be made. ``wait_ms``: how long to wait; None when the password is off until a stronger way in."""

    def __init__(self, wait_ms: int | None) -> None:
        super().__init__(wait_ms)
        self.wait_ms = wait_ms


@dataclass(frozen=True, slots=True)
class Taken:
    """A try that was counted as failed, until ``Throttle.settled``."""

    forget: tuple[bytes, ...]
    take_back: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Subjects:
    in_a_row: bytes
    strangers: bytes
    browser: bytes
    address: bytes
    everybody: bytes


class Throttle:
    """Lets a password be tried, or not yet, or not any more. The same for logins that nobody has."""

    def __init__(
        self, database: Database, keyring: Keyring, clock: Clock = system_clock, browsers: KnownBrowsers | None = None
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._browsers = browsers or KnownBrowsers(keyring, clock)

    def knows(self, login: str, known_browser: str | None) -> bool:
        """Whether this is the cookie of a browser that signed in with this login before."""
        return known_browser is not None and self._browsers.recognize(known_browser, login) is not None

    async def take(self, login: str, address: str | None, known_browser: str | None) -> Taken:
        """Counts a failure, and lets the password be tried. Raises Throttled.

        ``known_browser``: the cookie of ``KnownBrowsers``. Each step of the count names the count that was read: of two
        tries at once one is made, and the other is judged anew.
        """
        number = self._browsers.recognize(known_browser, login) if known_browser else None
        for _ in range(_RACES):
            now = self._clock()
            subjects = self._subjects(login, address, number, now)
            counts = await self._counts(subjects, is_known=number is not None)
            verdict = judge(counts, now)
            if verdict.wait_ms != 0:
                raise Throttled(verdict.wait_ms)
            rows, taken = _try(subjects, counts, now, as_stranger=verdict.as_stranger)
            try:
                await self._database.commit([Change(_COUNT, sorted(rows), expect=len(rows))])
            except Conflict:
                continue
            return taken
        raise Throttled(_A_MOMENT_MS)

    @staticmethod
    def settled(taken: Taken) -> tuple[Change, ...]:
        """The steps that make a success of a try: to be committed with what tells of it."""
        return (
            Change(_FORGET, [(subject,) for subject in taken.forget]),
            Change(_TAKE_BACK, [(subject,) for subject in sorted(taken.take_back)]),
        )

    async def prepare_purge(self, now: int) -> Prepared[None]:
        """Forgets counts that are 30 days old, but for failures in a row at logins that somebody has."""
        return Prepared(None, (Change(_PURGE, ((now - _QUIET_MS,),)),))

    async def _counts(self, subjects: _Subjects, *, is_known: bool) -> Counts:
        asked = (subjects.in_a_row, subjects.strangers, subjects.browser, subjects.address, subjects.everybody)
        found = {
            subject: Count(failures, last_ms) for subject, failures, last_ms in await self._database.fetch(_READ, asked)
        }
        in_a_row, strangers, browser, address, everybody = (found.get(subject, Count()) for subject in asked)
        return Counts(in_a_row, strangers, browser if is_known else None, address, everybody)

    def _subjects(self, login: str, address: str | None, number: bytes | None, now: int) -> _Subjects:
        tag, digest, window = login_tag(self._keyring, login), self._keyring.index.digest, str(now // WINDOW_MS)
        return _Subjects(
            tag,
            _strangers(self._keyring, login),
            digest("attempts of a browser", tag, number or b""),
            digest("attempts from an address", _network(address), window),
            digest("attempts of everybody", window),
        )


def forgiven(keyring: Keyring, login: str) -> Change:
    """The step that puts a password back on: for sign-ins by a stronger way, and for recoveries."""
    return Change(_FORGET, ((login_tag(keyring, login),), (_strangers(keyring, login),)))


def _strangers(keyring: Keyring, login: str) -> bytes:
    return keyring.index.digest("attempts of strangers", login_tag(keyring, login))


def _try(
    subjects: _Subjects, counts: Counts, now: int, *, as_stranger: bool
) -> tuple[list[tuple[bytes, int, int]], Taken]:
    """The rows of the count (subject, now, the count at which it does not happen), and how it is settled."""
    total = (subjects.in_a_row, now, MOST_IN_A_ROW)
    if not as_stranger and counts.browser is not None:
        own = (subjects.browser, now, counts.browser.failures + 1)
        return [total, own], Taken((subjects.in_a_row, subjects.browser), ())
    rows = [
        total,
        (subjects.strangers, now, counts.strangers.failures + 1),
        (subjects.address, now, MOST_OF_AN_ADDRESS),
        (subjects.everybody, now, MOST_OF_EVERYBODY),
    ]
    return rows, Taken((subjects.in_a_row, subjects.strangers), (subjects.address, subjects.everybody))


def _network(address: str | None) -> str:
    """The address, of IPv6 its network: one customer has 2^64 of them."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return address or ""
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    if isinstance(parsed, IPv6Address):
        return str(int(parsed) >> (128 - _IPV6_NETWORK_BITS))
    return str(parsed)
