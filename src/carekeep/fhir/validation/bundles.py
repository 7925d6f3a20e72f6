"""The invariants of Bundle (R4): which parts entries have in which type of Bundle."""

from collections.abc import Callable
from typing import Any, Final

Json = dict[str, Any]

_REQUESTS = frozenset({"batch", "transaction", "history"})
_RESPONSES = frozenset({"batch-response", "transaction-response", "history"})


def _total(bundle: Json) -> bool:
    return "total" not in bundle or bundle.get("type") in {"searchset", "history"}


def _searches(bundle: Json) -> bool:
    return bundle.get("type") == "searchset" or not any("search" in entry for entry in _entries(bundle))


def _requests(bundle: Json) -> bool:
    return all(("request" in entry) == (bundle.get("type") in _REQUESTS) for entry in _entries(bundle))


def _responses(bundle: Json) -> bool:
    return all(("response" in entry) == (bundle.get("type") in _RESPONSES) for entry in _entries(bundle))


def _distinct(bundle: Json) -> bool:
    if bundle.get("type") == "history":
        return True
    urls = [
        (entry["fullUrl"], entry.get("resource", {}).get("meta", {}).get("versionId"))
        for entry in _entries(bundle)
        if "fullUrl" in entry
    ]
    return len(set(urls)) == len(urls)


def _identified(bundle: Json) -> bool:
    identifier = bundle.get("identifier", {})
    return bundle.get("type") != "document" or ("system" in identifier and "value" in identifier)


def _dated(bundle: Json) -> bool:
    return bundle.get("type") != "document" or "timestamp" in bundle


def _starts_with(bundle_type: str, resource_type: str) -> Callable[[Json], bool]:
    def holds(bundle: Json) -> bool:
        first = next(iter(_entries(bundle)), {})
        return bundle.get("type") != bundle_type or first.get("resource", {}).get("resourceType") == resource_type

    return holds


def _entries(bundle: Json) -> list[Json]:
    entries: list[Json] = bundle.get("entry", [])
    return entries


def _something(entry: Json) -> bool:
    return "resource" in entry or "request" in entry or "response" in entry


def _no_version(entry: Json) -> bool:
    return "/_history/" not in entry.get("fullUrl", "")


BUNDLE_CHECKS: Final[dict[tuple[str, str], Callable[[Json], bool]]] = {
    ("Bundle", "bdl-1"): _total,
    ("Bundle", "bdl-2"): _searches,
    ("Bundle", "bdl-3"): _requests,
    ("Bundle", "bdl-4"): _responses,
    ("Bundle", "bdl-7"): _distinct,
    ("Bundle", "bdl-9"): _identified,
    ("Bundle", "bdl-10"): _dated,
    ("Bundle", "bdl-11"): _starts_with("document", "Composition"),
    ("Bundle", "bdl-12"): _starts_with("message", "MessageHeader"),
    ("Bundle.entry", "bdl-5"): _something,
    ("Bundle.entry", "bdl-8"): _no_version,
}
