"""Changes to one place of a resource in JSON.

In FHIR's JSON a primitive has two halves: ``given`` holds the values and ``_given`` their ids and extensions, item by
item. Whatever moves in one list moves in the other; a list that becomes empty goes, since FHIR JSON has no empty ones.
"""

import copy
from typing import Any

from carekeep.fhir.patch.paths import Keys, names_of
from carekeep.fhir.validation.shapes import RESOURCE, Shape, shape_of

Json = dict[str, Any]


class EditRefused(ValueError):
    """The change does not fit the resource; the text says why."""


class Editor:
    """Changes ``document`` in place. Keys are those of the value's own half."""

    def __init__(self, document: Json) -> None:
        self._document = document

    def put(self, keys: Keys, value: Any) -> None:
        """Set a property that is not a list."""
        owner = self._at(keys[:-1])
        owner[keys[-1]] = value

    def set_item(self, keys: Keys, value: Any) -> None:
        """Replace one item of a list, and drop what was said beside the old one."""
        *before, name, position = keys
        owner = self._at(tuple(before))
        owner[name][position] = value
        beside = owner.get(f"_{name}")
        if beside is not None:
            beside[position] = None
        _tidy(owner, str(name))

    def insert(self, keys: Keys, index: int | None, value: Any) -> None:
        """Put an item into a list, which is made if there is none; ``index`` None means at the end."""
        *before, name = keys
        owner = self._at(tuple(before))
        items = owner.setdefault(name, _blank(owner.get(f"_{name}")))
        if index is not None and index > len(items):
            raise EditRefused(f"The list has {len(items)} elements; the index is beyond its end")
        at = len(items) if index is None else index
        items.insert(at, value)
        beside = owner.get(f"_{name}")
        if beside is not None:
            beside.insert(at, None)

    def move(self, keys: Keys, source: int, destination: int) -> None:
        """Move an item within its list."""
        *before, name = keys
        owner = self._at(tuple(before))
        for half in (name, f"_{name}"):
            items = owner.get(half, [])
            if half == name and not max(source, destination) < len(items):
                raise EditRefused(f"The list has {len(items)} elements; source or destination is beyond its end")
            if items:
                items.insert(destination, items.pop(source))

    def delete(self, keys: Keys) -> None:
        """Remove a property or an item of a list."""
        if not keys:
            raise EditRefused("A resource cannot be deleted by a patch: use a delete")
        if not isinstance(keys[-1], int):
            owner = self._at(keys[:-1])
            del owner[keys[-1]]
            owner.pop(f"_{keys[-1]}", None)
            return
        *before, name, position = keys
        owner = self._at(tuple(before))
        for half in (name, f"_{name}"):
            if half in owner:
                del owner[half][position]
        _tidy(owner, str(name))

    def _at(self, keys: Keys) -> Any:
        value: Any = self._document
        for key in keys:
            value = value[key]
        return value


def _blank(beside: list[Any] | None) -> list[Any]:
    return [None] * len(beside or ())


def _tidy(owner: Json, name: str) -> None:
    """Take away a half of which nothing is left."""
    for half in (name, f"_{name}"):
        if half in owner and all(item is None for item in owner[half]):
            del owner[half]


def built(part: Json, shape: Shape, name: str) -> tuple[str, Any]:
    """What the part "value" of an operation stands for, as element ``name`` of an object of ``shape``.

    Returns the property name (of a choice, the one of the given type) and the value. A datatype is given as
    ``value[x]``; a backbone element, which has no such form, as parts that are named like its elements.
    Raises EditRefused.
    """
    names = names_of(shape, name)
    if not names:
        raise EditRefused("The element there has no child of this name")
    typed = next((key for key in part if key.startswith("value") and key != "value"), None)
    if typed is None:
        return names[0], _built_of_parts(part.get("part", []), shape.members[names[0]].shape)
    if len(names) == 1 and shape.members[names[0]].alternative is None:
        return names[0], copy.deepcopy(part[typed])
    key = name + typed.removeprefix("value")
    if key not in names:
        raise EditRefused("The element does not take a value of this type")
    return key, copy.deepcopy(part[typed])


def _built_of_parts(parts: list[Json], shape_name: str) -> Json:
    if not parts or shape_name in {"", RESOURCE}:
        raise EditRefused('The part "value" needs a value[x], or parts for an element that has no datatype')
    shape = shape_of(shape_name)
    element: Json = {}
    for part in parts:
        key, value = built(part, shape, part["name"])
        if shape.members[key].many:
            element.setdefault(key, []).append(value)
        elif key in element:
            raise EditRefused("An element of the value is given twice")
        else:
            element[key] = value
    return element
