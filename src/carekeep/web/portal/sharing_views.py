"""What the page of sharing shows: my links with who opened them, and my guests. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from carekeep.access.sharing import Guest, Link
from carekeep.audit import Entry
from carekeep.web.sharing.opening import OPEN

_LINK: Final = re.compile(r"link ([0-9a-f]{32}), ")
MOST_OPENINGS: Final = 20  # of one link


@dataclass(frozen=True, slots=True)
class Opening:
    """Who opened a link, as they said of themselves, and when."""

    who: str = field(repr=False)
    at_ms: int


@dataclass(frozen=True, slots=True)
class LinkView:
    """A link that was not ended. ``left``: how often it can still be opened; None: as often as its time lasts."""

    id: str
    label: str = field(repr=False)
    state: str
    is_open: bool
    has_passcode: bool
    made_ms: int
    until_ms: int
    opened: int
    left: int | None
    openings: tuple[Opening, ...]


@dataclass(frozen=True, slots=True)
class GuestView:
    """Somebody who was invited and not ended."""

    id: str
    name: str = field(repr=False)
    organization: str = field(repr=False)
    address: str = field(repr=False)
    state: str
    until_ms: int
    reads_all: bool
    sensitive: bool


_LINK_STATES: Final = {
    "open": "It can be opened.",
    "expired": "Its time is over.",
    "used up": "It was opened as often as you allowed.",
    "ended by wrong passcodes": "Somebody tried five wrong passcodes, so it opens no more.",
}
_GUEST_STATES: Final = {
    "invited": "Invited, and not there yet.",
    "reading": "May read.",
    "expired": "The time is over.",
    "ended by wrong codes": "Somebody tried five wrong codes, so the invitation is void.",
}
# By English text, as gettext finds them.
STATES: Final = (*_LINK_STATES.values(), *_GUEST_STATES.values())


def openings_of(entries: Iterable[Entry]) -> dict[str, tuple[Opening, ...]]:
    """Who opened which link, the newest first as the entries come; by the ids of the links."""
    found: dict[str, list[Opening]] = {}
    for entry in entries:
        named = _LINK.match(entry.query or "") if entry.action == OPEN and entry.outcome == "permitted" else None
        if named is not None:
            found.setdefault(named[1], []).append(Opening(entry.recipient or "", entry.at_ms))
    return {id_: tuple(openings[:MOST_OPENINGS]) for id_, openings in found.items()}


def link_view(link: Link, openings: tuple[Opening, ...], now_ms: int) -> LinkView:
    """A link as its owner sees it."""
    state = link.state(now_ms)
    return LinkView(
        id=link.id,
        label=link.label,
        state=_LINK_STATES[state],
        is_open=state == "open",
        has_passcode=link.passcode is not None,
        made_ms=link.created_ms,
        until_ms=link.expires_ms,
        opened=link.opened,
        left=None if link.uses is None else max(0, link.uses - link.opened),
        openings=openings,
    )


def guest_view(guest: Guest, now_ms: int) -> GuestView:
    """A guest as the patient sees them."""
    return GuestView(
        id=guest.id,
        name=guest.name,
        organization=guest.organization,
        address=guest.address,
        state=_GUEST_STATES[guest.state(now_ms)],
        until_ms=guest.ends_ms,
        reads_all=not guest.types,
        sensitive=guest.sensitive,
    )
