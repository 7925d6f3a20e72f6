"""What a patient is told of the ledger: the entries about them in a period, and as Parameters in words."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from carekeep.access import Action
from carekeep.audit import EntryIndex, Followed, Subject
from carekeep.audit.views import Accounting, Disclosure, Look, when_ms
from carekeep.fhir import dump_json, format_instant, interval_of
from carekeep.web.fhir.arguments import Arguments
from carekeep.web.fhir.auditing.sight import EntrySight
from carekeep.web.http import Response
from carekeep.web.passage import Passage, together
from carekeep.web.problems import problem

Json = dict[str, Any]
Show = Callable[[Followed], Awaitable[Followed | None]]
MOST = 10_000  # entries that are told of in one answer
STALE = 100  # entries in a row that are older than what is asked for: clocks differ, and may be set back


@dataclass(frozen=True, slots=True)
class Period:
    """From ``since_ms`` (inclusive) to ``until_ms`` (exclusive; None: now)."""

    since_ms: int = 0
    until_ms: int | None = None

    @classmethod
    def of(cls, arguments: Arguments, since_ms: int = 0) -> "Period":
        """The arguments ``since`` and ``until``: FHIR dates or instants. Raises 400 for anything else."""
        since, until = _moment(arguments, "since"), _moment(arguments, "until")
        return cls(since_ms if since is None else since, until)

    def has(self, moment_ms: int) -> bool:
        """Whether a moment is in the period."""
        return self.since_ms <= moment_ms and (self.until_ms is None or moment_ms < self.until_ms)


@dataclass(frozen=True, slots=True)
class Told:
    """The entries, as the person may see them, the newest first. ``cut``: there are more, which are older."""

    entries: tuple[Followed, ...]
    cut: bool


async def entries_about(passage: Passage, sight: EntrySight, subject: Subject, period: Period) -> Told:
    """The entries of a patient (or their disclosures) in a period. Raises 403, recorded, when that may not be seen."""
    await sight.demand((subject.id,))
    return await gather(passage.services.entry_index, subject, period, lambda each: sight.of(each, subject.id))


async def gather(index: EntryIndex, subject: Subject, period: Period, show: Show) -> Told:
    """The entries of a subject in a period, each as ``show`` leaves it."""
    found: list[Followed] = []
    stale = 0
    # What another system's log told was recorded here after it happened, so recording bounds the walk from below only.
    async for followed in index.newest_first(subject):
        stale = stale + 1 if followed.entry.at_ms < period.since_ms else 0
        if stale >= STALE:
            break
        if not period.has(when_ms(followed.entry)):
            continue
        if len(found) >= MOST:
            return Told(tuple(found), cut=True)
        shown = await show(followed)
        if shown is not None:
            found.append(shown)
    return Told(tuple(found), cut=False)


async def answer(
    passage: Passage, sight: EntrySight, patient: str, query: str, rows: Iterable[Json], *, cut: bool
) -> Response:
    """Make the entry of the telling durable, and answer with the Parameters."""
    await passage.record(
        Action.DISCLOSURE_READ,
        "permitted",
        decision=together([await sight.demand((patient,))]),
        patients=(patient,),
        query=query,
    )
    told = [*rows, {"name": "incomplete", "valueBoolean": cut}]
    return Response(200, dump_json({"resourceType": "Parameters", "parameter": told}))


def look_row(look: Look) -> Json:
    """One look: what Regulation (EU) 2025/327, Art. 9(2) asks for, and why."""
    return _row(
        "look",
        ("said", "valueString", look.sentence),
        ("when", "valuePeriod", {"start": format_instant(look.first_ms), "end": format_instant(look.last_ms)}),
        ("who", "valueString", look.who),
        ("reference", "valueReference", {"reference": look.reference} if _is_local(look.reference) else None),
        ("role", "valueString", look.role),
        ("through", "valueString", look.through),
        ("deed", "valueCode", look.deed.value),
        *(("what", "valueString", kind) for kind in look.kinds),
        ("why", "valueString", look.why),
        ("because", "valueString", look.because),
        ("times", "valuePositiveInt", look.times),
        ("refused", "valueBoolean", look.refused),
        ("emergency", "valueBoolean", look.emergency),
        ("recipient", "valueString", look.recipient),
        ("source", "valueString", look.source),
        *(("entry", "valueId", entry) for entry in look.entries),
    )


def disclosure_row(disclosure: Disclosure) -> Json:
    """One line of an accounting: 45 CFR 164.528(b)(2) and (3)."""
    period = {"start": format_instant(disclosure.first_ms), "end": format_instant(disclosure.last_ms)}
    return _row(
        "disclosure",
        ("date", "valuePeriod", period),
        ("times", "valuePositiveInt", disclosure.times),
        ("recipient", "valueString", disclosure.recipient),
        ("address", "valueString", disclosure.address),
        ("description", "valueString", disclosure.description),
        ("purpose", "valueString", disclosure.purpose),
        ("exception", "valueString", disclosure.exception),
        *(("entry", "valueId", entry) for entry in disclosure.entries),
    )


def left_out_rows(accounting: Accounting) -> list[Json]:
    """How many disclosures the rule let be left out, and by which exception."""
    return [
        _row("left-out", ("exception", "valueString", exception), ("times", "valuePositiveInt", count))
        for exception, count in accounting.left_out
    ]


def _row(name: str, *parts: tuple[str, str, Any]) -> Json:
    told = [{"name": part, kind: value} for part, kind, value in parts if value not in (None, "")]
    return {"name": name, "part": told}


def _is_local(reference: str | None) -> bool:
    return reference is not None and reference.count("/") == 1 and " " not in reference


def _moment(arguments: Arguments, name: str) -> int | None:
    text = arguments.text(name)
    if text is None:
        return None
    period = interval_of(text.replace(" ", "+"))
    if period is None:
        raise problem(400, "value", f"{name} must be a FHIR date, dateTime or instant.", name)
    return period.start
