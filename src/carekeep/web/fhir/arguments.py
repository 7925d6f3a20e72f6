"""What an operation is called with: names and values of the URL, or a Parameters resource in the body (FHIR R4)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from carekeep.web.fhir.bodies import MAX_RESOURCE, check_format, check_valid, read_json
from carekeep.web.http import number
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

Json = dict[str, Any]
_SHAPE = frozenset({"_format", "_pretty"})
_MOST = 100


@dataclass(frozen=True, slots=True)
class Arguments:
    """Arguments in the order in which they came: texts, and what a Parameters resource can hold beside them."""

    given: tuple[tuple[str, Any], ...] = field(repr=False)

    def all(self, name: str) -> list[Any]:
        """Every value of a name."""
        return [value for known, value in self.given if known == name]

    def text(self, name: str) -> str | None:
        """A value that is one text. Raises 400 when there are several, or one that is no text."""
        value = self._one(name)
        if isinstance(value, dict):
            raise problem(400, "value", f"{name} must be a plain value.", name)
        return value if value is None or isinstance(value, str) else _text(value)

    def texts(self, name: str) -> list[str]:
        """Values that are texts, with commas between them or given several times."""
        return [part for value in self.all(name) for part in _text(value).split(",") if part]

    def whole(self, name: str) -> int | None:
        """A number without a sign. Raises 400 for anything else."""
        text = self.text(name)
        if text is None:
            return None
        found = number(text)
        if found is None:
            raise problem(400, "value", f"{name} must be a number, 0 or more.", name)
        return found

    def flag(self, name: str) -> bool:
        """True or false; absent is false. Raises 400 for anything else."""
        text = self.text(name)
        if text not in {None, "true", "false"}:
            raise problem(400, "value", f"{name} must be true or false.", name)
        return text == "true"

    def element(self, name: str) -> Json | None:
        """A resource or an element with parts. Raises 400 for a text: those come in a body only."""
        value = self._one(name)
        if value is not None and not isinstance(value, dict):
            raise problem(400, "value", f"Send {name} in a Parameters resource, by POST.", name)
        return value

    def _one(self, name: str) -> Any:
        values = self.all(name)
        if len(values) > 1:
            raise problem(400, "invalid", f"{name} may be given once.", name)
        return values[0] if values else None


async def read_arguments(passage: Passage, *names: str) -> Arguments:
    """The arguments of an operation that knows these names.

    Raises 400 for another name (to ignore it could answer another question than was asked), 415 and 422 for a body
    that is no valid Parameters.
    """
    from_url = url_arguments(passage, *names)
    if passage.request.method != "POST" or not _has_body(passage):
        return from_url
    body = await read_json(passage.request, MAX_RESOURCE)
    if body.get("resourceType") != "Parameters":
        raise problem(400, "invalid", "The body of this operation is a Parameters resource.", "Parameters")
    check_valid(body)
    return Arguments(from_url.given + body_arguments(body, *names).given)


def url_arguments(passage: Passage, *names: str) -> Arguments:
    """The arguments in the URL."""
    pairs = passage.request.pairs()
    check_format([value for name, value in pairs if name == "_format"])
    return Arguments(tuple(_known(((name, value) for name, value in pairs if name not in _SHAPE), names)))


def body_arguments(parameters: Json, *names: str) -> Arguments:
    """The arguments in a Parameters resource, which need not be valid: parameters without any value are left out."""
    rows = parameters.get("parameter", [])
    if not isinstance(rows, list) or len(rows) > _MOST or not all(isinstance(row, dict) for row in rows):
        raise problem(400, "structure", f"Parameters holds a list of at most {_MOST} objects.", "Parameters.parameter")
    given = [(str(row.get("name")), value) for row in rows if (value := _value(row)) is not None]
    return Arguments(tuple(_known(given, names)))


def _known(given: Iterable[tuple[str, Any]], names: tuple[str, ...]) -> Iterable[tuple[str, Any]]:
    for name, value in given:
        if name not in names:
            takes = f"It takes {', '.join(names)}." if names else "It takes none."
            raise problem(400, "not-supported", f"A parameter of this operation is not supported here. {takes}")
        yield name, value


def _value(row: Json) -> Any:
    if "resource" in row:
        return row["resource"]
    return next((value for name, value in row.items() if name.startswith("value")), None)


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _has_body(passage: Passage) -> bool:
    headers = passage.request.headers
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"
