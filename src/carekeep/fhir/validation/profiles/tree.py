"""The element definitions of a profile as a tree, in which slices hang beside the element that they are slices of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

Json = dict[str, Any]
_MAX_ELEMENTS = 5000
_MAX_DEPTH = 24
_SEGMENT = re.compile(r"([A-Za-z][A-Za-z0-9]*)(\[x\])?(?::(.+))?")


class ProfileRefused(Exception):
    """A StructureDefinition that resources cannot be checked against. Its text says why, about the definition only."""


@dataclass(slots=True)
class Branch:
    """One element, or one slice of it. ``definition`` is empty for elements that are only passed through."""

    id: str
    name: str
    slice: str = ""
    definition: Json = field(default_factory=dict)
    children: "dict[str, Branch]" = field(default_factory=dict)
    slices: "dict[str, Branch]" = field(default_factory=dict)

    @property
    def minimum(self) -> int:
        """How many there must be."""
        return int(self.definition.get("min", 0))

    @property
    def maximum(self) -> int | None:
        """How many there may be; None for any number."""
        written = str(self.definition.get("max", "*"))
        return int(written) if written.isdecimal() else None

    @property
    def types(self) -> list[Json]:
        """The types that it may have, as the definition has them."""
        types: list[Json] = self.definition.get("type", [])
        return types

    def profiles(self) -> Iterator[str]:
        """The profiles that one of its types names."""
        for type_ in self.types:
            yield from type_.get("profile", ())

    def demanded(self, prefix: str) -> Any:
        """The value under ``fixed[x]`` or ``pattern[x]``; None if there is none."""
        return next((value for name, value in self.definition.items() if name.startswith(prefix)), None)


def read_tree(definition: Json) -> Branch:
    """The tree of a StructureDefinition: of its snapshot, or of its differential. Raises ProfileRefused."""
    elements = _elements(definition)
    type_ = definition.get("type", "")
    root = Branch(type_, type_)
    for element in elements:
        id_ = element.get("id")
        if not isinstance(id_, str) or id_.split(".")[0] != type_:
            raise ProfileRefused("an element has no id, or one that does not begin with the type")
        _place(root, id_).definition = element
    return root


def has_snapshot(definition: Json) -> bool:
    """Whether a StructureDefinition says all that holds, or only how it differs from its base."""
    return bool(definition.get("snapshot", {}).get("element"))


def _elements(definition: Json) -> list[Json]:
    if definition.get("derivation") != "constraint" or definition.get("kind") not in {"resource", "complex-type"}:
        raise ProfileRefused("it constrains neither a resource type nor a datatype")
    part = "snapshot" if has_snapshot(definition) else "differential"
    elements: list[Json] = definition.get(part, {}).get("element", [])
    if len(elements) > _MAX_ELEMENTS:
        raise ProfileRefused(f"it has more than {_MAX_ELEMENTS} elements")
    return elements


RESLICED: Final = "/"


def _place(root: Branch, id_: str) -> Branch:
    """The branch of an id. Those on the way to it are made where they are missing: a differential leaves them out."""
    steps = id_.split(".")[1:]
    if len(steps) > _MAX_DEPTH:
        raise ProfileRefused("an element is nested too deeply")
    at = root
    for number, step in enumerate(steps, 2):
        match = _SEGMENT.fullmatch(step)
        if match is None:
            raise ProfileRefused("an element's id is not a path")
        name, _, slice_ = match.groups()
        here = ".".join(id_.split(".")[:number])
        at = at.children.setdefault(name, Branch(here.partition(":")[0] if slice_ else here, name))
        if slice_:
            at = at.slices.setdefault(slice_, Branch(here, name, slice_))
    return at
