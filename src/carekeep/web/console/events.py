"""``GET /events?what=…``: the newest notable entries of one kind, for auditors: the evidence behind a number."""

from dataclasses import dataclass, field
from typing import Final

from carekeep.access import Action, Decision, Target
from carekeep.audit import About, Followed, Notable, Subject
from carekeep.web.fhir.auditing import AUDIT_EVENT, EntrySight
from carekeep.web.http import Response
from carekeep.web.sites import Visit, nothing_here

MOST: Final = 200
DAY_MS: Final = 86_400_000
WEEK_MS: Final = 7 * DAY_MS

TITLES: Final = {
    Notable.DENIED: ("Refused requests", "Somebody asked for what they may not have."),
    Notable.SIGN_IN_REFUSED: ("Refused sign-ins", "Somebody forgot something, or tries to come in."),
    Notable.EMERGENCY_OPENED: ("Emergencies opened", "Each is answered for, and its patient is told."),
    Notable.IN_EMERGENCY: ("Done in emergencies", "What was read while an emergency was open."),
    Notable.DISCLOSURE: ("Given to others", "Health data left to somebody outside."),
    Notable.RULES_CHANGED: ("Rules changed", "What people may do, or who witnesses it, is different now."),
    Notable.ADMINISTRATION: ("Administration", "Accounts, sessions, devices, apps or keys changed."),
    Notable.DESTROYED: ("Destroyed", "Records or keys are gone for good."),
    Notable.CONTRADICTED: ("Contradictions", "Somebody holds another version of the ledger."),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One entry as the page shows it."""

    id: str
    at_ms: int
    who: str = field(repr=False)
    role: str
    action: str
    outcome: str
    patients: tuple[str, ...] = field(repr=False)
    reason: str = field(repr=False)


def line_of(followed: Followed) -> Line:
    """What is shown of an entry: no names, patients by their ids."""
    entry = followed.entry
    who = entry.agent.who or entry.agent.account
    return Line(
        followed.entry_id.hex(), entry.at_ms, who, entry.agent.role, entry.action, entry.outcome, entry.patients,
        entry.reason,
    )  # fmt: skip


async def newest(to: Visit, sight: EntrySight, kind: Notable, since_ms: int) -> list[Followed]:
    """The entries of one kind since then that the auditor may see, at most 200, the newest first."""
    found: list[Followed] = []
    async for followed in to.services.entry_index.newest_first(Subject(About.NOTABLE, kind.value)):
        if followed.entry.at_ms < since_ms or len(found) == MOST:
            break
        seen = await sight.of(followed)
        if seen is not None:
            found.append(seen)
    return found


async def require(to: Visit) -> Decision:
    """The decision by which somebody sees entries of all."""
    return await to.require(Action.DISCLOSURE_READ, Target(AUDIT_EVENT))


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """The list of one kind."""
    if method != "GET" or rest:
        raise nothing_here()
    decision = await require(to)
    kind = next((each for each in TITLES if each.value == to.asked("what")), None)
    if kind is None:
        await to.passage.record(Action.DISCLOSURE_READ, "failed", decision=decision, query="notable entries")
        raise nothing_here()
    found = await newest(to, EntrySight(to.passage), kind, to.services.clock() - WEEK_MS)
    patients = tuple(sorted({patient for each in found for patient in each.entry.patients}))
    query = f"{len(found)} notable entries: {kind.value}"
    await to.passage.record(Action.DISCLOSURE_READ, "permitted", decision=decision, patients=patients, query=query)
    title, so_what = TITLES[kind]
    lines = [line_of(each) for each in found]
    return to.page("events.html", title=title, so_what=so_what, lines=lines, cut=len(found) == MOST)
