"""What waits for somebody: each source asks one question and answers with at most one line of the overview.

A new concern is a function here (or in a page's own module) and a line in ``SOURCES``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal

from carekeep.access.review_rows import Emergency, Letter, Review
from carekeep.identity import Kind
from carekeep.identity.recoveries import Recovery, RecoveryState
from carekeep.records.disposal.disposal_rows import Disposal, State
from carekeep.web.services import Services

Urgency = Literal["late", "waiting"]


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing to do. ``link``: the page with its evidence; ``command``: where there is none, what shows it."""

    title: str
    count: int
    urgency: Urgency
    so_what: str
    link: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """Somebody who may have something to do: for which kinds of account, and how to find out."""

    question: str
    kinds: frozenset[Kind]
    ask: Callable[[Services], Awaitable[Concern | None]]


async def all_concerns(services: Services, kind: Kind) -> list[Concern]:
    """Everything that waits for people of this kind, what is late first."""
    asked = [await source.ask(services) for source in SOURCES if kind in source.kinds]
    return sorted((each for each in asked if each is not None), key=lambda each: each.urgency != "late")


def emergencies(open_ones: tuple[Review, ...], now_ms: int) -> Concern | None:
    """Emergency access and searches that nobody has answered for."""
    found = [each for each in open_ones if each.kind is not Emergency.QUESTION and not each.is_answered]
    so_what = "Until somebody answers, nobody knows whether the access was right."
    return _of_reviews("Emergencies to answer for", found, now_ms, so_what)


def questions(open_ones: tuple[Review, ...], now_ms: int) -> Concern | None:
    """What patients ask about accesses."""
    found = [each for each in open_ones if each.kind is Emergency.QUESTION and not each.is_answered]
    return _of_reviews("Questions of patients", found, now_ms, "A patient wants to know why somebody looked.")


def letters(open_ones: tuple[Review, ...], now_ms: int) -> Concern | None:
    """Patients without an account, who are told by letter."""
    found = [each for each in open_ones if each.letter is Letter.DUE and not each.is_forgotten]
    so_what = "A patient without an account is told of an emergency access by letter."
    return _of_reviews("Letters to send", found, now_ms, so_what)


def recoveries(newest: tuple[Recovery, ...], now_ms: int) -> Concern | None:
    """Recoveries that a second administrator decides."""
    found = [each for each in newest if each.state is RecoveryState.OPEN and each.expires_ms > now_ms]
    so_what = "Somebody cannot sign in until a second administrator decides."
    return _by_command("Recoveries to decide", len(found), so_what, "GET /admin/recoveries")


def disposals(newest: tuple[Disposal, ...], now_ms: int) -> Concern | None:
    """Disposals that a second administrator decides."""
    found = [each for each in newest if each.state is State.PROPOSED and each.expires_ms > now_ms]
    so_what = "Records are destroyed for good, so a second administrator decides."
    return _by_command("Disposals to decide", len(found), so_what, "carekeep disposal list")


def apps(pending: int) -> Concern | None:
    """Apps that registered themselves."""
    return _by_command("Apps to approve", pending, "An app registered and reads nothing yet.", "carekeep app list")


def _of_reviews(title: str, found: list[Review], now_ms: int, so_what: str) -> Concern | None:
    if not found:
        return None
    late = any(each.is_overdue(now_ms) for each in found)
    return Concern(title, len(found), "late" if late else "waiting", so_what, link="/reviews")


def _by_command(title: str, count: int, so_what: str, command: str) -> Concern | None:
    return Concern(title, count, "waiting", so_what, command=command) if count else None


async def _emergencies(services: Services) -> Concern | None:
    return emergencies(await services.reviews.open_ones(), services.clock())


async def _questions(services: Services) -> Concern | None:
    return questions(await services.reviews.open_ones(), services.clock())


async def _letters(services: Services) -> Concern | None:
    return letters(await services.reviews.open_ones(), services.clock())


async def _recoveries(services: Services) -> Concern | None:
    return recoveries(await services.recoveries.newest(), services.clock())


async def _disposals(services: Services) -> Concern | None:
    return disposals(await services.disposals.newest(), services.clock())


async def _apps(services: Services) -> Concern | None:
    return apps(await services.apps.clients.pending())


_AUDITORS: Final = frozenset({Kind.AUDITOR})
_ADMINISTRATORS: Final = frozenset({Kind.ADMINISTRATOR})

SOURCES: Final = (
    Source("Was every emergency answered for?", _AUDITORS, _emergencies),
    Source("Does a patient wait for an answer?", _AUDITORS, _questions),
    Source("Is a letter due?", _AUDITORS, _letters),
    Source("Does somebody wait to come in again?", _ADMINISTRATORS, _recoveries),
    Source("Are records to go?", _ADMINISTRATORS, _disposals),
    Source("Does an app wait?", _ADMINISTRATORS, _apps),
)
