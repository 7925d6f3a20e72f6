"""Cases: requests as data, and what the policies must answer.

A file ``*.cases.toml`` has tables ``[[case]]``. Each says what a policy can see, by the names of the schema, and what
is expected; what it does not say is as it usually is. ``who`` is the kind of account. Where a value is a list that the
schema does not know as one, the case is meant for each of its members; ``purpose = "any"`` is all of them.

    [[case]]
    title = "A researcher sees no names"
    who = "practitioner"
    action = "fhir:record:read"
    type = "Patient"
    purpose = "HRESCH"
    relations = ["care-team"]
    expect = "permitted"
    by = "research.read"
    omits = ["Patient.name"]
"""

import itertools
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from carekeep.access.decider import shown
from carekeep.access.decision import Visible
from carekeep.access.policy_text import PolicyFile
from carekeep.access.rules import Rules, RulesFailed, Verdict
from carekeep.access.seen import visible_of
from carekeep.access.vocabulary import (
    PRINCIPAL_TYPES,
    RECORD_OF_PATIENT,
    RECORD_SHARED,
    Action,
    DeviceTrust,
    Purpose,
    default_purpose,
)

MOST_CASES = 5_000  # in one file
MOST_OF_ONE = 50_000  # requests that one case stands for
_ANY = "any"
ALL_OF: Mapping[str, Sequence[Any]] = {
    "purpose": tuple(Purpose),
    "kind": tuple(PRINCIPAL_TYPES),
    "device": tuple(DeviceTrust),
}
_LISTS = frozenset({"grants", "labels", "relations"})
_OURS = frozenset({"title", "who", "patient", "expect", "by", "omits", "minutes"})
_USUAL: Mapping[str, Any] = {"account": "00" * 16, "assurance": 2, "device": DeviceTrust.MANAGED}
_EXPECTED = ("permitted", "denied", "sometimes")

Expected = Literal["permitted", "denied", "sometimes"]


class CaseRefused(ValueError):
    """A file of cases that cannot be read; the message has file and number of the case."""


@dataclass(frozen=True, slots=True)
class Case:
    """Requests and what is expected of each. "sometimes": at least one of them is permitted.

    ``by``: these policies decide, among others; ``omits``: these elements are left out.
    """

    title: str
    place: str
    requests: tuple[Visible, ...]
    expect: Expected
    by: tuple[str, ...] = ()
    omits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a case. ``seen`` and ``by`` are of the request that went wrong, or else of the first."""

    case: Case
    passed: bool
    answer: str
    by: tuple[str, ...]
    seen: Visible

    @property
    def sentence(self) -> str:
        """What went wrong, and where."""
        expected = f"{self.case.expect} by {', '.join(self.case.by) or 'any policy'}"
        by = ", ".join(self.by) or "no policy"
        return f'{self.case.place}: "{self.case.title}" was expected {expected}, and is {self.answer} by {by}'


def read_cases(files: Sequence[PolicyFile], named: Mapping[str, Sequence[Any]] = ALL_OF) -> tuple[Case, ...]:
    """The cases of files. ``named``: for names of what is seen, what "any" stands for. Raises CaseRefused."""
    return tuple(case for file in files for case in _of_file(file, named))


def run(cases: Iterable[Case], rules: Rules) -> Iterator[Result]:
    """Ask the policies every case."""
    return (_run(case, rules) for case in cases)


def _run(case: Case, rules: Rules) -> Result:
    first: Result | None = None
    for seen in case.requests:
        result = _answered(case, seen, rules)
        first = first or result
        if result.passed == (case.expect == "sometimes"):
            return result
    if first is None:
        raise CaseRefused(f"{case.place}: stands for no request")
    return first


def _answered(case: Case, seen: Visible, rules: Rules) -> Result:
    try:
        verdict = shown(rules.verdict(seen), seen)
    except RulesFailed:
        return Result(case, passed=False, answer="policy error", by=(), seen=seen)
    answer = "permitted" if verdict.permitted else "denied"
    expected = "permitted" if case.expect == "sometimes" else case.expect
    passed = answer == expected and set(case.by) <= set(verdict.policies) and _omits(case, verdict)
    if verdict.permitted and verdict.obligations is not None:
        answer = f"{answer}, {verdict.obligations}"
    return Result(case, passed, answer, verdict.policies, seen)


def _omits(case: Case, verdict: Verdict) -> bool:
    omitted = verdict.obligations.omit if verdict.obligations is not None else frozenset()
    return set(case.omits) <= omitted


def _of_file(file: PolicyFile, named: Mapping[str, Sequence[Any]]) -> Iterator[Case]:
    try:
        tables = tomllib.loads(file.text)
    except tomllib.TOMLDecodeError as error:
        raise CaseRefused(f"{file.name}: {error}") from None
    found = tables.pop("case", [])
    if tables or not isinstance(found, list) or len(found) > MOST_CASES:
        raise CaseRefused(f"{file.name}: holds tables [[case]], at most {MOST_CASES}, and nothing else")
    for number, table in enumerate(found, start=1):
        place = f"{file.name}, case {number}"
        try:
            yield _case(table, place, named)
        except (TypeError, ValueError, KeyError) as error:
            raise CaseRefused(f"{place}: {error}") from None


def _case(table: Mapping[str, Any], place: str, named: Mapping[str, Sequence[Any]]) -> Case:
    title, expect = table.get("title", ""), table.get("expect")
    if not isinstance(title, str) or not title:
        raise ValueError("has no title")
    if expect not in _EXPECTED:
        raise ValueError(f"expect is one of {', '.join(_EXPECTED)}")
    by = (table["by"],) if isinstance(table.get("by"), str) else tuple(table.get("by", ()))
    requests = tuple(_requests(table, named))
    return Case(title, place, requests, expect, by, tuple(table.get("omits", ())))


def _requests(table: Mapping[str, Any], named: Mapping[str, Sequence[Any]]) -> Iterator[Visible]:
    """The requests that a case stands for: every combination of what has several values."""
    given: dict[str, Any] = {name: value for name, value in table.items() if name not in _OURS}
    given = {**_USUAL, "kind": table["who"], "authenticated_minutes": table.get("minutes", 0), **given}
    values = {name: _values(name, value, named) for name, value in given.items()}
    count = 1
    for each in values.values():
        count *= len(each)
    if not 0 < count <= MOST_OF_ONE:
        raise ValueError(f"stands for {count} requests; at most {MOST_OF_ONE}, and at least one")
    for chosen in itertools.product(*values.values()):
        yield _visible(dict(zip(values, chosen, strict=True)), of_patient=bool(table.get("patient", True)))


def _values(name: str, value: Any, named: Mapping[str, Sequence[Any]]) -> Sequence[Any]:
    if value == _ANY and name in named:
        return named[name]
    if name in _LISTS:
        return (value,)
    return tuple(value) if isinstance(value, list) else (value,)


def _visible(members: dict[str, Any], *, of_patient: bool) -> Visible:
    action = Action(members["action"])
    entity = action.entity_types[0]
    if entity == RECORD_OF_PATIENT and not of_patient:
        entity = RECORD_SHARED
    members.setdefault("purpose", default_purpose(members["kind"]))
    return visible_of({**members, "entity": entity})
