"""Writes ``docs/limits.md`` from the constants in force: ``python -m scripts.limits_page``."""

from pathlib import Path

from carekeep.access import break_glass
from carekeep.fhir.bundles import entries
from carekeep.fhir.search import asking, control
from carekeep.identity import (
    browser_session_rows,
    devices,
    known_browsers,
    notices,
    passkey_ceremonies,
    passkeys,
    password_policy,
    recoveries,
    sign_in_line,
    throttle_rules,
)
from carekeep.identity.apps import clients, codes, grants, launches, pushed
from carekeep.web import http, plain_json
from carekeep.web.bulk import importing, opening
from carekeep.web.fhir import bodies, including
from carekeep.web.oauth import issuing, pacing
from carekeep.web.subscriptions import bindings, keeping, sockets

PAGE = Path(__file__).parent.parent / "docs" / "limits.md"
_SECOND = 1000
_UNITS = ((86_400 * _SECOND, "days"), (3600 * _SECOND, "hours"), (60 * _SECOND, "minutes"), (_SECOND, "seconds"))
_WRONG = throttle_rules
_ALONE, _WITH_CODE = password_policy.SHORTEST_ALONE, password_policy.SHORTEST_WITH_CODE
_IDLE, _LONGEST = browser_session_rows.IDLE_MS, browser_session_rows.LONGEST_MS


def _time(milliseconds: int) -> str:
    """In the largest unit that gives a whole number, but days only from two on."""
    unit, name = next(
        (unit, name)
        for unit, name in _UNITS
        if milliseconds % unit == 0 and milliseconds // unit >= (2 if name == "days" else 1)
    )
    count = milliseconds // unit
    return f"{count} {name if count > 1 else name.removesuffix('s')}"


def _size(number: int) -> str:
    """Bytes, in the largest unit that gives a whole number."""
    for power, name in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if number % (1 << power) == 0:
            return f"{number >> power} {name}"
    return f"{number} bytes"


def text() -> str:
    """The whole page."""
    return _PAGE


_PAGE = f"""# Limits

How long, how many, how large. Generated from the code by `python -m scripts.limits_page`; none of it is a setting.

## Passwords

At least {_ALONE} characters, or {_WITH_CODE} where one-time codes go with it; at most {_size(password_policy.LONGEST)}.
Any character, no composition, no expiry (NIST SP 800-63B-4). Refused is what is easy to guess: what is on the lists of
leaked and most used passwords, words and names that come with zxcvbn, rows of keys, repetition; and what leans on these
words, whole or in parts, in other letters and without accents: **the login, the name of the person, the name of this
service** (`carekeep`).

## Wrong passwords

| who | how many wrong ones |
|---|---|
| an account, in a row, from anywhere | {_WRONG.MOST_IN_A_ROW}: then only a stronger way in is left |
| an account, by browsers that never signed in to it | {_WRONG.MOST_OF_STRANGERS}: then those are out |
| an account, by one browser that did (known for {_time(known_browsers.LIFETIME_MS)}) | \
{_WRONG.MOST_OF_A_BROWSER}: then it counts as a stranger |
| an address, by strangers | {_WRONG.MOST_OF_AN_ADDRESS} in {_time(_WRONG.WINDOW_MS)} |
| all strangers together | {_WRONG.MOST_OF_EVERYBODY} in {_time(_WRONG.WINDOW_MS)} |
| passwords that wait to be checked | {sign_in_line.MOST_WAITING} in a worker, one by one |

After the first few, each wrong one makes strangers wait twice as long. Nobody can lock a clinician out: strangers end
before the account does, browsers that are known pass them by, and a passkey or a recovery by two administrators is
always there.

## Sessions

| assurance | ends when idle for | ends in any case after |
|---|---|---|
| 1 one factor | {_time(_IDLE[1])} | {_time(_LONGEST[1])} |
| 2 two factors | {_time(_IDLE[2])} | {_time(_LONGEST[2])} |
| 3 a passkey of one device | {_time(_IDLE[3])} | {_time(_LONGEST[3])} |

These are the times of NIST SP 800-63B-4. An account may have any number of sessions at once; people see all of theirs
and end them, and whoever leaves or loses a device loses them all. A sign-in and a step-up make a new cookie.

| what | good for | how many |
|---|---|---|
| question for a passkey | {_time(passkey_ceremonies.LIFETIME_MS)} | |
| passkeys | until they are removed | {passkeys.MOST_OF_ONE_ACCOUNT} an account |
| recovery by two administrators | {_time(recoveries.LIFETIME_MS)} | |
| emergency access (break-glass) | {_time(break_glass.DEFAULT_LIFETIME_MS)}, at most \
{_time(break_glass.LONGEST_LIFETIME_MS)} | one patient |
| devices | | {devices.MOST_OF_ONE_ACCOUNT:,} an account |
| notices | | the newest {notices.KEPT} of an account |

## Apps

| what | good for |
|---|---|
| authorization code | {_time(codes.LIFETIME_MS)}, once |
| pushed request | {_time(pushed.LIFETIME_MS)}, once |
| launch from the chart | {_time(launches.LIFETIME_MS)}, once |
| access token of a public app | {_time(issuing.PUBLIC_LIFETIME_MS)} |
| access token of another app | {_time(issuing.LIFETIME_MS)} |
| access token of a backend service | {_time(issuing.MACHINE_LIFETIME_MS)} |
| refresh token | {_time(grants.LONGEST_UNUSED_MS)} unused, {_time(grants.LONGEST_MS)} in all; each once |
| registrations by one address | {pacing.OF_ONE} an hour; {clients.MOST_PENDING} may wait for approval |

## Requests

| what | at most |
|---|---|
| path, query, one header | {_size(http.MAX_PATH)}, {_size(http.MAX_QUERY)}, {_size(http.MAX_HEADER)} |
| parameters of a form | {http.MAX_FIELDS} |
| a resource, a Bundle | {_size(bodies.MAX_RESOURCE)}, {_size(bodies.MAX_BUNDLE)} |
| entries of a Bundle | {entries.MAX_ENTRIES:,} |
| JSON beside FHIR | {_size(plain_json.LARGEST_BODY)} |
| a search: parameters, values of one, links of a chain | {asking.MAX_PAIRS}, {asking.MAX_VALUES}, {asking.MAX_DEPTH} |
| matches of a page | {control.MAX_COUNT:,} |
| records that come along with a search | {including.MOST_INCLUDED:,} |
| a line of an import | {_size(importing.LONGEST_LINE)} |
| files of an export are kept for | {_time(opening.KEPT_MS)} |
| subscriptions of an account | {keeping.MOST_SUBSCRIPTIONS} |
| websockets of a worker | {sockets.MOST_SOCKETS:,}, each by a token that is good for {_time(bindings.LIFETIME_MS)} |

What is larger or more is refused with a 4xx that names the limit. Work that takes long (exports, imports,
notifications) is done beside the requests, in steps that another worker goes on with. How often one account asks is not
limited.
"""


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
