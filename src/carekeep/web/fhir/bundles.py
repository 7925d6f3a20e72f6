"""History Bundles, with stored bodies put in as they are."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import orjson

from carekeep.fhir import format_instant
from carekeep.fhir.documents import high_water_mark
from carekeep.records import Stored

Pairs = Sequence[tuple[str, str]]


def history_bundle(
    fhir_url: str, path: str, versions: Sequence[Stored], asked: Pairs, next_page: Pairs | None
) -> bytes:
    """A page of the history of a record, a type or ("") of everything; ``asked`` are its parameters."""
    base = f"{fhir_url}/{path}/_history" if path else f"{fhir_url}/_history"
    links = [{"relation": "self", "url": f"{base}?{urlencode(asked)}"}]
    if next_page is not None:
        links.append({"relation": "next", "url": f"{base}?{urlencode(next_page)}"})
    bundle: dict[str, Any] = {"resourceType": "Bundle"}
    if labels := high_water_mark(version.resource for version in versions if version.labels and not version.deleted):
        bundle["meta"] = {"security": labels}
    bundle |= {"type": "history", "link": links}
    if versions:  # FHIR JSON has no empty arrays
        bundle["entry"] = [_version_entry(fhir_url, version) for version in versions]
    return orjson.dumps(bundle)


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
