"""FHIRPath Patch (FHIR R4, fhirpatch.html): a Parameters whose parameters named "operation" change one place each."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from carekeep.fhir.patch.editing import Editor, EditRefused, built
from carekeep.fhir.patch.paths import Child, PathError, Spot, Step, follow, names_of, read_path
from carekeep.fhir.patch.refusal import MAX_OPERATIONS, Json, PatchRefused, check_kept
from carekeep.fhir.validation.shapes import Shape

_NEEDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "add": ("path", "name", "value"),
        "insert": ("path", "index", "value"),
        "delete": ("path",),
        "replace": ("path", "value"),
        "move": ("path", "source", "destination"),
    }
)
_TEXTS = ("valueString", "valueCode", "valueMarkdown", "valueId")
_NUMBERS = ("index", "source", "destination")


@dataclass(frozen=True, slots=True)
class _Operation:
    """One operation. ``place`` is where it stands in the Parameters; ``value`` its part "value", as it was given."""

    place: str
    type: str
    path: tuple[Step, ...]
    name: str = ""
    value: Json = field(default_factory=dict, repr=False)
    numbers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FhirPathPatch:
    """A patch that was read. It can be applied to any resource, any number of times."""

    operations: tuple[_Operation, ...]

    def apply(self, resource: Json) -> Json:
        """The patched resource. Raises PatchRefused when an operation cannot be done."""
        document = copy.deepcopy(resource)
        for operation in self.operations:
            try:
                _DO[operation.type](operation, document)
            except (PathError, EditRefused) as error:
                raise PatchRefused("processing", operation.place, str(error)) from None
        return check_kept(resource, document, "Parameters")


def read_fhirpath_patch(parameters: Json) -> FhirPathPatch:
    """The patch behind a valid Parameters. Raises PatchRefused (``malformed``)."""
    given = parameters.get("parameter", [])
    if not given:
        raise PatchRefused("structure", "Parameters.parameter", "A patch needs an operation", malformed=True)
    if len(given) > MAX_OPERATIONS:
        words = f"A patch may have {MAX_OPERATIONS:,} operations"
        raise PatchRefused("too-costly", "Parameters.parameter", words, malformed=True)
    return FhirPathPatch(tuple(_read(f"Parameters.parameter[{at}]", each) for at, each in enumerate(given)))


def _read(place: str, parameter: Json) -> _Operation:
    if parameter.get("name") != "operation":
        raise PatchRefused("value", f"{place}.name", 'Every parameter of a patch is named "operation"', malformed=True)
    parts = {part["name"]: part for part in parameter.get("part", [])}
    type_ = _text(parts.get("type", {}))
    needs = _NEEDS.get(type_ or "")
    if type_ is None or needs is None:
        words = f'The part "type" must be one of {", ".join(_NEEDS)}'
        raise PatchRefused("value", place, words, malformed=True)
    missing = [name for name in needs if name not in parts]
    if missing:
        raise PatchRefused("required", place, f'{type_} needs the part "{missing[0]}"', malformed=True)
    path, name = _text(parts["path"]), _text(parts["name"]) if "name" in needs else ""
    if path is None or name is None:
        raise PatchRefused("value", place, "path and name are strings", malformed=True)
    numbers = {each: parts[each].get("valueInteger") for each in _NUMBERS if each in needs}
    if not all(isinstance(number, int) and number >= 0 for number in numbers.values()):
        raise PatchRefused("value", place, f"{' and '.join(numbers)}: integers, 0 or more", malformed=True)
    try:
        return _Operation(place, type_, read_path(path), name, parts.get("value", {}), numbers)
    except PathError as error:
        raise PatchRefused("not-supported", f"{place}.part.where(name = 'path')", str(error), malformed=True) from None


def _text(part: Json) -> str | None:
    return next((part[name] for name in _TEXTS if name in part), None)


def _only(spots: Sequence[Spot]) -> Spot:
    if len(spots) != 1:
        raise EditRefused(f"The path must lead to one element; it leads to {len(spots) or 'none'}")
    return spots[0]


def _add(operation: _Operation, document: Json) -> None:
    spot = _only(follow(document, operation.path))
    shape = spot.shape()
    names = names_of(shape, operation.name) if shape else ()
    if shape is None or not names:
        raise EditRefused("The element there has no child of this name")
    key, value = built(operation.value, shape, operation.name)
    editor = Editor(document)
    if shape.members[key].many:
        editor.insert((*spot.keys, key), None, value)
    elif any(name in spot.value or f"_{name}" in spot.value for name in names):
        raise EditRefused("There is a value already, and there can be one only: use replace")
    else:
        editor.put((*spot.keys, key), value)


def _insert(operation: _Operation, document: Json) -> None:
    owner, shape, name = _list(operation, document)
    _, value = built(operation.value, shape, name)
    Editor(document).insert((*owner.keys, name), operation.numbers["index"], value)


def _move(operation: _Operation, document: Json) -> None:
    owner, _, name = _list(operation, document)
    Editor(document).move((*owner.keys, name), operation.numbers["source"], operation.numbers["destination"])


def _list(operation: _Operation, document: Json) -> tuple[Spot, Shape, str]:
    """Whose list a path names, and its name. The list may be empty, and then it is not there."""
    *before, last = operation.path
    if not isinstance(last, Child):
        raise EditRefused("The path must end with the name of a list")
    owner = _only(follow(document, tuple(before)))
    shape = owner.shape()
    names = names_of(shape, last.name) if shape else ()
    if shape is None or not names or not shape.members[names[0]].many:
        raise EditRefused("The element there has no list of this name")
    return owner, shape, last.name


def _delete(operation: _Operation, document: Json) -> None:
    spots = follow(document, operation.path)
    if len(spots) > 1:
        raise EditRefused(f"Only a single element can be deleted; the path leads to {len(spots)}")
    for spot in spots:  # R4: "if found"
        Editor(document).delete(spot.keys)


def _replace(operation: _Operation, document: Json) -> None:
    spot = _only(follow(document, operation.path))
    if spot.member is None or spot.owner is None:
        raise EditRefused("A resource cannot be replaced as a whole by a patch: use an update")
    name = spot.member.alternative[0] if spot.member.alternative else str(_named(spot))
    key, value = built(operation.value, spot.owner, name)
    editor = Editor(document)
    if spot.member.many:
        editor.set_item(spot.keys, value)
    else:
        editor.delete(spot.keys)
        editor.put((*spot.keys[:-1], key), value)


def _named(spot: Spot) -> str | int:
    """The property under which the element stands."""
    return spot.keys[-2] if isinstance(spot.keys[-1], int) else spot.keys[-1]


_DO: Mapping[str, Callable[[_Operation, Json], None]] = MappingProxyType(
    {"add": _add, "insert": _insert, "delete": _delete, "replace": _replace, "move": _move}
)
