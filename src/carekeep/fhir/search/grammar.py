"""The FHIRPath that R4 search parameters use, as a tree.

R4's expressions have few forms: unions of paths, ``as``/``is``/``ofType``, ``where(x='y')``,
``where(resolve() is T)``, an index, and one ``exists() and … != false``. Everything else is refused, so that
a new edition of the definitions cannot be half understood.
"""

import re
from dataclasses import dataclass, replace

_TOKEN = re.compile(r"\s*(?:([A-Za-z_%]\w*|\d+)|'([^']*)'|(!=|[().|\[\]=]))")
_END = ""


class ExpressionError(ValueError):
    """The expression has a form that Carekeep does not understand."""


@dataclass(frozen=True, slots=True)
class Equals:
    """``where(name='literal')``: keep elements whose child has this value."""

    name: str
    literal: str


@dataclass(frozen=True, slots=True)
class ResolvesTo:
    """``where(resolve() is Type)``: keep references to this type of resource."""

    type: str


@dataclass(frozen=True, slots=True)
class Step:
    """One element name of a path and what narrows it."""

    name: str
    type: str | None = None
    index: int | None = None
    where: Equals | ResolvesTo | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One path of a union.

    ``root`` is the type it starts at, ``%resource``, or empty for a path relative to its context.
    ``presence``: the value is not the element but whether it exists and is not ``false``.
    """

    root: str
    steps: tuple[Step, ...]
    presence: bool = False

    def about(self, type_: str) -> bool:
        """Whether this part of a union that several types share is about this resource type."""
        return self.root in {"", "Resource", "DomainResource", type_}

    def everywhere(self) -> "Part":
        """The same path without its filters and indexes."""
        return replace(self, steps=tuple(Step(step.name, step.type) for step in self.steps))


def parse_expression(text: str) -> tuple[Part, ...]:
    """Read a union of paths. Raises ExpressionError."""
    return _Parser(text).union()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[str] = []
        at = 0
        stripped = text.rstrip()
        while at < len(stripped):
            found = _TOKEN.match(stripped, at)
            if found is None:
                raise ExpressionError(f"unexpected character at {at} in {text!r}")
            name, literal, sign = found.groups()
            self._tokens.append(name or sign or f"'{literal}")
            at = found.end()
        self._tokens.append(_END)
        self._at = 0

    def union(self) -> tuple[Part, ...]:
        parts = [self._part()]
        while self._accept("|"):
            parts.append(self._part())
        self._expect(_END)
        return tuple(parts)

    def _part(self) -> Part:
        root, steps = self._path(self._head())
        if steps and steps[-1].name == "exists()":
            return self._presence(root, steps[:-1])
        return Part(root, tuple(steps))

    def _head(self) -> list[Step]:
        """The first name, or a parenthesis ``(path as Type)``."""
        if not self._accept("("):
            return [Step(self._name())]
        root, steps = self._path([Step(self._name())])
        self._expect(")")
        return [Step(root), *steps]

    def _path(self, steps: list[Step]) -> tuple[str, list[Step]]:
        while True:
            if self._accept("."):
                self._member(steps)
            elif self._accept("["):
                steps[-1] = _narrow(steps[-1], index=int(self._next()))
                self._expect("]")
            elif self._accept("as") or self._accept("is"):
                steps[-1] = _narrow(steps[-1], type_=self._name())
            else:
                break
        first = steps[0].name
        # Types are written with a capital; an element at the head makes the path relative.
        if first == "%resource" or first[:1].isupper() or first == "":
            return first, steps[1:]
        return "", steps

    def _member(self, steps: list[Step]) -> None:
        name = self._name()
        if not self._accept("("):
            steps.append(Step(name))
            return
        if name in {"as", "ofType"}:
            steps[-1] = _narrow(steps[-1], type_=self._name())
        elif name == "where":
            steps[-1] = _narrow(steps[-1], where=self._condition())
        elif name == "exists":
            steps.append(Step("exists()"))
        else:
            raise ExpressionError(f"unknown function {name} in {self._text!r}")
        self._expect(")")

    def _condition(self) -> Equals | ResolvesTo:
        name = self._name()
        if name == "resolve":
            self._expect("(")
            self._expect(")")
            self._expect("is")
            return ResolvesTo(self._name())
        self._expect("=")
        literal = self._next()
        if not literal.startswith("'"):
            raise ExpressionError(f"a quoted value was expected in {self._text!r}")
        return Equals(name, literal[1:])

    def _presence(self, root: str, steps: list[Step]) -> Part:
        """``X.exists() and X != false``, the form of Patient's ``deceased``."""
        self._expect("and")
        again = self._path([Step(self._name())])
        self._expect("!=")
        self._expect("false")
        if again != (root, steps):
            raise ExpressionError(f"two different paths in {self._text!r}")
        return Part(root, tuple(steps), presence=True)

    def _next(self) -> str:
        token = self._tokens[self._at]
        if token == _END:
            raise ExpressionError(f"{self._text!r} ends too early")
        self._at += 1
        return token

    def _accept(self, token: str) -> bool:
        if self._tokens[self._at] != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._accept(token):
            raise ExpressionError(f"{token or 'the end'} was expected in {self._text!r}")

    def _name(self) -> str:
        token = self._next()
        if not token[:1].isalpha() and token[:1] not in "%_":
            raise ExpressionError(f"a name was expected in {self._text!r}")
        return token


def _narrow(
    step: Step,
    *,
    type_: str | None = None,
    index: int | None = None,
    where: Equals | ResolvesTo | None = None,
) -> Step:
    if (type_ and step.type) or (where and step.where) or (index is not None and step.index is not None):
        raise ExpressionError(f"{step.name} is narrowed twice")
    return replace(
        step,
        type=type_ or step.type,
        index=step.index if index is None else index,
        where=where or step.where,
    )
