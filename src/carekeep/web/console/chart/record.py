"""One record as it is kept: its JSON, and its versions."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from carekeep.access import Action, Decision
from carekeep.fhir import RESOURCE_TYPES
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.console.chart.gathering import patient_of
from carekeep.web.console.chart.items import Item, item_of
from carekeep.web.console.chart.place import Place
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.http import Response, number
from carekeep.web.labelling import past_target
from carekeep.web.obligations import abide
from carekeep.web.passage import together, what_of
from carekeep.web.sites import Visit, nothing_here

_MOST_VERSIONS = 100
_LONGEST_JSON = 60_000  # a page stays a page; documents can be large


@dataclass(frozen=True, slots=True)
class Version:
    """One version in the list of a record's history."""

    number: int
    at_ms: int
    deleted: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """A record as the page shows it. ``cut``: its JSON is longer than a page shows."""

    item: Item
    at_ms: int
    json: str = field(repr=False)
    cut: bool = False


async def answer(to: Visit, place: Place, method: str, which: tuple[str, ...]) -> Response:
    """``…/record/{type}/{id}`` and ``…/record/{type}/{id}/{version}``."""
    match (method, *which):
        case ("GET", type_, id_):
            return await _show(to, place, type_, id_)
        case ("GET", type_, id_, version):
            return await _show_version(to, place, type_, id_, version)
    raise nothing_here()


async def _show(to: Visit, place: Place, type_: str, id_: str) -> Response:
    """``…/record/{type}/{id}``: the version of now, and the list of all that one may see."""
    stored, decision = await current(to, place, type_, id_)
    versions, decisions = await _versions(to, type_, id_)
    await _record(to, Action.HISTORY if versions else Action.READ, stored, [decision, *decisions])
    return to.page("chart/record.html", place=place, shown=_shown(stored), versions=versions, current=stored.version)


async def _show_version(to: Visit, place: Place, type_: str, id_: str, version: str) -> Response:
    """``…/record/{type}/{id}/{version}``: as it was."""
    newest, _ = await current(to, place, type_, id_)
    wanted = number(version)
    try:
        stored = await to.services.vault.read_version(type_, id_, -1 if wanted is None else wanted)
    except (NotFound, Forgotten):
        raise nothing_here() from None
    decision = await to.require(Action.VREAD, past_target(to.passage, stored))
    if stored.deleted:
        raise nothing_here()
    stored = abide(decision, stored)
    await _record(to, Action.VREAD, stored, [decision])
    return to.page("chart/record.html", place=place, shown=_shown(stored), versions=(), current=newest.version)


async def current(to: Visit, place: Place, type_: str, id_: str) -> tuple[Stored, Decision]:
    """A record of this patient. Raises 404 for what one may not see and what is not there alike; it is recorded."""
    disclosure = Disclosure(to.passage)
    await patient_of(to, disclosure, place.patient_id)
    stored = await _read(to, type_, id_)
    if stored is None or place.patient_id not in stored.patients:
        await to.passage.record(Action.READ, "failed", patients=(place.patient_id,), reason="no such record of theirs")
        raise nothing_here()
    decision = await disclosure.decision(stored)
    if not decision.permitted:
        what = (what_of(stored),)
        await to.passage.record(Action.READ, "denied", decision=decision, what=what, patients=stored.patients)
        raise nothing_here()
    return abide(decision, stored), decision


async def _read(to: Visit, type_: str, id_: str) -> Stored | None:
    if type_ not in RESOURCE_TYPES:
        return None
    try:
        stored = await to.services.vault.read(type_, id_)
    except (NotFound, Forgotten):
        return None
    return None if stored.deleted else stored


async def _versions(to: Visit, type_: str, id_: str) -> tuple[tuple[Version, ...], list[Decision]]:
    """Each version is decided by itself: a record may have belonged to somebody else before."""
    versions, decisions = [], []
    for stored in await to.services.vault.history(type_, id_, count=_MOST_VERSIONS):
        decision = await to.passage.judge(Action.HISTORY, past_target(to.passage, stored))
        if decision.permitted:
            decisions.append(decision)
            versions.append(Version(stored.version, stored.last_updated_ms, stored.deleted))
    return tuple(versions), decisions


async def _record(to: Visit, action: Action, stored: Stored, decisions: Iterable[Decision]) -> None:
    await to.passage.record(
        action,
        "permitted",
        decision=together(list(dict.fromkeys(decisions))),
        what=(what_of(stored),),
        patients=stored.patients,
    )


def _shown(stored: Stored) -> Shown:
    text = _pretty(stored.resource)
    return Shown(item_of(stored), stored.last_updated_ms, text[:_LONGEST_JSON], len(text) > _LONGEST_JSON)


def _pretty(value: Any, indent: str = "") -> str:
    """JSON on lines of its own, decimals as they were written. What is stored is bounded in depth."""
    inner = indent + "  "
    if isinstance(value, dict) and value:
        lines = [f"{inner}{json.dumps(name)}: {_pretty(each, inner)}" for name, each in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(f"{inner}{_pretty(each, inner)}" for each in value) + f"\n{indent}]"
    return str(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
