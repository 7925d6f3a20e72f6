"""An expansion as a ValueSet resource: filtered, and a page of it (``ValueSet/$expand``, FHIR R4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from carekeep.fhir.search.values.text import normalise
from carekeep.fhir.terminology.expansion import Expanded, Key

Json = dict[str, Any]
_ABOUT = ("url", "version", "name", "title", "status")


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of an expansion. ``filter`` is text as somebody types it to find a code."""

    filter: str | None = None
    offset: int = 0
    count: int | None = None
    active_only: bool = False
    designations: bool = False

    def parameters(self) -> list[Json]:
        """The wishes that were met, as ``expansion.parameter``."""
        told: list[Json] = []
        if self.filter is not None:
            told.append({"name": "filter", "valueString": self.filter})
        if self.offset:
            told.append({"name": "offset", "valueInteger": self.offset})
        if self.count is not None:
            told.append({"name": "count", "valueInteger": self.count})
        if self.active_only:
            told.append({"name": "activeOnly", "valueBoolean": True})
        if self.designations:
            told.append({"name": "includeDesignations", "valueBoolean": True})
        return told


def expanded_value_set(
    value_set: Json, codes: Mapping[Key, Expanded], wish: Wish, *, identifier: UUID, timestamp: str
) -> Json:
    """The ValueSet with its expansion and without its definition. ``total`` counts what passes the filter."""
    wanted = [each for each in codes.values() if _is_wanted(each, wish)]
    end = None if wish.count is None else wish.offset + wish.count
    expansion: Json = {
        "identifier": f"urn:uuid:{identifier}",
        "timestamp": timestamp,
        "total": len(wanted),
        "offset": wish.offset,
    }
    if parameters := wish.parameters():
        expansion["parameter"] = parameters
    if page := wanted[wish.offset : end]:
        expansion["contains"] = [_contains(each, wish) for each in page]
    about = {name: value_set[name] for name in _ABOUT if name in value_set}
    return {"resourceType": "ValueSet", "status": "active", **about, "expansion": expansion}


def _is_wanted(code: Expanded, wish: Wish) -> bool:
    if wish.active_only and code.inactive:
        return False
    if wish.filter is None:
        return True
    words = normalise(f"{code.display or ''} {code.code}").split()
    return all(any(word.startswith(part) for word in words) for part in normalise(wish.filter).split())


def _contains(code: Expanded, wish: Wish) -> Json:
    told: Json = {"system": code.system} if code.system else {}
    if code.abstract:
        told["abstract"] = True
    if code.inactive:
        told["inactive"] = True
    if code.version is not None:
        told["version"] = code.version
    told["code"] = code.code
    if code.display is not None:
        told["display"] = code.display
    if wish.designations and code.designations:
        told["designation"] = list(code.designations)
    return told
