"""Labelling anew what is stored, after the rules changed.

A label is part of a record, so a record that gets other labels gets a next version, made by the server, with its ledger
entry; the versions before it stay, and are judged by the rules of today when somebody asks for them. Records that are
labelled as the rules say are left alone: a run that was interrupted goes on when it is started again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from carekeep.access.labelling import is_assigned, labels_assigned
from carekeep.encryption import KeyDestroyed
from carekeep.records import Draft, Forgotten, NotFound, Stored, Walker
from carekeep.storage import Conflict, Prepared, bump
from carekeep.web.labelling import Labels
from carekeep.web.services import Services
from carekeep.web.writable import topics_of

Json = dict[str, Any]
Commit = Callable[[Sequence[Stored], Sequence[Prepared[Any]]], Awaitable[None]]

_PAGE = 250
_ATTEMPTS = 5
_MOST_PASSES = 4  # a record takes labels from what it refers to, which may come after it
_FOREVER_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class Relabelled:
    """Where relabelling is: records looked at in this pass, those that got other labels, those that do not open."""

    looked_at: int
    changed: int
    unreadable: int


async def relabel(services: Services, commit: Commit | None) -> AsyncIterator[Relabelled]:
    """Give every current record the labels that the rules say; yields where it is.

    ``commit`` makes some new versions durable with their ledger entry; None: nothing is changed, only counted. Raises
    StorageError, and Conflict when others keep changing the same records.
    """
    changed = 0
    for _ in range(1 if commit is None else _MOST_PASSES):
        before, looked_at, unreadable, after, ended = changed, 0, 0, 0, False
        walker = Walker(services.database, services.keyring)
        while not ended:
            stretch = await walker.everything(after, _FOREVER_MS, _PAGE)
            opened = [found.stored for found in stretch.found if found.stored is not None]
            wrong = await _wrong(services, opened)
            changed += await _put_right(services, wrong, commit) if commit is not None else len(wrong)
            looked_at += len(stretch.found)
            unreadable += len(stretch.found) - len(opened)
            after, ended = stretch.last, stretch.ended
            yield Relabelled(looked_at, changed, unreadable)
        if changed == before:
            return


async def _wrong(services: Services, records: Sequence[Stored]) -> list[Stored]:
    """Those of the records that the rules would label otherwise."""
    labels = _labels(services)
    found = []
    for stored in records:
        if not stored.deleted:
            resource = stored.resource
            if await _right(services, labels, stored) is not resource:
                found.append(stored)
    return found


async def _put_right(services: Services, wrong: Sequence[Stored], commit: Commit) -> int:
    """How many of the records are labelled anew, as they are now."""
    if not wrong:
        return 0
    for _ in range(_ATTEMPTS):
        draft, labels = services.vault.draft(), _labels(services)
        for stored in wrong:
            await _draft(services, labels, draft, stored)
        if not draft.stored:
            return 0
        topics = topics_of(each.type for each in draft.stored)
        try:
            await commit(draft.stored, [draft.prepared(), *(Prepared(None, (bump(topic),)) for topic in topics)])
        except Conflict:
            continue
        for topic in topics:
            services.generations.changed(topic)
        return len(draft.stored)
    raise Conflict("Others keep changing the same records; label again when they are done.")


async def _draft(services: Services, labels: Labels, draft: Draft, stored: Stored) -> None:
    try:
        current, place = await services.vault.locate(stored.type, stored.id)
        if current.deleted:
            return
        right = await _right(services, labels, current)
        if right is not current.resource:
            await draft.update(right, current, place, current.patients)
    except (Forgotten, NotFound, KeyDestroyed):
        return  # forgotten meanwhile


async def _right(services: Services, labels: Labels, stored: Stored) -> Json:
    """The resource as it must be labelled; itself when it is."""
    resource = stored.resource
    context = resource.get("securityContext", {}).get("reference", "") if stored.type == "Binary" else ""
    if not context or context.startswith("Patient/"):
        return await labels.apply(resource)
    return await _like_its_context(services, resource, context)


async def _like_its_context(services: Services, binary: Json, context: str) -> Json:
    """A Binary with the labels that rules gave to what stands in for it (``fhir.proxies``)."""
    type_, _, id_ = context.partition("/_history/")[0].partition("/")
    try:
        stored = await services.vault.read(type_, id_)
    except (Forgotten, NotFound):
        return binary
    if stored.deleted:
        return binary
    given = binary.get("meta", {}).get("security", [])
    ours = labels_assigned(services.labelling.labelled(stored.resource))
    keys = {(label["system"], label["code"]) for label in ours}
    own = [each for each in given if not is_assigned(each) and (each.get("system"), each.get("code")) not in keys]
    if [each for each in given if is_assigned(each)] == ours and len(own) + len(ours) == len(given):
        return binary
    meta = {name: value for name, value in binary["meta"].items() if name != "security"}
    return {**binary, "meta": {**meta, "security": [*own, *ours]} if own or ours else meta}


def _labels(services: Services) -> Labels:
    async def may_read(_: Stored) -> bool:
        return True

    return Labels(services.labelling, services.vault, may_read, ())
