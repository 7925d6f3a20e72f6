"""How many wrong passwords are too many. Pure: counts in, waiting times out.

Three counts go with a login, two with where the try comes from:

* *in a row*: all failures since the last success. At 100 the password is off until a stronger way in was used
  (NIST SP 800-63B-4, section 3.2.2).
* *strangers*: those of browsers that never signed in to this account. They wait longer and longer, and end at 80: so
  that strangers alone can never use up the 100, and the owner's browsers always have tries left.
* *this browser*: those of one browser that signed in before. At 10 it counts as a stranger.
* *address* and *everybody*: strangers' failures in a quarter of an hour; these hold guessing of one password over many
  logins, from one address or from many. Browsers that are known pass them by.
"""

from dataclasses import dataclass

MOST_IN_A_ROW = 100
MOST_OF_STRANGERS = 80
MOST_OF_A_BROWSER = 10
MOST_OF_AN_ADDRESS = 50
MOST_OF_EVERYBODY = 1000
WINDOW_MS = 15 * 60_000

_FREE = 5  # failures that cost no waiting
_FIRST_WAIT_MS = 1000
_LONGEST_WAIT_MS = 15 * 60_000
_MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Count:
    """Failures so far, and when the last one was (milliseconds since 1970)."""

    failures: int = 0
    last_ms: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """What is counted against one try. ``browser``: None when the browser is a stranger."""

    in_a_row: Count
    strangers: Count
    browser: Count | None
    address: Count
    everybody: Count


@dataclass(frozen=True, slots=True)
class Verdict:
    """``wait_ms``: 0 when the try may be made; None when no waiting helps, only a stronger way in.

    ``as_stranger``: in which bucket the try is counted.
    """

    wait_ms: int | None
    as_stranger: bool


def judge(counts: Counts, now: int) -> Verdict:
    """Whether a try may be made now."""
    as_stranger = counts.browser is None or counts.browser.failures >= MOST_OF_A_BROWSER
    if counts.in_a_row.failures >= MOST_IN_A_ROW:
        return Verdict(None, as_stranger)
    if counts.browser is not None and not as_stranger:
        return Verdict(_still_to_wait(counts.browser, now), as_stranger=False)
    if counts.strangers.failures >= MOST_OF_STRANGERS:
        return Verdict(None, as_stranger=True)
    waits = [_still_to_wait(counts.strangers, now)]
    if counts.address.failures >= MOST_OF_AN_ADDRESS or counts.everybody.failures >= MOST_OF_EVERYBODY:
        waits.append(WINDOW_MS - now % WINDOW_MS)
    return Verdict(max(waits), as_stranger=True)


def _still_to_wait(count: Count, now: int) -> int:
    doublings = count.failures - _FREE
    if doublings < 0:
        return 0
    wait = min(_FIRST_WAIT_MS << min(doublings, _MOST_DOUBLINGS), _LONGEST_WAIT_MS)
    return max(0, count.last_ms + wait - now)
