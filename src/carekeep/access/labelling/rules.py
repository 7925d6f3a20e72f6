"""The rules that say which codes make a record sensitive: read from a file, checked, and made ready for lookups.

A file is data (``rules.toml`` is the one that comes with Carekeep): categories with rules, each with its source.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from carekeep.access.labelling.codings import ACT_CODE, CONFIDENTIALITY, CONFIDENTIALITY_NAMES, Coding, assigned_coding

MOST_CHARACTERS: Final = 1_000_000
_SHORTEST_CODE = 2  # a rule for every code that begins with F would be a slip
_NAMED_SYSTEMS = 4_096  # of which the normal form is remembered
_NO_MARKS: tuple["Mark", ...] = ()


class RulesRefused(ValueError):
    """The rules cannot be used. The message says which category and rule, and why."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a matching code gives a record: the labels of one sensitivity of a category, in the order of the file."""

    category: str
    sensitivity: str
    codings: tuple[Coding, ...] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, for people: what it looks for, what it gives, and who says so."""

    category: str
    sensitivity: str
    system: str
    codes: tuple[str, ...]
    begins: tuple[str, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Category:
    """A kind of sensitive information and the law or policy that is named on its labels."""

    id: str
    title: str
    basis: str
    confidentiality: str
    sensitivities: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Codes:
    """The codes of one system: whole ones, and beginnings by their lengths."""

    exact: Mapping[str, tuple[Mark, ...]]
    begins: Mapping[str, tuple[Mark, ...]]
    lengths: tuple[int, ...]
    dotless: bool


class Rules:
    """Rules in force. ``digest`` is of the text that they were read from, in hexadecimal: other rules, other digest."""

    def __init__(
        self,
        version: str,
        digest: str,
        categories: tuple[Category, ...],
        rules: tuple[Rule, ...],
        by_uri: Mapping[str, _Codes],
    ) -> None:
        self.version = version
        self.digest = digest
        self.categories = categories
        self.rules = rules
        self._by_uri = by_uri
        self._category_of = {code: each.id for each in categories for code in each.sensitivities}

    @classmethod
    def bundled(cls) -> "Rules":
        """The rules that come with Carekeep."""
        return _bundled()

    @classmethod
    def read(cls, text: str) -> "Rules":
        """Read a rule file (TOML). Raises RulesRefused."""
        if len(text) > MOST_CHARACTERS:
            raise RulesRefused(f"longer than {MOST_CHARACTERS:,} characters")
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise RulesRefused(f"no TOML: {error}") from None
        try:
            return _Reading(table).rules(hashlib.sha256(text.encode()).hexdigest())
        except (KeyError, TypeError, AttributeError) as error:
            raise RulesRefused(f"missing or not of its kind: {error}") from None

    def category_of(self, label: str) -> str | None:
        """The category that a label ("system|code") stands for; None for any other label."""
        system, _, code = label.partition("|")
        return self._category_of.get(code) if system == ACT_CODE else None

    def match(self, system: str, code: str) -> tuple[Mark, ...]:
        """What a code gives the record that it stands in; nothing for most."""
        known = self._by_uri.get(system)
        if known is None:
            known = self._by_uri.get(_normal(system))
            if known is None:
                return _NO_MARKS
        code = code.strip()
        if known.dotless:
            code = code.replace(".", "").upper()
        found = known.exact.get(code, _NO_MARKS)
        for length in known.lengths:
            found += known.begins.get(code[:length], _NO_MARKS)
        return found


@lru_cache(1)
def _bundled() -> Rules:
    return Rules.read((resources.files("carekeep.access.labelling") / "rules.toml").read_text("utf-8"))


@lru_cache(_NAMED_SYSTEMS)
def _normal(system: str) -> str:
    """A code system's URI as rules name it: people write https, a slash at the end, a version, and capitals."""
    plain = system.partition("|")[0].strip().lower().rstrip("/").removeprefix("https://").removeprefix("http://")
    return plain.removeprefix("www.")


