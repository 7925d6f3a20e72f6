"""Policy files: taken apart, checked one by one against the schema, or refused with file, line and reason.

Cedar's own messages carry no line, so each policy is cut out of its file first and checked alone.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import cedarpy
from cedarpy import pst

from carekeep.access.obligations import ObligationRefused, Obligations
from carekeep.access.vocabulary import PRINCIPAL_TYPES, Action

MAX_CHARACTERS = 1_000_000
_PIECE = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|;', re.DOTALL)
_BLANK = re.compile(r"(?:\s|//[^\n]*)*")
_ID = re.compile(r"[a-z0-9][a-z0-9.-]{0,79}")
_ANNOTATIONS = ("id", "title", "reason", "law")
_OBLIGATION = "obligation"
# In the parsed policy, where no comment and no spaces can hide it.
_ENTITY = re.compile(r"EntityUid\(type=EntityType\(basename='(\w+)'")
_ACCOUNTS = frozenset(PRINCIPAL_TYPES.values())
_CHECKED = 2_000  # policies that are remembered
# What shows records, or lets them be asked for. Whoever changes a record must see all of it.
_SHOWING = frozenset(
    {Action.READ, Action.VREAD, Action.HISTORY, Action.SEARCH, Action.PATIENT_EXPORT, Action.BULK_EXPORT}
)


class PolicyRefused(ValueError):
    """Policies or their schema cannot be used. The message has a line "file, line N: reason" for each problem."""


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """The text of a file, and the name by which messages call it."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Head:
    """What a policy is about by its head: entity types and actions; None for any."""

    principal: str | None
    actions: frozenset[str] | None
    resource: str | None

    def covers(self, principal: str, action: str, resource: str) -> bool:
        """Whether the policy can have a say in such a request."""
        return (
            self.principal in {None, principal}
            and (self.actions is None or action in self.actions)
            and self.resource in {None, resource}
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy and what its annotations say. ``permits`` is False for a forbid.

    ``names_account``: it names an account, so that it matters to it which one asks.
    """

    id: str
    title: str
    reason: str
    law: str
    permits: bool
    file: str
    line: int
    text: str
    head: Head
    obligations: Obligations | None = None
    names_account: bool = False

    @property
    def sees_sign_in(self) -> bool:
        """Whether it may look at how, or how long ago, somebody signed in."""
        return "assurance" in self.text or "authenticated_minutes" in self.text


def bundled_schema() -> PolicyFile:
    """The schema that comes with Carekeep."""
    return _bundled("schema.cedarschema")


def bundled_policies() -> tuple[PolicyFile, ...]:
    """The policies that come with Carekeep."""
    names = ("spine", "administration", "zero_trust", "who_may", "portal", "consent", "labels")
    return tuple(_bundled(f"{name}.cedar") for name in names)


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


@lru_cache(_CHECKED)
def _read(file: str, line: int, text: str, schema: cedarpy.Schema) -> Policy:
    """One policy, checked. Raises ValueError with the reason alone. Most of them are the same at the next load."""
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
    head = _head(template)
    obligations = _obligations(template, head, notes["id"])
    permits = template.effect == "permit"
    return Policy(
        **notes,
        permits=permits,
        file=file,
        line=line,
        text=text,
        head=head,
        obligations=obligations,
        names_account=not _ACCOUNTS.isdisjoint(_ENTITY.findall(repr(template))),
    )


def _obligations(template: pst.Template, head: Head, policy_id: str) -> Obligations | None:
    """What a permit leaves out. Raises ValueError."""
    if _OBLIGATION not in template.annotations:
        return None
    if template.effect != "permit":
        raise ValueError(f"{policy_id}: a forbid has no @obligation: it shows nothing")
    if head.actions is None or not head.actions <= _SHOWING:
        names = ", ".join(sorted(_SHOWING))
        raise ValueError(f"{policy_id}: an @obligation is for policies that name their actions, all of them of {names}")
    try:
        return Obligations.parse(template.annotations[_OBLIGATION] or "", policy_id)
    except ObligationRefused as refused:
        raise ValueError(f"{policy_id}: {refused}") from None


def _head(template: pst.Template) -> Head:
    action = template.action
    actions: frozenset[str] | None = None
    if isinstance(action, pst.ActionEq):
        actions = frozenset({action.entity.id})
    elif isinstance(action, pst.ActionIn):
        actions = frozenset(entity.id for entity in action.entities)
    return Head(_type(template.principal), actions, _type(template.resource))


def _type(scope: object) -> str | None:
    """The entity type that a head names. What is ``in`` a group may be of another type than the group."""
    if isinstance(scope, pst.ScopeIs | pst.ScopeIsIn):
        return str(scope.entity_type.basename)
    if isinstance(scope, pst.ScopeEq) and isinstance(scope.entity, pst.EntityUid):
        return str(scope.entity.type.basename)
    return None


def _bundled(name: str) -> PolicyFile:
    return PolicyFile(name, (resources.files("carekeep.access") / "policies" / name).read_text("utf-8"))
