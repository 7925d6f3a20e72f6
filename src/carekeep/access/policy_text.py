"""Policy files: taken apart, checked one by one against the schema, or refused with file, line and reason.

Cedar's own messages carry no line, so each policy is cut out of its file first and checked alone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

import cedarpy

MAX_CHARACTERS = 1_000_000
_PIECE = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|;', re.DOTALL)
_BLANK = re.compile(r"(?:\s|//[^\n]*)*")
_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,79}")
_ANNOTATIONS = ("id", "title", "reason", "law")


class PolicyRefused(ValueError):
    """Policies or their schema cannot be used. The message has a line "file, line N: reason" for each problem."""


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The text of a file, and the name by which messages call it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy and what its annotations say. ``permits`` is False for a forbid."""

    id: str
    title: str
    reason: str
    law: str
    permits: bool
    file: str
    line: int
    text: str


def bundled_schema() -> PolicyFile:
    """The schema that comes with Carekeep."""
    return _bundled("schema.cedarschema")


def bundled_policies() -> tuple[PolicyFile, ...]:
    """The policies that come with Carekeep."""
    return tuple(map(_bundled, ("spine.cedar", "administration.cedar", "zero_trust.cedar")))


def read_schema(file: PolicyFile) -> cedarpy.Schema:
    """Parse a Cedar schema. Raises PolicyRefused."""
    try:
        return cedarpy.Schema.from_str(file.text)
    except ValueError as error:
        raise PolicyRefused(f"{file.name}: {error}") from None


def read_policies(files: Sequence[PolicyFile], schema: cedarpy.Schema) -> tuple[Policy, ...]:
    """Check policies; returns them in order of file and line.

    Raises PolicyRefused, listing all problems, when a policy does not parse, contradicts the schema, is a template,
    lacks an annotation or takes an id that another has, and when there is no policy at all.
    """
    problems: list[str] = []
    policies: dict[str, Policy] = {}
    for file in files:
        for line, text in _statements(file):
            try:
                policy = _read(file.name, line, text, schema)
            except ValueError as error:
                problems.append(f"{file.name}, line {line}: {error}")
                continue
            first = policies.setdefault(policy.id, policy)
            if first is not policy:
                problems.append(f"{file.name}, line {line}: {first.file}, line {first.line}, has the id {policy.id}")
    if not problems and not policies:
        problems.append(f"{', '.join(file.name for file in files) or 'no file'}: holds no policy")
    if problems:
        raise PolicyRefused("\n".join(problems))
    return tuple(policies.values())


def _statements(file: PolicyFile) -> Iterator[tuple[int, str]]:
    """The policies of a file with the line on which each begins. What follows the last ``;`` is one as well."""
    text = file.text
    if len(text) > MAX_CHARACTERS:
        raise PolicyRefused(f"{file.name}: longer than {MAX_CHARACTERS} characters; split it")
    start = _after_blank(text, 0)
    for piece in _PIECE.finditer(text, start):
        if piece.group() == ";":
            yield text.count("\n", 0, start) + 1, text[start : piece.end()]
            start = _after_blank(text, piece.end())
    if start < len(text):
        yield text.count("\n", 0, start) + 1, text[start:]


def _after_blank(text: str, position: int) -> int:
    blank = _BLANK.match(text, position)
    return blank.end() if blank else position


def _read(file: str, line: int, text: str, schema: cedarpy.Schema) -> Policy:
    """One policy, checked. Raises ValueError with the reason alone."""
    parsed = cedarpy.PolicySet.from_str(text).to_pst().static_policies
    if len(parsed) != 1:
        raise ValueError("a template permits nothing by itself; write the policy out for its principal and resource")
    (template,) = parsed.values()
    notes = {name: (template.annotations.get(name) or "").strip() for name in _ANNOTATIONS}
    missing = [f"@{name}" for name, note in notes.items() if not note]
    if missing:
        raise ValueError(f"the policy says no {', '.join(missing)}")
    if not _ID.fullmatch(notes["id"]):
        raise ValueError("@id is made of lower-case letters, digits, dots and hyphens, 80 at most")
    checked = cedarpy.validate_policies(text, schema)
    if not checked.validation_passed:
        errors = "; ".join(error.error.removeprefix("for policy `policy0`").lstrip(",: ") for error in checked.errors)
        raise ValueError(f"{notes['id']}: {errors}")
    return Policy(**notes, permits=template.effect == "permit", file=file, line=line, text=text)


def _bundled(name: str) -> PolicyFile:
    return PolicyFile(name, (resources.files("carekeep.access") / "policies" / name).read_text("utf-8"))
