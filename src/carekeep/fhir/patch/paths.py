"""The FHIRPath that names one place in a resource, read and followed.

FHIRPath Patch needs places, not values, so only what leads from a place to places in it is understood: element names,
``[n]``, ``first()``, ``last()``, ``single()``, ``where(name = literal and …)``, ``ofType(T)``/``as``, and
``extension('url')``. Anything else (``resolve()`` above all, which would leave the resource) is refused.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from carekeep.fhir.patch.json_patch import same_json
from carekeep.fhir.validation.shapes import RESOURCE, Member, Shape, shape_of

MAX_LENGTH: Final = 1_000
Json = dict[str, Any]
Keys = tuple[str | int, ...]
_TOKEN = re.compile(
    r"\s*(?:(?P<name>[A-Za-z_]\w*|`[^`\\]+`)|(?P<text>'(?:[^'\\]|\\['\"`\\/])*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<sign>[.()\[\]=]))",
    re.ASCII,
)
_END = ("end", "")
_LONGEST_INDEX = 6


class PathError(ValueError):
    """The path is not of the simple kind that names a place; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Child:
    """The elements of a name below."""

    name: str


@dataclass(frozen=True, slots=True)
class At:
    """One of the places so far: ``index`` from the front, or -1 for the last."""

    index: int


@dataclass(frozen=True, slots=True)
class Single:
    """The only one of the places so far; several are an error."""


@dataclass(frozen=True, slots=True)
class OfType:
    """Those places that hold this type."""

    type: str


@dataclass(frozen=True, slots=True)
class Where:
    """Those places of which each ``(path, literal)`` is true: some element there is equal to the literal."""

    criteria: tuple[tuple[tuple[str, ...], Any], ...] = field(repr=False)


