"""Bundles that the server writes: searchsets and histories, with stored bodies put in as they are."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

import orjson

from carekeep.fhir import format_instant
from carekeep.records import Stored


def history_bundle(fhir_url: str, reference: str, versions: Sequence[Stored], count: int, more: int | None) -> bytes:
    """A page of a record's history."""
    base = f"{fhir_url}/{reference}/_history"
    links = [{"relation": "self", "url": f"{base}?{urlencode({'_count': count})}"}]
    if more is not None:
        links.append({"relation": "next", "url": f"{base}?{urlencode({'_count': count, '_before': more})}"})
    return _bundle("history", [_version_entry(fhir_url, version) for version in versions], links)


def searchset(fhir_url: str, matches: Iterable[Stored], links: list[dict[str, str]], *, total: int | None) -> bytes:
    """A page of search results."""
    return _bundle("searchset", [_match_entry(fhir_url, match) for match in matches], links, total)


def _bundle(kind: str, entries: list[dict[str, Any]], links: list[dict[str, str]], total: int | None = None) -> bytes:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": kind, "link": links}
    if total is not None:
        bundle["total"] = total
    if entries:  # FHIR JSON has no empty arrays
        bundle["entry"] = entries
    return orjson.dumps(bundle)


def _match_entry(fhir_url: str, stored: Stored) -> dict[str, Any]:
    return {
        "fullUrl": f"{fhir_url}/{stored.reference}",
        "resource": orjson.Fragment(stored.body),
        "search": {"mode": "match"},
    }


def _version_entry(fhir_url: str, stored: Stored) -> dict[str, Any]:
    method = "DELETE" if stored.deleted else "POST" if stored.version == 1 else "PUT"
    entry: dict[str, Any] = {"fullUrl": f"{fhir_url}/{stored.reference}"}
    if not stored.deleted:
        entry["resource"] = orjson.Fragment(stored.body)
    entry["request"] = {"method": method, "url": stored.type if method == "POST" else stored.reference}
    entry["response"] = {
        "status": "204" if stored.deleted else "201" if stored.version == 1 else "200",
        "etag": f'W/"{stored.version}"',
        "lastModified": format_instant(stored.last_updated_ms),
    }
    return entry
