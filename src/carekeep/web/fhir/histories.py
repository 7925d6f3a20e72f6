"""History of one record, of a type and of the whole store (FHIR R4, http.html#history).

Each version is decided by itself: who may see a record now need not see what it was when it belonged to somebody else.
Deletions are among the versions, for those who could see the record. What one may not see is not there: a page is
filled with what one may, and the next link tells nothing of what was passed over.
"""

import base64
import binascii
import re
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from carekeep.access import Action, Decision, Target
from carekeep.encryption import Tampered, associated_data
from carekeep.fhir import interval_of
from carekeep.records import Moment, Stored, Window
from carekeep.web.denials import denied
from carekeep.web.fhir.bodies import check_format
from carekeep.web.fhir.bundles import Pairs, history_bundle
from carekeep.web.fhir.interactions import find
from carekeep.web.http import Response, number
from carekeep.web.labelling import past_target
from carekeep.web.obligations import abide
from carekeep.web.passage import Passage, together, what_of
from carekeep.web.problems import problem

MAX_COUNT: Final = 500
_DEFAULT_COUNT = 50
_LOOKED_AT = 5_000
"""Versions that one page looks at: among many of other types or of other people it comes back short, with a link."""
_AT_ONCE = 200
_MOMENT = struct.Struct(">qq")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}", re.ASCII)
_CURSOR, _BEFORE = "_cursor", "_before"


@dataclass(frozen=True, slots=True)
class _Asked:
    """The parameters of a history. ``kept`` are those that the links of the Bundle repeat."""

    count: int
    window: Window
    position: str | None
    kept: Pairs


class _Chosen:
    """Versions for one page: decided, in order, one more than is shown at most."""

    def __init__(self, passage: Passage, count: int) -> None:
        self._passage = passage
        self._verdicts: dict[Target, Decision] = {}
        self.versions: list[Stored] = []
        self.most = count + 1

    async def offer(self, stored: Stored) -> bool:
        """Take a version if the person may see it; says whether it was taken."""
        target = past_target(self._passage, stored)
        if target not in self._verdicts:
            self._verdicts[target] = await self._passage.judge(Action.HISTORY, target)
        if not self._verdicts[target].permitted:
            return False
        self.versions.append(abide(self._verdicts[target], stored))
        return True

    @property
    def full(self) -> bool:
        return len(self.versions) == self.most

    @property
    def shown(self) -> list[Stored]:
        return self.versions[: self.most - 1]

    def decision(self) -> Decision | None:
        """The one decision to write down: what permitted all that is shown."""
        return together([verdict for verdict in self._verdicts.values() if verdict.permitted])

    def denial(self) -> Decision | None:
        """Why one of those that were offered was not taken."""
        return next((verdict for verdict in self._verdicts.values() if not verdict.permitted), None)


async def of_record(passage: Passage, type_: str, id_: str) -> Response:
    """The versions of one record, newest first. Raises 403 when the person may see none of them."""
    await passage.authenticate(Action.HISTORY)
    asked = _asked(passage, _BEFORE)
    before = None if asked.position is None else number(asked.position)
    if asked.position is not None and before is None:
        raise problem(400, "value", "Follow the next link as it was given.", f"http.{_BEFORE}")
    chosen = _Chosen(passage, asked.count)
    first = passage.services.vault.history(type_, id_, before=before and before + 1, count=_AT_ONCE)
    versions = await find(passage, Action.HISTORY, type_, first)
    if not versions:
        raise problem(400, "value", "Follow the next link as it was given.", f"http.{_BEFORE}")
    async for stored in _inside(passage, versions, asked.window, before):
        await chosen.offer(stored)
        if chosen.full:
            break
    if not chosen.versions:  # that nothing changed in a while is told to those who may know the record
        await _demand_one(passage, chosen, versions[0])
    following = (_BEFORE, str(chosen.shown[-1].version)) if chosen.full else None
    return await _answer(passage, f"{type_}/{id_}", chosen, asked, following)


async def _demand_one(passage: Passage, chosen: _Chosen, newest: Stored) -> None:
    """Raises 403, recorded, when the versions that were offered, or else the newest, are not for this person."""
    denial = chosen.denial()
    if denial is None:
        await passage.demand(Action.HISTORY, past_target(passage, newest), what=(what_of(newest),))
        return
    await passage.record(Action.HISTORY, "denied", decision=denial, what=(what_of(newest),), patients=newest.patients)
    raise denied(denial, passage.principal)


async def _inside(passage: Passage, newest: list[Stored], window: Window, before: int | None) -> AsyncIterator[Stored]:
    """The versions of a record that a window lets through, below version ``before``; ``newest`` are the first."""
    later: Stored | None = None
    versions = newest
    while versions:
        for stored in versions:
            if window.since_ms is not None and stored.last_updated_ms < window.since_ms:
                return
            if (before is None or stored.version < before) and _was_current(stored, later, window):
                yield stored
            later = stored
        last = versions[-1]
        if len(versions) < _AT_ONCE:
            return
        versions = await passage.services.vault.history(last.type, last.id, before=last.version, count=_AT_ONCE)