Step = Child | At | Single | OfType | Where


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a resource.

    ``keys`` lead there from the root. ``member`` is what the standard says of the element (None for the root);
    ``owner`` the shape of the object that the element belongs to.
    """

    keys: Keys
    value: Any = field(repr=False)
    member: Member | None = None
    owner: Shape | None = None

    def shape(self) -> Shape | None:
        """The shape of the object at this place; None for a primitive."""
        if not isinstance(self.value, dict):
            return None
        if self.member is None or self.member.shape == RESOURCE:
            return shape_of(self.value["resourceType"])
        return shape_of(self.member.shape) if self.member.shape else None


def read_path(text: str) -> tuple[Step, ...]:
    """The steps of a path, its leading type left out. Raises PathError."""
    if len(text) > MAX_LENGTH:
        raise PathError(f"A path may have {MAX_LENGTH:,} characters")
    parser = _Parser(text)
    steps = parser.expression()
    parser.expect(*_END)
    return tuple(steps)


def follow(resource: Json, steps: tuple[Step, ...]) -> list[Spot]:
    """The places in a valid resource to which a path leads. Raises PathError where ``single()`` finds several."""
    spots = [Spot((), resource)]
    for position, step in enumerate(steps):
        if position == 0 and isinstance(step, Child) and step.name in {resource["resourceType"], *_ANY}:
            continue
        spots = list(_take(spots, step))
    return spots


_ANY = ("Resource", "DomainResource")


def _take(spots: list[Spot], step: Step) -> Iterator[Spot]:
    match step:
        case Child(name):
            for spot in spots:
                yield from children(spot, name)
        case At(index):
            yield from spots[index:][:1]
        case Single():
            if len(spots) > 1:
                raise PathError("single() met several elements")
            yield from spots
        case OfType(type_):
            yield from (spot for spot in spots if spot.member is not None and _type(spot.member) == type_)
        case Where(criteria):
            yield from (spot for spot in spots if all(_meets(spot, path, literal) for path, literal in criteria))


def children(spot: Spot, name: str) -> Iterator[Spot]:
    """The elements of a name directly below a place; of a choice, the one that is there."""
    shape = spot.shape()
    if shape is None:
        return
    for key in names_of(shape, name):
        if key not in spot.value:
            continue
        member, value = shape.members[key], spot.value[key]
        if isinstance(value, list):
            for position, item in enumerate(value):
                yield Spot((*spot.keys, key, position), item, member, shape)
        else:
            yield Spot((*spot.keys, key), value, member, shape)


def names_of(shape: Shape, name: str) -> tuple[str, ...]:
    """The property names that an element has in an object of this shape; none where it has no such element."""
    member = shape.members.get(name)
    if member is not None:
        return () if member.extends or member.alternative or name == "resourceType" else (name,)
    return tuple(
        key
        for key, each in shape.members.items()
        if each.alternative and each.alternative[0] == name and not each.extends
    )


def _type(member: Member) -> str:
    return member.kind or member.shape


def _meets(spot: Spot, path: tuple[str, ...], literal: Any) -> bool:
    spots = [spot]
    for name in path:
        spots = [child for each in spots for child in children(each, name)]
    return any(same_json(each.value, literal) for each in spots)


class _Parser:
    """Recursive descent over the tokens of one path."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            found = _TOKEN.match(text, at)
            if found is None or found.lastgroup is None:
                raise PathError(f"Character {at + 1} cannot be read")
            self._tokens.append((found.lastgroup, found[found.lastgroup]))
            at = found.end()
        self._tokens.append(_END)
        self._at = 0

    def expression(self) -> list[Step]:
        """A path, which may begin with ``(path as Type)``."""
        if not self._accept("sign", "("):
            return self._path([Child(self._name())])
        steps = self._path([Child(self._name())])
        self.expect("name", "as")
        steps.append(OfType(self._name()))
        self.expect("sign", ")")
        return self._path(steps)

    def _path(self, steps: list[Step]) -> list[Step]:
        while True:
            if self._accept("sign", "."):
                steps.extend(self._invocation())
            elif self._accept("sign", "["):
                steps.append(At(self._index()))
                self.expect("sign", "]")
            else:
                return steps

    def _invocation(self) -> Iterator[Step]:
        name = self._name()
        if not self._accept("sign", "("):
            yield Child(name)
            return
        step: Step
        match name:
            case "first" | "last":
                step = At(0 if name == "first" else -1)
            case "single":
                step = Single()
            case "ofType" | "as":
                step = OfType(self._name())
            case "where":
                step = Where(tuple(self._criteria()))
            case "extension":
                yield Child("extension")
                step = Where(((("url",), self._literal()),))
            case _:
                known = "first, last, single, where, ofType, as and extension"
                raise PathError(f"Only {known} can be called in the path of a patch")
        self.expect("sign", ")")
        yield step

    def _criteria(self) -> Iterator[tuple[tuple[str, ...], Any]]:
        while True:
            path = [self._name()]
            while self._accept("sign", "."):
                path.append(self._name())
            self.expect("sign", "=")
            yield tuple(path), self._literal()
            if not self._accept("name", "and"):
                return

    def _literal(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "number":
            return float(text) if "." in text else int(text)
        if (kind, text) in {("name", "true"), ("name", "false")}:
            return text == "true"
        raise PathError("A value in where() is a text in quotes, a number, true or false")

    def _index(self) -> int:
        kind, text = self._next()
        if kind != "number" or not text.isdecimal() or len(text) > _LONGEST_INDEX:
            raise PathError("An index is a number, 0 or more")
        return int(text)

    def _name(self) -> str:
        kind, text = self._next()
        if kind != "name":
            raise PathError("A name is missing")
        return text.strip("`")

    def _next(self) -> tuple[str, str]:
        token = self._tokens[self._at]
        if token != _END:
            self._at += 1
        return token

    def _accept(self, *token: str) -> bool:
        if self._tokens[self._at] != token:
            return False
        self._next()
        return True

    def expect(self, *token: str) -> None:
        """Raises PathError for another token."""
        if not self._accept(*token):
            raise PathError(
                "The path goes on in a way that is not understood" if token == _END else f"{token[1]} is missing"
            )
