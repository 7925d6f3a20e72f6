"""The Bundle of a search: matches, what comes along, and what the client should know of the answer."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

import orjson

from carekeep.access.labelling import notice_for_labels
from carekeep.fhir import Issue, Query, dump_json, operation_outcome, summarised, with_elements
from carekeep.fhir.documents import high_water_mark
from carekeep.records import Stored
from carekeep.web.fhir.asked import Asked
from carekeep.web.fhir.including import MOST_INCLUDED, Included
from carekeep.web.fhir.sight import Mark
from carekeep.web.passage import Passage

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to. ``following`` is where the next page begins; ``total`` None: not told."""

    matches: Sequence[Stored]
    included: Included
    following: Mark | None
    total: int | None


def searchset(passage: Passage, asked: Asked, found: Found) -> bytes:
    """The Bundle."""
    shown = [*found.matches, *found.included.records]
    bundle: Json = {"resourceType": "Bundle"}
    if labels := high_water_mark(stored.resource for stored in shown if stored.labels):
        bundle["meta"] = {"security": labels}
    bundle |= {"type": "searchset", "link": _links(passage, asked, found.following)}
    if found.total is not None:
        bundle["total"] = found.total
    entries = [
        *(_entry(passage, stored, "match", _shaped(asked.first, stored)) for stored in found.matches),
        *(_entry(passage, stored, "include", _summary(asked.first, stored)) for stored in found.included.records),
    ]
    issues = [*_remarks(asked, found), *_notices(passage, shown)]
    if issues:
        entries.append({"resource": operation_outcome(issues), "search": {"mode": "outcome"}})
    if entries:  # FHIR JSON has no empty arrays
        bundle["entry"] = entries
    return orjson.dumps(bundle)


def _entry(passage: Passage, stored: Stored, mode: str, body: bytes) -> Json:
    return {
        "fullUrl": f"{passage.services.fhir_url}/{stored.reference}",
        "resource": orjson.Fragment(body),
        "search": {"mode": mode},
    }


def _shaped(query: Query, stored: Stored) -> bytes:
    """A match as it was asked for. ``_elements`` are of matches only; others have other elements."""
    if query.elements:
        return dump_json(with_elements(stored.resource, query.elements))
    return _summary(query, stored)


def _summary(query: Query, stored: Stored) -> bytes:
    if query.summary in {None, "false"}:
        return stored.body
    return dump_json(summarised(stored.resource, query.summary or "false"))


def _remarks(asked: Asked, found: Found) -> list[Issue]:
    issues = []
    if found.included.cut:
        says = f"More than {MOST_INCLUDED:,} records come along with these matches; the others are left out."
        issues.append(Issue("warning", "too-costly", "http._include", says))
    if asked.first.ignored:
        # Their names are not repeated: people type data in the wrong place.
        says = (
            f"Parameters that were passed over, as asked for: {len(asked.first.ignored)}. The self link has the others."
        )
        issues.append(Issue("warning", "not-supported", "", says))
    return issues


def _notices(passage: Passage, shown: Sequence[Stored]) -> list[Issue]:
    """What must be said with records that an app takes along (42 CFR 2.32)."""
    labels = (label for stored in shown for label in stored.labels)
    notice = notice_for_labels(labels) if passage.principal.delegation is not None else None
    return [] if notice is None else [Issue("information", "informational", "", f"{notice.text} ({notice.law})")]


def _links(passage: Passage, asked: Asked, following: Mark | None) -> list[Json]:
    """Links in the open for what was asked in the open, sealed ones for what was posted and for pages."""
    page = asked.page
    opened = f"{passage.services.fhir_url}/{page.path}?{urlencode(page.pairs)}".rstrip("?").rstrip("/")
    start = replace(page, after=None).url(passage) if page.posted else opened
    links = [{"relation": "self", "url": start if page.after is None else page.url(passage)}]
    if page.after is not None or following is not None:
        links.append({"relation": "first", "url": start})
    if following is not None:
        links.append({"relation": "next", "url": replace(page, after=following).url(passage)})
    return links
