"""Compiles the FHIRPath of search parameters to closures, once.

A path is resolved against the definitions while it is compiled: ``Observation.value as Quantity`` becomes the JSON
member ``valueQuantity``, and ``Observation.effective`` one path for each of its four types. What runs later only walks
dictionaries and lists, and knows the data type of what it finds.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from carekeep.fhir.search.grammar import Equals, ExpressionError, Part, ResolvesTo, Step

Json = dict[str, Any]
# Data types whose pieces are searched as one text.
_TEXTS = frozenset({"HumanName", "Address"})
# (node, whole resource, found elements): the resource is needed by references to contained resources.
Walk = Callable[[Any, Json, list[Any]], None]


@dataclass(frozen=True, slots=True)
class Element:
    """What a path's compilation must know of an element.

    ``types``: its data types, or ``#path`` of the element whose content it repeats. ``many``: more than one may be
    there. ``choice``: its JSON name ends in the type. ``system``: the code system that a ``code`` is implied to be of.
    """

    types: tuple[str, ...]
    many: bool = False
    choice: bool = False
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """One way through the JSON of a resource to elements of one data type.

    ``members`` are the JSON members it passes; a resource without the first has nothing here (unless there are none).
    ``name`` is the path without types, filters and indexes: what the search index calls this place. ``type`` is the
    data type of what is found, ``many`` whether there may be several, ``system`` the code system implied for a code.
    ``inside`` is the path to the HumanName or Address that this path is a piece of.
    """

    members: tuple[str, ...]
    name: str
    type: str
    many: bool
    system: str | None
    walk: Walk = field(repr=False)
    inside: "Path | None" = field(default=None, repr=False)

    def find(self, resource: Json) -> list[Any]:
        """The elements, in document order."""
        return self.find_at(resource, resource)

    def find_at(self, node: Json, resource: Json) -> list[Any]:
        """The elements below a node of the resource, for a path that is relative to it."""
        found: list[Any] = []
        self.walk(node, resource, found)
        return found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the compilation has got to: JSON steps so far, and what is known of the element there."""

    type: str
    steps: tuple[tuple[str, Step], ...] = ()
    names: tuple[str, ...] = ()
    many: bool = False
    system: str | None = None
    inside: "_Place | None" = None


def compile_part(part: Part, type_: str, elements: Mapping[str, Element], root: Path | None = None) -> list[Path]:
    """The paths of one part of a union.

    Parameters: ``type_`` is the resource type; ``elements`` gives the facts of each ``Type.element``; ``root`` is
    where relative parts start, if not at the resource: the root of a composite parameter.
    Raises ExpressionError if the definitions have no such element.
    """
    if part.root == "%resource":
        return [replace(path, walk=_from_resource(path.walk)) for path in _compile(part, _Place(type_), elements)]
    if part.root == "" and root is not None and root.name:
        return _compile(part, _Place(root.type, names=(root.name,), many=root.many), elements)
    return _compile(part, _Place(part.root or type_), elements)


def _compile(part: Part, start: _Place, elements: Mapping[str, Element]) -> list[Path]:
    places = [start]
    for step in part.steps:
        places = [after for place in places for after in _advance(place, step, elements)]
    if not places:
        raise ExpressionError(f"nothing in the definitions is at {_written(part)}")
    if part.presence:
        return [_presence(places)]
    return [_path(place) for place in places]


def _written(part: Part) -> str:
    return ".".join([part.root, *(step.name for step in part.steps)])


def _advance(place: _Place, step: Step, elements: Mapping[str, Element]) -> list[_Place]:
    where = f"{place.type}.{step.name}"
    element = elements.get(where)
    if element is None:
        raise ExpressionError(f"the definitions have no element {where}")
    wanted = [name for name in element.types if step.type is None or name.lower() == step.type.lower()]
    many = place.many or (element.many and step.index is None)
    return [
        _Place(
            type=_content(where, type_),
            steps=(*place.steps, (step.name + _capital(type_) if element.choice else step.name, step)),
            names=(*place.names, step.name),
            many=many,
            system=element.system,
            inside=place.inside or (place if place.type in _TEXTS else None),
        )
        for type_ in wanted
    ]


def _content(where: str, type_: str) -> str:
    """Under which name the children of an element are described."""
    if type_.startswith("#"):
        return type_[1:]
    return where if type_ in {"BackboneElement", "Element"} else type_


def _capital(name: str) -> str:
    return name[:1].upper() + name[1:]


def _path(place: _Place) -> Path:
    walk: Walk = _found
    for json_name, step in reversed(place.steps):
        walk = _member(json_name, step, walk)
    return Path(
        members=tuple(json_name for json_name, _ in place.steps),
        name=".".join(place.names),
        type=place.type,
        many=place.many,
        system=place.system,
        walk=walk,
        inside=_path(place.inside) if place.inside else None,
    )


def _presence(places: list[_Place]) -> Path:
    """Whether one of the places exists and is not false: always one boolean, also of an absent element."""
    walks = [_path(place).walk for place in places]

    def walk(node: Any, resource: Json, out: list[Any]) -> None:
        found: list[Any] = []
        for each in walks:
            each(node, resource, found)
        out.append(bool(found) and found != [False])

    return Path(members=(), name=".".join(places[0].names), type="boolean", many=False, system=None, walk=walk)


def _from_resource(walk: Walk) -> Walk:
    return lambda _node, resource, out: walk(resource, resource, out)


def _found(node: Any, _resource: Json, out: list[Any]) -> None:
    out.append(node)


def _member(name: str, step: Step, then: Walk) -> Walk:
    """Walk into a member: every item of a list (or the one with the index), null and absent skipped."""
    keep = _filter(step)
    index = step.index

    def walk(node: Any, resource: Json, out: list[Any]) -> None:
        if not isinstance(node, dict):
            return
        child = node.get(name)
        if child is None:
            return
        children = child if isinstance(child, list) else [child]
        if keep is not None:
            children = [each for each in children if keep(each, resource)]
        if index is not None:
            children = children[index : index + 1]
        for each in children:
            if each is not None:
                then(each, resource, out)

    return walk


def _filter(step: Step) -> Callable[[Any, Json], bool] | None:
    match step.where:
        case Equals(name, literal):
            return lambda node, _resource: isinstance(node, dict) and node.get(name) == literal
        case ResolvesTo(type_):
            return lambda node, resource: resolves_to(node, type_, resource)
        case None:
            return None


def resolves_to(reference: Any, type_: str, resource: Json) -> bool:
    """Whether a Reference points to this type, as far as it can be told without fetching.

    The type is read from a relative or absolute address, from the contained resource, or from ``Reference.type``.
    """
    if not isinstance(reference, dict):
        return False
    address = reference.get("reference")
    if not isinstance(address, str):
        return reference.get("type") == type_
    if address.startswith("#"):
        contained = resource.get("contained")
        inside = contained if isinstance(contained, list) else []
        return any(
            isinstance(each, dict) and each.get("id") == address[1:] and each.get("resourceType") == type_
            for each in inside
        )
    steps = address.partition("/_history/")[0].split("/")
    if len(steps) > 1:
        return steps[-2] == type_
    return reference.get("type") == type_
