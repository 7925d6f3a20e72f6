"""Contained resources and the references to them (FHIR R4: ref-1, dom-2 to dom-5)."""

from collections.abc import Iterator
from typing import Any

from carekeep.fhir.validation.report import Place, Report, expression


class Containment:
    """What one resource contains, and what its references say about that. Lives as long as its walk."""

    __slots__ = ("_contained", "_references", "_resource")

    def __init__(self, resource: dict[str, Any]) -> None:
        self._resource = resource
        contained = resource.get("contained")
        self._contained: list[Any] = contained if type(contained) is list else []
        self._references: list[tuple[str, frozenset[str], Place]] = []

    def refer(self, fragment: str, targets: frozenset[str], place: Place) -> None:
        """Remember a reference ``#fragment`` that was met at ``place``."""
        self._references.append((fragment, targets, place))

    def check(self, place: Place, report: Report) -> None:
        """Report references that lead nowhere and contained resources that are not as they must be."""
        if not self._references and not self._contained:
            return
        types = self._types()
        for fragment, targets, at in self._references:
            if fragment and fragment not in types:
                report.error("invariant", expression(at, "reference"), "No contained resource has this id (ref-1)")
            elif fragment and targets and types[fragment] not in targets:
                words = f"May point to {', '.join(sorted(targets))}, not to {types[fragment]}"
                report.error("value", expression(at, "reference"), words)
        if self._contained:
            self._check_contained(place, report, types)

    def _types(self) -> dict[str, str]:
        found = {}
        for inner in self._contained:
            if type(inner) is dict and type(inner.get("id")) is str:
                found[inner["id"]] = str(inner.get("resourceType"))
        return found

    def _check_contained(self, place: Place, report: Report, types: dict[str, str]) -> None:
        mentioned = frozenset(_fragments(self._resource))
        if len(types) != len(self._contained):
            report.error("structure", expression(place, "contained"), "Contained resources need ids that differ")
        for position, inner in enumerate(self._contained):
            if type(inner) is not dict:
                continue
            at: Place = (place, "contained", position)
            meta = inner.get("meta")
            if "contained" in inner:
                report.error("invariant", expression(at, "contained"), "Must contain no other resource (dom-2)")
            if type(meta) is dict and not meta.keys().isdisjoint(("versionId", "lastUpdated")):
                report.error("invariant", expression(at, "meta"), "Must have no version of its own (dom-4)")
            if type(meta) is dict and "security" in meta:
                report.error("invariant", expression(at, "meta"), "Must have no security label (dom-5)")
            if f"#{inner.get('id')}" not in mentioned and "#" not in _fragments(inner):
                words = "A contained resource must be referred to, or refer to the one around it (dom-3)"
                report.error("invariant", expression(at), words)


def _fragments(value: Any) -> Iterator[str]:
    """All strings in it that look like a reference to something contained, wherever: canonicals and URIs count too."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if type(item) is str:
            if item.startswith("#"):
                yield item
        elif type(item) is dict:
            waiting.extend(item.values())
        elif type(item) is list:
            waiting.extend(item)
