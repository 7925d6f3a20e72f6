"""When a patient last saw the results in this browser: a stamp that it keeps, good for one account alone."""

from typing import Final

from carekeep.identity.stamps import read_stamped, stamp
from carekeep.web.browser import cookie, read_cookie
from carekeep.web.browser.cookies import Header
from carekeep.web.sites import Visit

_COOKIE: Final = "results-seen"
_YEAR_S: Final = 365 * 86_400
FIRST_DAYS: Final = 90
"""How far back results are new to somebody whose browser remembers no visit."""


def keep_seen(to: Visit) -> Header:
    """The header by which the browser remembers that the results were seen now."""
    value = stamp(to.services.keyring.index, _purpose(to), str(to.services.clock()).encode("ascii"))
    return cookie(_COOKIE, value, same_site="Lax", seconds=_YEAR_S)


def seen_ms(to: Visit) -> int | None:
    """When they were seen last; None when this browser does not know it of this account."""
    content = read_stamped(to.services.keyring.index, _purpose(to), read_cookie(to.request, _COOKIE) or "")
    return int(content) if content and content.isdigit() else None


def _purpose(to: Visit) -> str:
    return f"results seen by {to.account.id.hex()}"
