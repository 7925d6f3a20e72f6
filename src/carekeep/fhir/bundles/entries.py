"""The entries of a transaction or batch: read, checked and put into the order of processing."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from carekeep.fhir.definitions import RESOURCE_TYPES
from carekeep.fhir.outcome import Issue
from carekeep.fhir.validation import validate

Json = dict[str, Any]
MAX_ENTRIES: Final = 10_000
_ID = r"[A-Za-z0-9\-.]{1,64}"
_URL = re.compile(
    rf"(?P<type>[A-Z][A-Za-z]{{1,63}})(?:/(?P<id>{_ID})"
    rf"(?:(?P<history>/_history(?:/(?P<version>{_ID}))?)|/(?P<within>[A-Z][A-Za-z]{{1,63}}|\*))?)?"
    r"(?:/\$(?P<operation>[a-z][a-z-]{0,63}))?(?:\?(?P<search>.*))?"
)
# R4: deletes, then creates, then updates, then reads: the result does not depend on how the entries are sorted.
_RANK: Final = {"DELETE": 0, "POST": 1, "PUT": 2, "PATCH": 2, "GET": 3, "HEAD": 3}
_READS = frozenset({"GET", "HEAD"})
_PATCHES = frozenset({"Parameters", "Binary"})


@dataclass(frozen=True, slots=True)
class BundleEntry:
    """One request of a Bundle.

    ``search`` is the raw query after "?": a condition for PUT, PATCH and DELETE, a search for GET. ``history`` is
    True for a history, or with ``version`` for one version. ``within`` is what is searched in the compartment of the
    record: a type or ``*``. ``operation`` is the name of an operation without its ``$``. ``issues`` is empty unless
    the entry of a batch cannot be done; then only ``position`` is certain.
    """

    position: int
    method: str = ""
    type: str = ""
    id: str | None = None
    version: str | None = None
    history: bool = False
    within: str | None = None
    operation: str | None = None
    search: str | None = None
    full_url: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_none_exist: str | None = None
    resource: Json | None = None
    issues: tuple[Issue, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestBundle:
    """A transaction or batch whose envelope is valid; entries are in the order of the request."""

    kind: Literal["transaction", "batch"]
    entries: tuple[BundleEntry, ...]


class BundleRefused(Exception):
    """The Bundle cannot be processed at all; ``issues`` say why."""

    def __init__(self, issues: Sequence[Issue]) -> None:
        super().__init__(f"The Bundle has {len(issues)} issues")
        self.issues = tuple(issues)


def parse_bundle(bundle: Json, max_entries: int = MAX_ENTRIES) -> RequestBundle:
    """The requests of a transaction or batch. Resources in it are not validated yet (see ``entry_issues``).

    Raises BundleRefused if the envelope is wrong, if there are more than ``max_entries``, or if any entry of a
    transaction cannot be done. In a batch such entries carry their issues instead.
    """
    if bundle.get("resourceType") != "Bundle":
        raise BundleRefused([Issue("error", "structure", "Bundle", "Must be a Bundle")])
    entries = bundle.get("entry", [])
    if isinstance(entries, list) and len(entries) > max_entries:
        words = f"The Bundle has {len(entries):,} entries; at most {max_entries:,} are accepted"
        raise BundleRefused([Issue("error", "too-costly", "Bundle.entry", words)])
    issues = validate(_envelope(bundle))
    if issues:
        raise BundleRefused(issues)
    kind = bundle["type"]
    if kind not in {"transaction", "batch"}:
        raise BundleRefused([Issue("error", "value", "Bundle.type", "Only a transaction or batch is processed here")])
    parsed = tuple(_entry(position, entry) for position, entry in enumerate(entries))
    if kind == "transaction":
        issues = (*(issue for entry in parsed for issue in (*entry.issues, *_alone(entry))), *_overlaps(parsed))
        if issues:
            raise BundleRefused(issues)
    return RequestBundle(kind, parsed)


def processing_order(entries: Iterable[BundleEntry]) -> tuple[BundleEntry, ...]:
    """DELETE, POST, PUT and PATCH, GET and HEAD; within each as in the request."""
    return tuple(sorted(entries, key=lambda entry: _RANK.get(entry.method, len(_RANK))))


def entry_issues(entry: BundleEntry, *, lenient: bool = False) -> tuple[Issue, ...]:
    """Validate the resource of an entry. Expressions are those of the Bundle: ``Bundle.entry[3].resource.name``."""
    if entry.resource is None:
        return ()
    place = f"Bundle.entry[{entry.position}].resource"
    found = validate(entry.resource, lenient=lenient)
    return tuple(
        replace(issue, expression=f"{place}.{rest}" if (rest := issue.expression.partition(".")[2]) else place)
        for issue in found
    )


def _envelope(bundle: Json) -> Json:
    """The Bundle without the resources of its entries, which are validated later and one by one."""
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return bundle
    return {**bundle, "entry": [_without_resource(entry) for entry in entries]}


def _without_resource(entry: Any) -> Any:
    if not isinstance(entry, dict) or "request" not in entry:
        return entry  # "resource" is left where it is missed otherwise: an entry must have something
    return {name: value for name, value in entry.items() if name != "resource"}


def _entry(position: int, entry: Json) -> BundleEntry:
    request, resource = entry["request"], entry.get("resource")
    place = f"Bundle.entry[{position}]"
    url = _URL.fullmatch(request["url"])
    if url is None or url["type"] not in RESOURCE_TYPES:
        words = "Must be Type, Type/id, Type/id/_history, Type?search, Type/id/Type?search or Type/id/$operation"
        words = f"{words}, relative to the base, with a type of R4"
        return BundleEntry(position, issues=(Issue("error", "not-supported", f"{place}.request.url", words),))
    parsed = BundleEntry(
        position=position,
        method=request["method"],
        type=url["type"],
        id=url["id"],
        version=url["version"],
        history=url["history"] is not None,
        within=url["within"],
        operation=url["operation"],
        search=url["search"],
        full_url=entry.get("fullUrl"),
        if_match=request.get("ifMatch"),
        if_none_match=request.get("ifNoneMatch"),
        if_modified_since=request.get("ifModifiedSince"),
        if_none_exist=request.get("ifNoneExist"),
        resource=resource,
    )
    return replace(parsed, issues=tuple(_entry_rules(parsed, place)))


def _entry_rules(entry: BundleEntry, place: str) -> Iterable[Issue]:
    """What is wrong with the parts of an entry taken together."""
    url, resource = f"{place}.request.url", f"{place}.resource"
    if entry.operation is not None:
        yield from _operation_rules(entry, url, resource)
        return
    if entry.within is not None and entry.method not in _READS:
        yield Issue("error", "value", url, "A compartment can only be searched")
    if entry.method in _READS or entry.method == "DELETE":
        if entry.resource is not None:
            yield Issue("error", "structure", resource, f"{entry.method} takes no resource")
    elif entry.resource is None:
        yield Issue("error", "required", resource, f"{entry.method} needs a resource")
    elif not isinstance(entry.resource, dict):
        yield Issue("error", "structure", resource, "A resource must be an object")
    else:
        yield from _resource_rules(entry, entry.resource, resource)
    if entry.method == "POST" and (entry.id is not None or entry.search is not None):
        yield Issue("error", "value", url, "POST creates: the URL is the resource type alone")
    if entry.method not in _READS:
        if entry.history:
            yield Issue("error", "value", url, "History can only be read")
        if entry.method != "POST" and (entry.id is None) == (not entry.search):
            yield Issue("error", "value", url, f"{entry.method} needs either an id or a condition")
    if entry.if_none_exist is not None and entry.method != "POST":
        yield Issue("error", "value", f"{place}.request.ifNoneExist", "ifNoneExist is for POST only")


def _operation_rules(entry: BundleEntry, url: str, resource: str) -> Iterable[Issue]:
    if entry.history or entry.within is not None:
        yield Issue("error", "value", url, "An operation is called on a type or a record")
    if entry.method not in {"GET", "POST"}:
        yield Issue("error", "value", url, "An operation is called by GET or POST")
    if entry.resource is not None and (entry.method == "GET" or not isinstance(entry.resource, dict)):
        yield Issue("error", "structure", resource, "Arguments are a resource, sent by POST")


def _alone(entry: BundleEntry) -> Iterable[Issue]:
    """What has no place in a transaction: it cannot be foreseen whether it can be answered."""
    if entry.operation is not None or entry.within is not None:
        words = "Operations and searches of compartments have no place in a transaction; send a batch"
        yield Issue("error", "not-supported", f"Bundle.entry[{entry.position}].request.url", words)


def _resource_rules(entry: BundleEntry, resource: Json, place: str) -> Iterable[Issue]:
    kind = resource.get("resourceType")
    if entry.method == "PATCH":
        if kind not in _PATCHES:
            yield Issue("error", "value", place, "A patch is a Parameters (FHIRPath Patch) or Binary (JSON Patch)")
        return
    if kind != entry.type:
        yield Issue("error", "value", f"{place}.resourceType", f"The URL says {entry.type}; this is another type")
    if entry.method == "PUT" and entry.id is not None and resource.get("id") != entry.id:
        yield Issue("error", "value", f"{place}.id", "The id must be the one of the URL")


def _overlaps(entries: Sequence[BundleEntry]) -> Iterable[Issue]:
    """R4: a transaction in which two entries change the same resource must fail."""
    changed = [(e.type, e.id) for e in entries if e.id is not None and e.method not in _READS]
    twice = {identity for identity, number in Counter(changed).items() if number > 1}
    for entry in entries:
        if entry.method not in _READS and (entry.type, entry.id) in twice:
            words = "Another entry of the transaction changes the same resource"
            yield Issue("error", "duplicate", f"Bundle.entry[{entry.position}].request.url", words)
