"""A CodeSystem resource as a graph of concepts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Concept:
    """A code. ``parents`` come from the nesting and from the property ``parent`` of it, or ``child`` of others."""

    code: str
    display: str | None
    definition: str | None
    parents: tuple[str, ...] = ()
    properties: tuple[Json, ...] = ()
    designations: tuple[Json, ...] = ()

    def values(self, name: str) -> Iterator[str]:
        """The values of a property, as text."""
        for each in self.properties:
            if each.get("code") == name:
                yield _text(next((value for key, value in each.items() if key.startswith("value")), ""))

    @property
    def inactive(self) -> bool:
        """Whether the code is not to be used any more (properties ``inactive`` and ``status``)."""
        return "true" in self.values("inactive") or bool({"retired", "inactive"} & set(self.values("status")))

    @property
    def abstract(self) -> bool:
        """Whether the code only groups others (property ``notSelectable``)."""
        return "true" in self.values("notSelectable")


@dataclass(frozen=True, slots=True)
class CodeSystem:
    """A code system. ``complete``: it has all codes that there are; ``concepts`` are in the order of definition."""

    url: str
    version: str | None
    name: str
    complete: bool
    case_sensitive: bool
    hierarchy: str
    concepts: Mapping[str, Concept] = field(repr=False)

    @classmethod
    def read(cls, resource: Json) -> "CodeSystem":
        """The code system of a valid CodeSystem resource."""
        rows = list(_walk(resource))
        parents = _parents(rows)
        return cls(
            url=resource.get("url", ""),
            version=resource.get("version"),
            name=resource.get("title") or resource.get("name") or resource.get("url", ""),
            complete=resource.get("content") == "complete",
            # Unknown is taken as sensitive: that never accepts a code that is not there.
            case_sensitive=resource.get("caseSensitive", True),
            hierarchy=resource.get("hierarchyMeaning", "is-a"),
            concepts={row["code"]: _concept(row, tuple(parents[row["code"]])) for row, _ in rows},
        )

    def find(self, code: str) -> Concept | None:
        """The concept of a code, or None."""
        found = self.concepts.get(code)
        if found is None and not self.case_sensitive:
            folded = code.casefold()
            found = next((each for each in self.concepts.values() if each.code.casefold() == folded), None)
        return found

    def below(self, code: str) -> frozenset[str]:
        """All codes that are subsumed by this one, without itself."""
        children: dict[str, list[str]] = {}
        for concept in self.concepts.values():
            for parent in concept.parents:
                children.setdefault(parent, []).append(concept.code)
        found: set[str] = set()
        waiting = [code]
        while waiting:
            for child in children.get(waiting.pop(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return frozenset(found - {code})

    def above(self, code: str) -> frozenset[str]:
        """All codes that subsume this one, without itself."""
        found: set[str] = set()
        waiting = [code]
        while waiting:
            concept = self.concepts.get(waiting.pop())
            for parent in concept.parents if concept else ():
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return frozenset(found - {code})


def _walk(resource: Json) -> Iterator[tuple[Json, str | None]]:
    """Every concept with the code that it is nested in, in document order, whatever the depth."""
    waiting: list[tuple[Json, str | None]] = [(each, None) for each in reversed(resource.get("concept", ()))]
    while waiting:
        row, parent = waiting.pop()
        yield row, parent
        waiting.extend((each, row["code"]) for each in reversed(row.get("concept", ())))


def _parents(rows: list[tuple[Json, str | None]]) -> dict[str, dict[str, None]]:
    parents: dict[str, dict[str, None]] = {row["code"]: {} for row, _ in rows}
    for row, nested_in in rows:
        if nested_in is not None:
            parents[row["code"]][nested_in] = None
        for each in row.get("property", ()):
            other = each.get("valueCode")
            if each.get("code") == "parent" and other is not None:
                parents[row["code"]][other] = None
            elif each.get("code") == "child" and other in parents:
                parents[other][row["code"]] = None
    return parents


def _concept(row: Json, parents: tuple[str, ...]) -> Concept:
    return Concept(
        code=row["code"],
        display=row.get("display"),
        definition=row.get("definition"),
        parents=parents,
        properties=tuple(row.get("property", ())),
        designations=tuple(row.get("designation", ())),
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value.get("code", "")) if isinstance(value, dict) else str(value)
