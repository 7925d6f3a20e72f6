"""What FHIRPath walks over: JSON values that know their FHIR type."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from carekeep.fhir.definitions import DATATYPES, PRIMITIVES, RESOURCE_TYPES, Element, type_facts

Json = dict[str, Any]
RESOURCE: Final = "Resource"
_STRINGS = ("string", "String")
_URIS = ("uri", *_STRINGS)
_INTEGERS = ("integer", "Integer")
_PARENTS: Mapping[str, tuple[str, ...]] = {
    "boolean": ("Boolean",),
    "canonical": _URIS,
    "code": _STRINGS,
    "date": ("Date",),
    "dateTime": ("DateTime",),
    "decimal": ("Decimal",),
    "id": _STRINGS,
    "instant": ("DateTime",),
    "integer": ("Integer",),
    "markdown": _STRINGS,
    "oid": _URIS,
    "positiveInt": _INTEGERS,
    "string": ("String",),
    "time": ("Time",),
    "unsignedInt": _INTEGERS,
    "uri": _STRINGS,
    "url": _URIS,
    "uuid": _URIS,
    **dict.fromkeys(("Age", "Count", "Distance", "Duration"), ("Quantity",)),
}
_NOT_DOMAIN = frozenset({"Binary", "Bundle", "Parameters"})


class Undecided(Exception):
    """An expression that cannot be decided on this resource: too much work, or several values where one must be."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One JSON name of an element, the type that is found there, and whether it is a list.

    ``sibling`` is the name of the other half of a primitive; "" for what has none.
    """

    name: str
    kind: str
    sibling: str
    many: bool


@dataclass(frozen=True, slots=True)
class Node:
    """A value and its type: a FHIR type ("code", "Quantity") or the path of a backbone element ("Patient.contact").

    ``half`` is the ``_name`` half of a primitive; ``value`` is None where only that is there.
    """

    value: Any
    kind: str
    half: Any = None


@dataclass(slots=True)
class Work:
    """How many items may still be looked at, by one expression or by several together."""

    left: int

    def spend(self, items: int) -> None:
        """Raises Undecided when it is more than any rule needs."""
        self.left -= items
        if self.left < 0:
            raise Undecided


@dataclass(slots=True)
class Scope:
    """What an expression may look at beside its focus."""

    resource: Node
    root: Node
    context: Node
    work: Work
    this: Node | None = None
    index: int = 0

    def spend(self, items: int) -> None:
        """Count the items that are looked at. Raises Undecided."""
        self.work.spend(items)


def resource_node(resource: Json) -> Node:
    """The node of a whole resource."""
    return Node(resource, resource["resourceType"])


@cache
def elements_of(kind: str) -> Mapping[str, tuple[Slot, ...]]:
    """The elements of a type or backbone element by their names without "[x]", with a slot for each JSON name."""
    if kind in PRIMITIVES:
        kind = "Element"
    type_name, _, path = kind.partition(".")
    facts = type_facts(type_name)
    return {element.name: _slots(facts.name, element) for element in facts.children(path)}


def _slots(owner: str, element: Element) -> tuple[Slot, ...]:
    many = element.maximum != 1
    if element.content is not None:
        return (Slot(element.name, element.content, "", many),)
    found = []
    for name, type_ in zip(element.json_names(), element.types, strict=True):
        backbone = type_.name in {"BackboneElement", "Element"}
        kind = f"{owner}.{element.path}" if backbone else type_.name
        found.append(Slot(name, kind, "_" + name if type_.name in PRIMITIVES else "", many))
    return tuple(found)


def children_named(node: Node, name: str) -> Iterator[Node]:
    """The items of one element of a node, in their order."""
    slots = elements_of(node.kind).get(name)
    if slots is None:
        return
    owner = node.half if node.kind in PRIMITIVES else node.value
    if not isinstance(owner, dict):
        return
    for slot in slots:
        if slot.name in owner or (slot.sibling and slot.sibling in owner):
            yield from _items(slot, owner)


def children(node: Node) -> Iterator[Node]:
    """All children of a node."""
    owner = node.half if node.kind in PRIMITIVES else node.value
    if isinstance(owner, dict):
        for slots in elements_of(node.kind).values():
            for slot in slots:
                yield from _items(slot, owner)


def _items(slot: Slot, owner: Json) -> Iterator[Node]:
    value = owner.get(slot.name)
    half = owner.get(slot.sibling) if slot.sibling else None
    if value is None and half is None:
        return
    if isinstance(value, list) or isinstance(half, list):
        values, halves = value or [], half or []
        for position in range(max(len(values), len(halves))):
            one = values[position] if position < len(values) else None
            other = halves[position] if position < len(halves) else None
            if one is not None or other is not None:
                yield Node(one, _kind(slot, one), other)
    else:
        yield Node(value, _kind(slot, value), half)


def _kind(slot: Slot, value: Any) -> str:
    return str(value["resourceType"]) if slot.kind == RESOURCE else slot.kind


def is_a(kind: str, name: str) -> bool:
    """Whether a value of this kind is of the named type (FHIRPath ``is``): itself, or a type that it specialises."""
    if kind == name or name in _PARENTS.get(kind, ()):
        return True
    if kind in RESOURCE_TYPES:
        return name == RESOURCE or (name == "DomainResource" and kind not in _NOT_DOMAIN)
    if "." in kind:
        return name in {"BackboneElement", "Element"}
    return name == "Element" and (kind in DATATYPES or kind in PRIMITIVES)


def boolean(value: bool) -> list[Node]:  # noqa: FBT001 - it is the value
    """A collection of one truth value."""
    return [_TRUE if value else _FALSE]


def string(value: str) -> list[Node]:
    """A collection of one string."""
    return [Node(value, "string")]


def integer(value: int) -> list[Node]:
    """A collection of one whole number."""
    return [Node(value, "integer")]


def truth(nodes: list[Node]) -> bool | None:
    """A collection as a truth value, None for an empty one (FHIRPath, singleton evaluation)."""
    if not nodes:
        return None
    node = only(nodes)
    return node.value if isinstance(node.value, bool) else True


def only(nodes: list[Node]) -> Node:
    """The one item of a collection. Raises Undecided when there are several."""
    if len(nodes) != 1:
        raise Undecided
    return nodes[0]


_TRUE = Node(value=True, kind="boolean")
_FALSE = Node(value=False, kind="boolean")
