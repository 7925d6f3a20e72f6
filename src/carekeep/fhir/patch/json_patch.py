"""JSON Patch (RFC 6902) with JSON Pointers (RFC 6901)."""

import copy
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from carekeep.fhir.patch.refusal import MAX_OPERATIONS, Json, PatchRefused, check_kept

MAX_COPIED: Final = 100_000
"""Values that the copies of one patch may make: without a bound, forty copies of a list into itself fill any memory."""

Pointer = tuple[str, ...]
_INDEX = re.compile("0|[1-9][0-9]{0,8}")
_BAD_ESCAPE = re.compile("~(?![01])")
_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "add": ("path", "value"),
        "remove": ("path",),
        "replace": ("path", "value"),
        "move": ("from", "path"),
        "copy": ("from", "path"),
        "test": ("path", "value"),
    }
)


@dataclass(frozen=True, slots=True)
class _Operation:
    """One operation: ``place`` is where it stands in the patch, ``source`` its ``from``; ``value`` is health data."""

    place: str
    op: str
    path: Pointer
    source: Pointer
    value: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class JsonPatch:
    """A patch that was read. It can be applied to any resource, any number of times."""

    operations: tuple[_Operation, ...]

    def apply(self, resource: Json) -> Json:
        """The patched resource. Raises PatchRefused when an operation cannot be done, or a ``test`` fails."""
        editor = _Editor(copy.deepcopy(resource))
        for operation in self.operations:
            editor.do(operation)
        return check_kept(resource, editor.document, "patch")


def read_json_patch(operations: list[Any]) -> JsonPatch:
    """The patch behind parsed JSON. Raises PatchRefused (``malformed``)."""
    if not operations:
        raise PatchRefused("structure", "patch", "A patch needs an operation", malformed=True)
    if len(operations) > MAX_OPERATIONS:
        words = f"A patch may have {MAX_OPERATIONS:,} operations"
        raise PatchRefused("too-costly", "patch", words, malformed=True)
    return JsonPatch(tuple(_read(f"patch[{position}]", given) for position, given in enumerate(operations)))


def _read(place: str, given: Any) -> _Operation:
    if not isinstance(given, dict):
        raise PatchRefused("structure", place, "An operation is an object", malformed=True)
    op = given.get("op")
    needs = _NEEDS.get(op) if isinstance(op, str) else None
    if not isinstance(op, str) or needs is None:
        raise PatchRefused("value", f"{place}.op", f"op must be one of {', '.join(_NEEDS)}", malformed=True)
    for name in needs:
        if name not in given:
            raise PatchRefused("required", f"{place}.{name}", f"{op} needs {name}", malformed=True)
    return _Operation(
        place=place,
        op=op,
        path=_pointer(given["path"], f"{place}.path"),
        source=_pointer(given["from"], f"{place}.from") if "from" in needs else (),
        value=given.get("value"),
    )


def _pointer(text: Any, place: str) -> Pointer:
    if not isinstance(text, str) or (text and text[0] != "/") or _BAD_ESCAPE.search(text):
        words = 'Must be a JSON Pointer: "" or names with a / before each, ~ written ~0 and / written ~1'
        raise PatchRefused("value", place, words, malformed=True)
    return tuple(name.replace("~1", "/").replace("~0", "~") for name in text.split("/")[1:])


class _Editor:
    """Applies operations to ``document``, which is its own."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self._copied = 0

    def do(self, operation: _Operation) -> None:
        """Raises PatchRefused."""
        _DO[operation.op](self, operation)

    def add(self, operation: _Operation) -> None:
        self._add(operation.path, copy.deepcopy(operation.value), f"{operation.place}.path")

    def remove(self, operation: _Operation) -> None:
        self._remove(operation.path, f"{operation.place}.path")

    def replace(self, operation: _Operation) -> None:
        place = f"{operation.place}.path"
        self._find(operation.path, place)
        value = copy.deepcopy(operation.value)
        if not operation.path:
            self.document = value
            return
        owner = self._find(operation.path[:-1], place)
        key = operation.path[-1]
        owner[int(key) if isinstance(owner, list) else key] = value

    def move(self, operation: _Operation) -> None:
        source, path = operation.source, operation.path
        if path[: len(source)] == source and path != source:
            raise PatchRefused("business-rule", f"{operation.place}.from", "A value cannot be moved into itself")
        self._add(path, self._remove(source, f"{operation.place}.from"), f"{operation.place}.path")

    def copy(self, operation: _Operation) -> None:
        value = self._find(operation.source, f"{operation.place}.from")
        self._copied += _size(value)
        if self._copied > MAX_COPIED:
            words = f"The copies of a patch may make {MAX_COPIED:,} values"
            raise PatchRefused("too-costly", operation.place, words)
        self._add(operation.path, copy.deepcopy(value), f"{operation.place}.path")

    def test(self, operation: _Operation) -> None:
        if not same_json(self._find(operation.path, f"{operation.place}.path"), operation.value):
            raise PatchRefused("conflict", operation.place, "The test failed: the record holds another value there")

    def _find(self, pointer: Pointer, place: str) -> Any:
        value = self.document
        for key in pointer:
            if isinstance(value, dict) and key in value:
                value = value[key]
            elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
                value = value[int(key)]
            else:
                raise PatchRefused("not-found", place, "There is nothing at this place of the record")
        return value

    def _add(self, pointer: Pointer, value: Any, place: str) -> None:
        if not pointer:
            self.document = value
            return
        owner, key = self._find(pointer[:-1], place), pointer[-1]
        if isinstance(owner, dict):
            owner[key] = value
        elif isinstance(owner, list) and (key == "-" or (_INDEX.fullmatch(key) and int(key) <= len(owner))):
            owner.insert(len(owner) if key == "-" else int(key), value)
        else:
            raise PatchRefused("not-found", place, "Nothing can be added at this place of the record")

    def _remove(self, pointer: Pointer, place: str) -> Any:
        value = self._find(pointer, place)
        if not pointer:
            self.document = None
            return value
        owner, key = self._find(pointer[:-1], place), pointer[-1]
        del owner[int(key) if isinstance(owner, list) else key]
        return value


_DO: Mapping[str, Callable[[_Editor, _Operation], None]] = MappingProxyType(
    {
        "add": _Editor.add,
        "remove": _Editor.remove,
        "replace": _Editor.replace,
        "move": _Editor.move,
        "copy": _Editor.copy,
        "test": _Editor.test,
    }
)


def same_json(one: Any, other: Any) -> bool:
    """Equality as RFC 6902 §4.6 has it: by JSON type, numbers by their value, objects whatever their order."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if _is_number(one) and _is_number(other):
        return Decimal(str(one)) == Decimal(str(other))
    return type(one) is type(other) and bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _size(value: Any) -> int:
    """How many values there are in a value, itself included."""
    waiting, size = [value], 0
    while waiting:
        item = waiting.pop()
        size += 1
        if isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return size
