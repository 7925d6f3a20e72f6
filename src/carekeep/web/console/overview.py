"""The first page of those who look after the installation: are we safe, what happened, what do I do."""

from dataclasses import dataclass
from typing import Final

from carekeep.access import Action
from carekeep.audit import Followed
from carekeep.identity import Kind
from carekeep.web.console.concerns import all_concerns
from carekeep.web.console.events import DAY_MS, MOST, TITLES, WEEK_MS, newest, require
from carekeep.web.fhir.auditing import EntrySight
from carekeep.web.health import overall, worst_first
from carekeep.web.http import Response
from carekeep.web.sites import Visit, nothing_here

_CHECKS: Final = 5


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something happened. ``day`` and ``week`` are texts: "200+" when there is more than was counted."""

    what: str
    title: str
    so_what: str
    day: str
    week: str


def counted(found: list[Followed], since_ms: int) -> str:
    """How many are not older."""
    count = sum(each.entry.at_ms >= since_ms for each in found)
    return f"{MOST}+" if count >= MOST else str(count)


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``GET /``."""
    if method != "GET" or rest:
        raise nothing_here()
    decision = await to.require(Action.OVERVIEW_READ)
    checks = await to.services.lookout.now(to.services)
    concerns = await all_concerns(to.services, to.account.kind)
    tallies = await _tallies(to) if to.account.kind is Kind.AUDITOR else []
    await to.passage.record(Action.OVERVIEW_READ, "permitted", decision=decision, query="the overview")
    worst = [each for each in worst_first(checks) if each.state != "ok"]
    return to.page(
        "overview.html",
        state=overall(checks),
        looked=len(checks),
        worst=worst[:_CHECKS],
        more=max(0, len(worst) - _CHECKS),
        concerns=concerns,
        tallies=tallies,
    )


async def _tallies(to: Visit) -> list[Tally]:
    """Of each notable kind, recorded as a reading of entries."""
    decision = await require(to)
    sight, now = EntrySight(to.passage), to.services.clock()
    tallies = []
    for kind, (title, so_what) in TITLES.items():
        found = await newest(to, sight, kind, now - WEEK_MS)
        tallies.append(Tally(kind.value, title, so_what, counted(found, now - DAY_MS), counted(found, now - WEEK_MS)))
    await to.passage.record(Action.DISCLOSURE_READ, "permitted", decision=decision, query="notable entries, counted")
    return tallies
