"""FHIRPath as text, read into a tree. Bounded in length and depth."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

_MAX_LENGTH = 4096
_MAX_DEPTH = 40
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<number>\d+(?:\.\d+)?)
    | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
    | `(?P<quoted>[^`]*)`
    | %(?P<variable>[A-Za-z][A-Za-z0-9_]*|`[^`]*`|'[^']*')
    | (?P<special>\$[a-z]+)
    | (?P<symbol><=|>=|!=|!~|[-+*/&|=<>~.,()\[\]{}@])
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}
# Binary operators by precedence, loosest first (FHIRPath 2.0, "Operator Precedence").
_LEVELS: Final = (
    frozenset({"implies"}),
    frozenset({"or", "xor"}),
    frozenset({"and"}),
    frozenset({"in", "contains"}),
    frozenset({"=", "!="}),
    frozenset({"<", "<=", ">", ">="}),
    frozenset({"|"}),
    frozenset({"is", "as"}),
    frozenset({"+", "-", "&"}),
)
_OF_TYPE = frozenset({"is", "as", "ofType"})


class Unsupported(Exception):
    """The text is not FHIRPath, or uses a part of it that is left out. Its text says which."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal: a string, a number, a truth value; None is ``{}``."""

    value: Any


@dataclass(frozen=True, slots=True)
class Variable:
    """A ``$this``, ``$index``, or ``%name`` (without the percent sign)."""

    name: str


@dataclass(frozen=True, slots=True)
class Name:
    """An element's name; at the head of a path also a type's."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments; ``type`` is the argument of ``is``, ``as`` and ``ofType``."""

    name: str
    arguments: "tuple[Tree, ...]" = ()
    type: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    """A step on from somewhere."""

    start: "Tree"
    step: "Name | Call"


@dataclass(frozen=True, slots=True)
class Item:
    """One item by its position."""

    start: "Tree"
    index: "Tree"


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between two expressions."""

    operator: str
    left: "Tree"
    right: "Tree"


Tree = Constant | Variable | Name | Call | Dot | Item | Binary


@dataclass(frozen=True, slots=True)
class Token:
    """``kind`` is the name of the group that matched."""

    kind: str
    text: str


def parse(text: str) -> Tree:
    """The tree of an expression. Raises Unsupported."""
    if len(text) > _MAX_LENGTH:
        raise Unsupported("the expression is too long")
    reader = _Reader(_tokens(text))
    tree = reader.expression()
    if reader.at_end():
        return tree
    raise Unsupported("the expression does not end where it should")


def _tokens(text: str) -> list[Token]:
    found, at, end = [], 0, len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            raise Unsupported("the expression has a character that cannot stand there")
        found.append(Token(match.lastgroup, match[match.lastgroup]))
        at = match.end()
    return found


@dataclass(slots=True)
class _Reader:
    tokens: list[Token]
    at: int = 0
    depth: int = field(default=0)

    def at_end(self) -> bool:
        return self.at == len(self.tokens)

    def expression(self, level: int = 0) -> Tree:
        if level == 0:
            self.depth += 1
            if self.depth > _MAX_DEPTH:
                raise Unsupported("the expression is nested too deeply")
        if level == len(_LEVELS):
            return self._path()
        left = self.expression(level + 1)
        while (operator := self._peek()) is not None and operator in _LEVELS[level]:
            self.at += 1
            if operator in {"is", "as"}:
                left = Dot(left, Call(operator, type=self._type()))
            else:
                left = Binary(operator, left, self.expression(level + 1))
        if level == 0:
            self.depth -= 1
        return left

    def _peek(self) -> str | None:
        token = self.tokens[self.at] if not self.at_end() else None
        return token.text if token is not None and token.kind in {"symbol", "name"} else None

    def _take(self, text: str) -> bool:
        if self._peek() == text:
            self.at += 1
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise Unsupported(f"{text} is missing in the expression")

    def _path(self) -> Tree:
        tree = self._term()
        while True:
            if self._take("."):
                tree = Dot(tree, self._step())
            elif self._take("["):
                tree = Item(tree, self.expression())
                self._need("]")
            else:
                return tree

    def _term(self) -> Tree:
        if self._take("("):
            tree = self.expression()
            self._need(")")
            return tree
        if self._take("{"):
            self._need("}")
            return Constant(None)
        if self.at_end():
            raise Unsupported("the expression ends too early")
        token = self.tokens[self.at]
        match token.kind:
            case "string":
                value: Any = _ESCAPE.sub(_unescaped, token.text[1:-1])
            case "number":
                value = float(token.text) if "." in token.text else int(token.text)
            case "variable" | "special":
                self.at += 1
                return Variable(token.text.strip("`'"))
            case "name" if token.text in {"true", "false"}:
                value = token.text == "true"
            case "name" | "quoted":
                return self._step()
            case _:
                raise Unsupported(f"{token.text} is not supported there")
        self.at += 1
        return Constant(value)

    def _step(self) -> Name | Call:
        name = self._name()
        if not self._take("("):
            return Name(name)
        if name in _OF_TYPE:
            call = Call(name, type=self._type())
        elif self._peek() == ")":
            call = Call(name)
        else:
            arguments = [self.expression()]
            while self._take(","):
                arguments.append(self.expression())
            call = Call(name, tuple(arguments))
        self._need(")")
        return call

    def _type(self) -> str:
        name = self._name()
        return self._name() if self._take(".") else name

    def _name(self) -> str:
        if self.at_end() or self.tokens[self.at].kind not in {"name", "quoted"}:
            raise Unsupported("a name is missing in the expression")
        self.at += 1
        return self.tokens[self.at - 1].text


def _unescaped(match: re.Match[str]) -> str:
    escaped = match[1]
    return chr(int(escaped[1:], 16)) if len(escaped) > 1 else _ESCAPES.get(escaped, escaped)
