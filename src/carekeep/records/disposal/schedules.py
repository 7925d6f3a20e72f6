"""Retention schedules: how long which records are kept, and by which law. Data, read from TOML."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from carekeep.fhir import RESOURCE_TYPES

DEFAULT_SCHEDULES = ("cautious", "us")
DEFAULT_MAJORITY = 18
_LONGEST_YEARS = 150
_OLDEST_MAJORITY = 30
_MOST_RULES = 500
_LARGEST_FILE = 256 * 1024
_LONGEST_TEXT = 300
_FIELDS = frozenset({"id", "schedule", "title", "law", "from", "years", "types", "codes"})


class ScheduleRefused(ValueError):
    """A schedule cannot be used; the text says which rule, and why."""


class Start(StrEnum):
    """From when a period runs; see the head of schedules.toml."""

    LAST_CARE = "last-care"
    RECORD = "record"
    BIRTH = "birth"
    MAJORITY = "majority"
    DEATH = "death"


@dataclass(frozen=True, slots=True)
class Rule:
    """One period. ``types`` and ``codes`` ("system|code") are empty for all."""

    id: str
    schedule: str
    title: str
    law: str
    start: Start
    years: int
    types: frozenset[str] = frozenset()
    codes: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Retention:
    """What an installation keeps to: the rules of its schedules, and when its people come of age."""

    schedules: tuple[str, ...] = DEFAULT_SCHEDULES
    majority: int = DEFAULT_MAJORITY
    file: str = ""
    own: tuple[Rule, ...] = ()

    @classmethod
    def read(cls, table: Mapping[str, Any], home: Path) -> "Retention":
        """From a table of settings: ``schedules`` (names), ``majority`` (years), ``file`` (rules of one's own).

        Raises ScheduleRefused.
        """
        unknown = sorted(table.keys() - {"schedules", "majority", "file"})
        if unknown:
            raise ScheduleRefused(f"{unknown[0]} is not known; there are schedules, majority and file")
        file, majority = table.get("file", ""), table.get("majority", DEFAULT_MAJORITY)
        if not isinstance(file, str):
            raise ScheduleRefused("file must be text")
        if type(majority) is not int or not 1 <= majority <= _OLDEST_MAJORITY:
            raise ScheduleRefused(f"majority must be between 1 and {_OLDEST_MAJORITY}")
        own = read_rules(_content(home / file), file) if file else ()
        chosen = table.get("schedules", [*DEFAULT_SCHEDULES, *dict.fromkeys(rule.schedule for rule in own)])
        known = {rule.schedule for rule in (*bundled_rules(), *own)}
        if not isinstance(chosen, list) or not chosen or not all(isinstance(each, str) for each in chosen):
            raise ScheduleRefused("schedules must be a list of names")
        if missing := [each for each in chosen if each not in known]:
            raise ScheduleRefused(f"there is no schedule {missing[0]!r}; there are {', '.join(sorted(known))}")
        return cls(tuple(chosen), majority, file, own)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force."""
        return tuple(rule for rule in (*bundled_rules(), *self.own) if rule.schedule in self.schedules)

    def table(self) -> dict[str, Any]:
        """What ``read`` reads."""
        return {"schedules": list(self.schedules), "majority": self.majority, "file": self.file}

    def __str__(self) -> str:
        return f"{', '.join(self.schedules)}; of age at {self.majority}"


@cache
def bundled_rules() -> tuple[Rule, ...]:
    """The rules that come with Carekeep."""
    name = "schedules.toml"
    return read_rules(resources.files("carekeep.records.disposal").joinpath(name).read_text(encoding="utf-8"), name)


def read_rules(text: str, where: str) -> tuple[Rule, ...]:
    """The rules in a file. Raises ScheduleRefused with the rule that is wrong."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScheduleRefused(f"{where} is not valid TOML: {error}") from None
    rows = content.get("rule")
    if content.keys() != {"rule"} or not isinstance(rows, list) or not 1 <= len(rows) <= _MOST_RULES:
        raise ScheduleRefused(f"{where} must hold 1 to {_MOST_RULES} tables [[rule]] and nothing else")
    rules = tuple(_rule(row, f"{where}, rule {number}") for number, row in enumerate(rows, 1))
    if len({rule.id for rule in rules}) < len(rules):
        raise ScheduleRefused(f"{where} has two rules with one id")
    return rules


def _rule(row: Mapping[str, Any], where: str) -> Rule:
    unknown = sorted(row.keys() - _FIELDS)
    if unknown:  # a misspelt `types` would turn into a rule for everything
        raise ScheduleRefused(f"{where}: {unknown[0]} is not known; there are {', '.join(sorted(_FIELDS))}")
    for name in ("id", "schedule", "title", "law", "from"):
        if (
            not isinstance(value := row.get(name), str)
            or not 0 < len(value) <= _LONGEST_TEXT
            or not value.isprintable()
        ):
            raise ScheduleRefused(f"{where}: {name} must be a line of text")
    years = row.get("years")
    if type(years) is not int or not 0 < years <= _LONGEST_YEARS:
        raise ScheduleRefused(f"{where}: years must be a whole number from 1 to {_LONGEST_YEARS}")
    types, codes = _words(row, "types", where), _words(row, "codes", where)
    if strange := sorted(types - RESOURCE_TYPES):
        raise ScheduleRefused(f"{where}: FHIR R4 has no resource type {strange[0]!r}")
    if not all("|" in code for code in codes):
        raise ScheduleRefused(f"{where}: codes are written system|code")
    if row["from"] not in set(Start):
        raise ScheduleRefused(f"{where}: from is one of {', '.join(Start)}")
    return Rule(row["id"], row["schedule"], row["title"], row["law"], Start(row["from"]), years, types, codes)


def _words(row: Mapping[str, Any], name: str, where: str) -> frozenset[str]:
    given: Iterable[Any] = row.get(name, [])
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise ScheduleRefused(f"{where}: {name} must be a list of texts")
    return frozenset(given)


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        if len(content) > _LARGEST_FILE:
            raise ScheduleRefused(f"{path} is larger than 256 KiB")
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise ScheduleRefused(f"{path} cannot be read ({type(error).__name__})") from None
