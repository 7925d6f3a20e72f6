"""Who looked, as the page shows it: each look with its reason, those to look at first apart. Pure.

A reason is what was found in the records when it was decided: a care team, a visit, an appointment, an emergency, a
consent. Where none was found, the page says so, and first.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, unique
from types import MappingProxyType

from carekeep.access.seen import SeenUnreadable, decode_seen
from carekeep.access.vocabulary import Relation
from carekeep.audit import Entry
from carekeep.audit.views import Deed, Look

YOU = "You"
PAGE = 40  # looks on one page
_DAY_MS = 86_400_000
_STAFF = frozenset({"administrator", "auditor", "operator of the server", "the server itself"})


@unique
class Mark(StrEnum):
    """Why a look stands at the top."""

    EMERGENCY = "emergency"
    UNEXPLAINED = "unexplained"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Line:
    """One look. Texts are English, to be translated by the page; ``who``, ``place`` and ``because`` are as they are.

    ``entry``: the id of its newest entry in the ledger (hex), by which it is checked and asked about. ``place``: the
    organization, as far as it is known. ``question``: how far the patient's question about it is, "" for none.
    """

    look: Look
    entry: str
    place: str
    reasons: tuple[str, ...]
    mark: Mark | None
    policies: tuple[str, ...]
    question: str = ""

    @property
    def gave_out(self) -> bool:
        """Whether data left to somebody."""
        return self.look.deed is Deed.GAVE_OUT and not self.look.refused

    @property
    def is_one_moment(self) -> bool:
        """Whether the first and the last of it show the same time."""
        return self.look.last_ms // 60_000 == self.look.first_ms // 60_000


@dataclass(frozen=True, slots=True)
class Day:
    """The looks of a day (UTC), the newest first, and the patient's visits on it, in words."""

    at_ms: int
    visits: tuple[str, ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """What one page shows. ``number`` of ``pages``, from 1. ``own``: what the visitor did, apart from all others."""

    first: tuple[Line, ...]
    days: tuple[Day, ...]
    own: tuple[Line, ...]
    number: int
    pages: int


def line_of(look: Look, entries: Mapping[str, Entry], place: str = "", question: str = "") -> Line:
    """A look with the reasons that its entries hold."""
    of = [entries[each] for each in look.entries if each in entries]
    reasons = _reasons(look, of)
    newest = max(look.entries, default="")
    policies = tuple(dict.fromkeys(policy for entry in of for policy in entry.policies))
    return Line(look, newest, place, reasons, _mark(look, reasons), policies, question)


def arranged(lines: Sequence[Line], own: str, visits: Mapping[int, tuple[str, ...]], number: int) -> Shown:
    """The lines on one page. ``own``: the FHIR reference of the visitor; ``visits``: words by the day's start."""
    others = [each for each in lines if each.look.reference != own]
    mine = tuple(each for each in lines if each.look.reference == own)
    pages = max(1, -(-len(others) // PAGE))
    number = min(max(number, 1), pages)
    on_page = others[(number - 1) * PAGE : number * PAGE]
    first = tuple(each for each in others if each.mark is not None)[:PAGE] if number == 1 else ()
    by_day: dict[int, list[Line]] = {}
    for each in on_page:
        by_day.setdefault(each.look.last_ms // _DAY_MS * _DAY_MS, []).append(each)
    days = tuple(Day(at, visits.get(at, ()), tuple(found)) for at, found in by_day.items())
    return Shown(first, days, mine[:PAGE], number, pages)


def _reasons(look: Look, entries: Iterable[Entry]) -> tuple[str, ...]:
    found: list[str] = []
    for entry in entries:
        if any(policy.startswith("emergency.") for policy in entry.policies):
            found.append(_EMERGENCY)
        found += [words for policy, words in _BY_POLICY.items() if policy in entry.policies]
        if len(entry.patients) == 1:  # of an entry about several it does not say to whom the relation was
            found += [_BY_RELATION[each] for each in sorted(_relations(entry)) if each in _BY_RELATION]
    if not found and look.role == "program":
        found.append(_PROGRAM)
    if not found and look.role in _STAFF:
        found.append(_KEEPING)
    return tuple(dict.fromkeys(found))


def _relations(entry: Entry) -> frozenset[Relation]:
    relations: set[Relation] = set()
    for text in entry.seen:
        try:
            relations |= decode_seen(text).relations
        except SeenUnreadable:
            continue
    return frozenset(relations)


def _mark(look: Look, reasons: tuple[str, ...]) -> Mark | None:
    if look.who == YOU:
        return None
    if look.refused:
        return Mark.REFUSED
    if look.emergency:
        return Mark.EMERGENCY
    return None if reasons else Mark.UNEXPLAINED


_EMERGENCY = "In an emergency, with a written reason"
_PROGRAM = "A program of the organization that keeps your records"
_KEEPING = "Keeps the records and their rules in order"
_BY_RELATION: Mapping[Relation, str] = MappingProxyType(
    {
        Relation.SELF: "Your own records",
        Relation.CARE_TEAM: "On your care team",
        Relation.ENCOUNTER: "You had a visit or a stay with them",
        Relation.APPOINTMENT: "You have an appointment with them",
        Relation.GUEST: "Invited from outside for a time",
        Relation.DELEGATE: "Acts for you",
    }
)
_BY_POLICY: Mapping[str, str] = MappingProxyType(
    {
        "consent.named": "You allowed it by name",
        "consent.research": "You agreed to research",
        "system.records": _PROGRAM,
        "system.bulk": _PROGRAM,
        "care.register": "Registered you as a new patient",
    }
)
# Every reason in English, as gettext finds it.
REASONS = frozenset((_EMERGENCY, _PROGRAM, _KEEPING, *_BY_RELATION.values(), *_BY_POLICY.values()))