class _Reading:
    """Turns the table of a rule file into rules, or says what is wrong with it."""

    def __init__(self, table: dict[str, Any]) -> None:
        self._table = table
        self._displays: dict[str, str] = table["displays"]
        self._systems: dict[str, Any] = table["systems"]
        self._exact: dict[str, dict[str, tuple[Mark, ...]]] = {name: {} for name in self._systems}
        self._begins: dict[str, dict[str, tuple[Mark, ...]]] = {name: {} for name in self._systems}
        self._rules: list[Rule] = []

    def rules(self, digest: str) -> Rules:
        """Everything read."""
        categories = tuple(self._category(each) for each in self._table["category"])
        sensitivities = [code for each in categories for code in each.sensitivities]
        if len(set(sensitivities)) < len(sensitivities):
            raise RulesRefused("a sensitivity stands in two categories")
        by_uri: dict[str, _Codes] = {}
        for name, system in self._systems.items():
            codes = self._codes(name)
            for uri in system["uris"]:
                by_uri[uri] = by_uri[_normal(uri)] = codes
        return Rules(str(self._table["version"]), digest, categories, tuple(self._rules), MappingProxyType(by_uri))

    def _category(self, given: dict[str, Any]) -> Category:
        name = given["id"]
        level = given["confidentiality"]
        if level not in CONFIDENTIALITY_NAMES:
            raise RulesRefused(f"{name}: {level!r} is no level of v3-Confidentiality")
        basis = self._act_code(name, given["basis"])
        rest = (
            assigned_coding(CONFIDENTIALITY, level, CONFIDENTIALITY_NAMES[level], basis),
            *(self._label(name, code, basis) for code in given.get("obligations", ())),
        )
        if not given["rule"]:
            raise RulesRefused(f"{name}: has no rule")
        for rule in given["rule"]:
            code = rule["sensitivity"]
            self._take(name, rule, Mark(name, code, (self._label(name, code, basis), *rest)))
        codes = frozenset(rule["sensitivity"] for rule in given["rule"])
        return Category(name, given["title"], given["basis"], level, codes)

    def _take(self, name: str, given: dict[str, Any], mark: Mark) -> None:
        system, codes, begins = given["system"], tuple(given.get("codes", ())), tuple(given.get("begins", ()))
        if system not in self._systems:
            raise RulesRefused(f"{name}: there is no system {system!r}")
        if not given.get("source", "").strip():
            raise RulesRefused(f"{name}: a rule for {mark.sensitivity} says no source")
        if not codes and not begins:
            raise RulesRefused(f"{name}: a rule for {mark.sensitivity} names no code")
        for table, texts in ((self._exact[system], codes), (self._begins[system], begins)):
            for text in texts:
                code = self._written(system, text)
                if len(code) < _SHORTEST_CODE:
                    raise RulesRefused(f"{name}: {text!r} is too short for a code")
                table[code] = (*table.get(code, ()), mark)
        self._rules.append(Rule(name, mark.sensitivity, system, codes, begins, given["source"].strip()))

    def _written(self, system: str, code: str) -> str:
        code = code.strip()
        return code.replace(".", "").upper() if self._systems[system].get("dotless", False) else code

    def _codes(self, name: str) -> _Codes:
        begins = self._begins[name]
        lengths = tuple(sorted({len(code) for code in begins}))
        dotless = bool(self._systems[name].get("dotless", False))
        return _Codes(MappingProxyType(self._exact[name]), MappingProxyType(begins), lengths, dotless)

    def _label(self, name: str, code: str, basis: Coding) -> Coding:
        coding = self._act_code(name, code)
        return assigned_coding(ACT_CODE, code, coding["display"], basis)

    def _act_code(self, name: str, code: str) -> Coding:
        if code not in self._displays:
            raise RulesRefused(f"{name}: [displays] does not have {code!r}")
        return {"system": ACT_CODE, "code": code, "display": self._displays[code]}
