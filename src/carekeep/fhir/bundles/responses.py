"""The answer to a transaction or batch."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class EntryResponse:
    """What became of one entry.

    ``status`` is the HTTP status, with or without its phrase ("201 Created"); ``last_modified`` a FHIR instant;
    ``resource`` and ``outcome`` are resources, or ``orjson.Fragment`` of their JSON where the bytes are at hand.
    """

    status: str
    location: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    resource: Any = None
    outcome: Any = None
    full_url: str | None = None


def response_bundle(kind: Literal["transaction", "batch"], responses: Iterable[EntryResponse]) -> dict[str, Any]:
    """The Bundle that answers a request of this kind; responses in the order of the request's entries."""
    entries = [_entry(response) for response in responses]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": f"{kind}-response"}
    if entries:
        bundle["entry"] = entries
    return bundle


def _entry(response: EntryResponse) -> dict[str, Any]:
    told = {
        "status": response.status,
        "location": response.location,
        "etag": response.etag,
        "lastModified": response.last_modified,
        "outcome": response.outcome,
    }
    entry = {
        "fullUrl": response.full_url,
        "resource": response.resource,
        "response": {name: fact for name, fact in told.items() if fact is not None},
    }
    return {name: fact for name, fact in entry.items() if fact is not None}
