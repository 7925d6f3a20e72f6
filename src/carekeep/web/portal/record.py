"""My record on a line of time: what holds now, then year by year; each entry with everything that is kept of it."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import orjson

from carekeep.records import Stored
from carekeep.web.browser.languages import language_of
from carekeep.web.http import Response, number
from carekeep.web.plain import Speech
from carekeep.web.portal.files import hand_out
from carekeep.web.portal.own_records import OwnRecords
from carekeep.web.portal.timeline import BY_KEY, BY_TYPE, KINDS, Entry, Kind, entry_of, now_holding, on_line
from carekeep.web.sites import Visit, nothing_here

_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_MOST: Final = 500  # of one type that are looked at
_PAGE: Final = 40  # entries that one page shows
_MOST_VERSIONS: Final = 20


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the address asks for. ``year`` 0: what has no date; None: the newest year that there is."""

    kind: Kind | None
    year: int | None
    page: int

    def link(self, *, kind: Kind | None, year: int | None, page: int = 1) -> str:
        """The address of another part of the line."""
        given = [("kind", kind.key)] if kind else []
        given += [("year", str(year))] if year is not None else []
        given += [("page", str(page))] if page > 1 else []
        return f"/record?{urlencode(given)}" if given else "/record"


@dataclass(frozen=True, slots=True)
class Link:
    """A choice above the line."""

    to: str
    text: str
    is_chosen: bool


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/record`` with ``kind``, ``year`` and ``page``; ``/record/[type]/[id]`` and its files."""
    if method != "GET":
        raise nothing_here()
    own = await OwnRecords.of(to)
    match rest:
        case ():
            return await _line(to, own)
        case (type_, id_) if type_ in BY_TYPE and _ID.fullmatch(id_):
            return await _one(to, own, type_, id_)
        case (type_, id_, "file", place) if type_ in BY_TYPE and _ID.fullmatch(id_):
            return await hand_out(own, type_, id_, place)
    raise nothing_here()


async def _line(to: Visit, own: OwnRecords) -> Response:
    asked, speech = _asked(to), Speech.of(language_of(to.request))
    records, more = await _records(own, (asked.kind,) if asked.kind else KINDS)
    by_reference = {f"{stored.type}/{stored.id}": stored for stored in records}
    entries = on_line(entry_of(speech, stored.resource) for stored in records)
    years = sorted({entry.when.year for entry in entries}, reverse=True)
    year = asked.year if asked.year is not None else years[0] if years else None
    of_year = [entry for entry in entries if entry.when.year == year]
    start = (asked.page - 1) * _PAGE
    shown = of_year[start : start + _PAGE]
    holding = now_holding(entries) if asked.kind is None and asked.year is None and asked.page == 1 else {}
    current = [(BY_KEY[key], some) for key, some in holding.items()]
    own.show(
        by_reference[f"{each.type}/{each.id}"] for each in (*shown, *(each for _, some in current for each in some))
    )
    await own.record(f"Patient/{own.patient}/*?_type={','.join(dict.fromkeys(stored.type for stored in records))}")
    return to.page(
        "record.html",
        current=current,
        entries=shown,
        year=year,
        kind=asked.kind,
        kinds=_kinds(asked),
        years=[Link(asked.link(kind=asked.kind, year=each), str(each or ""), each == year) for each in years],
        later=asked.link(kind=asked.kind, year=year, page=asked.page - 1) if asked.page > 1 else "",
        earlier=asked.link(kind=asked.kind, year=year, page=asked.page + 1) if len(of_year) > start + _PAGE else "",
        more=more,
    )


async def _records(own: OwnRecords, kinds: Sequence[Kind]) -> tuple[list[Stored], bool]:
    found: list[Stored] = []
    cut = False
    for kind in kinds:
        for type_ in kind.types:
            some, more = await own.find(type_, *kind.asked, most=_MOST)
            found += some
            cut = cut or more
    return found, cut


def _kinds(asked: _Asked) -> list[Link]:
    first = Link(asked.link(kind=None, year=asked.year), "Everything", asked.kind is None)
    return [first, *(Link(asked.link(kind=each, year=None), each.title, each == asked.kind) for each in KINDS)]


def _asked(to: Visit) -> _Asked:
    """Raises 404 for what the page does not know."""
    given = dict(to.request.pairs())
    key, year, page = given.get("kind", ""), given.get("year"), number(given.get("page", "1"))
    if (key and key not in BY_KEY) or not page or (year is not None and number(year) is None):
        raise nothing_here()
    return _Asked(BY_KEY.get(key), number(year) if year is not None else None, page)


async def _one(to: Visit, own: OwnRecords, type_: str, id_: str) -> Response:
    """One entry: in words, the clinical term, the codes, its versions, and the record as it is kept."""
    speech = Speech.of(language_of(to.request))
    stored = await own.read(type_, id_)
    versions = await own.versions(stored, _MOST_VERSIONS)
    own.show([stored])
    await own.record(stored.reference)
    entry: Entry = entry_of(speech, stored.resource)
    return to.page(
        "record_entry.html",
        entry=entry,
        version=stored.version,
        changed=[each.last_updated_ms for each in versions],
        raw=_raw(stored),
        ledger_entry=to.passage.entry_id.hex() if to.passage.entry_id else "",
        check=f"{to.services.auth_url}/ledger/check",
    )


def _raw(stored: Stored) -> str:
    """The resource as it is kept, on many lines, its numbers as they were written."""
    read = json.loads(stored.body, parse_float=orjson.Fragment)
    return orjson.dumps(read, option=orjson.OPT_INDENT_2).decode()