def _was_current(stored: Stored, later: Stored | None, window: Window) -> bool:
    """Whether a version was current at some moment of ``_at``; ``later`` came after it. A deletion is but a moment."""
    if window.current_from_ms is None or window.current_until_ms is None:
        return True
    if stored.last_updated_ms >= window.current_until_ms:
        return False
    if stored.deleted:
        return stored.last_updated_ms >= window.current_from_ms
    return later is None or later.last_updated_ms >= window.current_from_ms


async def of_type(passage: Passage, type_: str) -> Response:
    """The versions of all records of a type that the person may see, newest first."""
    return await _of_many(passage, type_)


async def of_everything(passage: Passage) -> Response:
    """The versions of all records that the person may see, newest first."""
    return await _of_many(passage, "")


async def _of_many(passage: Passage, type_: str) -> Response:
    await passage.authenticate(Action.HISTORY)
    asked = _asked(passage, _CURSOR)
    before = None if asked.position is None else _opened(passage, type_, asked.position)
    allowed = await passage.demand(Action.SEARCH, Target(type_, (), ()))
    patients = await passage.patients_in_sight()
    chosen = _Chosen(passage, asked.count)
    moments: list[Moment] = []
    at, looked_at = before, 0
    async for moment, stored in passage.services.vault.versions(patients, asked.window, before):
        if looked_at == _LOOKED_AT:
            break
        looked_at += 1
        at = moment
        wanted = stored is not None and stored.type == (type_ or stored.type)
        if stored is not None and wanted and _may_count(stored, asked.window) and await chosen.offer(stored):
            moments.append(moment)
        if chosen.full:
            at = moments[-2]
            break
    else:
        at = None
    following = None if at is None else (_CURSOR, _sealed(passage, type_, at))
    return await _answer(passage, type_, chosen, asked, following, allowed)


def _may_count(stored: Stored, window: Window) -> bool:
    """What the walk cannot see from outside: a record that was deleted before ``_at`` had no current version then."""
    return window.current_from_ms is None or not stored.deleted or stored.last_updated_ms >= window.current_from_ms


async def _answer(
    passage: Passage,
    path: str,
    chosen: _Chosen,
    asked: _Asked,
    following: tuple[str, str] | None,
    allowed: Decision | None = None,
) -> Response:
    """Make the entry of everything shown durable, and only then answer with it."""
    shown = chosen.shown
    await passage.record(
        Action.HISTORY,
        "permitted",
        decision=chosen.decision() or allowed,
        what=tuple(map(what_of, shown)),
        patients=dict.fromkeys(patient for stored in shown for patient in stored.patients),
        query=f"{path}/_history".lstrip("/"),
    )
    next_page = None if following is None else (*asked.kept, following)
    return Response(200, history_bundle(passage.services.fhir_url, path, shown, asked.kept, next_page))


def _asked(passage: Passage, position: str) -> _Asked:
    """The parameters in the URL. Raises 400 for one that is unknown, given twice, or no such value."""
    pairs = passage.request.pairs()
    check_format([value for name, value in pairs if name == "_format"])
    given: dict[str, str] = {}
    for name, value in pairs:
        if name in {"_format", "_pretty"}:
            continue
        if name not in {"_count", "_since", "_at", position}:
            where = f"http.{name}" if _NAME.fullmatch(name) else "http"
            raise problem(400, "not-supported", "This parameter of history is not supported.", where)
        if name in given:
            raise problem(400, "invalid", f"{name} is given twice.", f"http.{name}")
        given[name] = value
    count = _DEFAULT_COUNT if "_count" not in given else number(given["_count"])
    if count is None:
        raise problem(400, "value", "_count must be a number.", "http._count")
    count = max(1, min(count, MAX_COUNT))
    since, at = (_interval(given, name) for name in ("_since", "_at"))
    window = Window(since and since[0], at and at[0], at and at[1])
    kept = [(name, given[name]) for name in ("_since", "_at") if name in given]
    return _Asked(count, window, given.get(position), (*kept, ("_count", str(count))))


def _interval(given: dict[str, str], name: str) -> tuple[int, int] | None:
    if name not in given:
        return None
    interval = interval_of(given[name])
    if interval is None:
        raise problem(400, "value", f"{name} must be a date or an instant, like 2026-11-05T10:00:00Z.", f"http.{name}")
    return interval.start, interval.end


def _sealed(passage: Passage, type_: str, moment: Moment) -> str:
    """A cursor. It may stand at a version that its holder may not know of, so it is sealed, and for its holder."""
    cipher = passage.services.keyring.links
    sealed = cipher.seal(_MOMENT.pack(moment.written, moment.seq), _bound_to(passage, type_))
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def _opened(passage: Passage, type_: str, cursor: str) -> Moment:
    try:
        sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        opened = passage.services.keyring.links.open(sealed, _bound_to(passage, type_))
    except (ValueError, binascii.Error, Tampered):
        raise problem(400, "value", "Follow the next link as it was given.", f"http.{_CURSOR}") from None
    return Moment(*_MOMENT.unpack(opened))


def _bound_to(passage: Passage, type_: str) -> bytes:
    return associated_data("history cursor", passage.principal.account_id, type_)
