"""Notifications as R4 Bundles (R5 Backport 1.1.0: backport-subscription-notification-r4, -status-r4)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from carekeep.fhir import format_instant
from carekeep.fhir.documents import high_water_mark
from carekeep.records import Stored
from carekeep.web.subscriptions.orders import PROFILE, Content

NoticeType = Literal["handshake", "heartbeat", "event-notification", "query-status", "query-event"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Event:
    """One numbered event. ``focus`` is the version that was written; None when it is not (or no longer) to be told."""

    number: int
    at_ms: int
    focus: Stored | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a subscription stands: what every notification says of it first. ``events``: how many since its start."""

    reference: str
    topic: str
    status: str
    events: int
    error: str = ""


def notification(
    kind: NoticeType,
    standing: Standing,
    events: Sequence[Event],
    content: Content,
    *,
    fhir_url: str,
    now_ms: int,
    uuids: tuple[str, str],
) -> bytes:
    """A whole notification. ``uuids``: of the Bundle and of its status."""
    told = status(kind, standing, events, content, fhir_url)
    first = {
        "fullUrl": f"urn:uuid:{uuids[1]}",
        "resource": {**told, "id": uuids[1]},
        "request": {"method": "GET", "url": f"{standing.reference}/$status"},
        "response": {"status": "200"},
    }
    bundle = {
        "resourceType": "Bundle",
        "id": uuids[0],
        "meta": {"profile": [f"{PROFILE}backport-subscription-notification-r4"], **_mark(events, content)},
        "type": "history",
        "timestamp": format_instant(now_ms),
        "entry": [first, *_entries(events, content, fhir_url)],
    }
    return orjson.dumps(bundle)


def status(kind: NoticeType, standing: Standing, events: Sequence[Event], content: Content, fhir_url: str) -> Json:
    """The SubscriptionStatus of R5, as R4's Parameters."""
    parameters: list[Json] = [
        {"name": "subscription", "valueReference": {"reference": f"{fhir_url}/{standing.reference}"}},
        {"name": "status", "valueCode": standing.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(standing.events)},
    ]
    if content != "empty":  # "SHOULD NOT be present when using empty payloads"
        parameters.insert(1, {"name": "topic", "valueCanonical": standing.topic})
    parameters += [_event(event, content, fhir_url) for event in events]
    if standing.error:
        parameters.append({"name": "error", "valueCodeableConcept": {"text": standing.error}})
    return {
        "resourceType": "Parameters",
        "meta": {"profile": [f"{PROFILE}backport-subscription-status-r4"]},
        "parameter": parameters,
    }


def _event(event: Event, content: Content, fhir_url: str) -> Json:
    part: list[Json] = [
        {"name": "event-number", "valueString": str(event.number)},
        {"name": "timestamp", "valueInstant": format_instant(event.at_ms)},
    ]
    if content != "empty" and event.focus is not None:
        part.append({"name": "focus", "valueReference": {"reference": f"{fhir_url}/{event.focus.reference}"}})
    return {"name": "notification-event", "part": part}


def _mark(events: Sequence[Event], content: Content) -> Json:
    """The high-water mark of the resources that are in the notification."""
    told = [event.focus for event in events if event.focus is not None] if content == "full-resource" else []
    labels = high_water_mark(stored.resource for stored in told if stored.labels and not stored.deleted)
    return {"security": labels} if labels else {}


def _entries(events: Sequence[Event], content: Content, fhir_url: str) -> list[Json]:
    focuses = [event.focus for event in events if event.focus is not None]
    return [] if content == "empty" else [_entry(focus, content, fhir_url) for focus in focuses]


def _entry(focus: Stored, content: Content, fhir_url: str) -> Json:
    entry: Json = {"fullUrl": f"{fhir_url}/{focus.reference}"}
    if content == "full-resource" and not focus.deleted:
        entry["resource"] = orjson.Fragment(focus.body)
    if focus.deleted:
        entry["request"], answer = {"method": "DELETE", "url": focus.reference}, "204"
    elif focus.version == 1:
        entry["request"], answer = {"method": "POST", "url": focus.type}, "201"
    else:
        entry["request"], answer = {"method": "PUT", "url": focus.reference}, "200"
    entry["response"] = {
        "status": answer,
        "etag": f'W/"{focus.version}"',
        "lastModified": format_instant(focus.last_updated_ms),
    }
    return entry
