"""CSV access logs, by a mapping that says which column is what (TOML)."""

import csv
import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from carekeep.audit.entries import OUTCOMES, Outcome
from carekeep.audit.foreign.foreign import VERBS, Foreign, LineRefused, LogRefused, clean, moment, purpose_of

_COLUMNS = ("when", "who", "role", "patient", "action", "outcome", "address", "app", "what", "purpose")
_KNOWN = {"columns", "actions", "outcomes", "delimiter", "time_format", "time_zone"}
_LARGEST_MAPPING = 64 * 1024
_MOST_COLUMNS = 200


@dataclass(frozen=True, slots=True)
class Mapping:
    """``columns``: our word → the name in the log's first line. ``actions``, ``outcomes``: their word → ours."""

    columns: Table[str, str]
    actions: Table[str, str] = field(default_factory=dict)
    outcomes: Table[str, Outcome] = field(default_factory=dict)
    delimiter: str = ","
    time_format: str = ""
    time_zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    @classmethod
    def read(cls, text: str) -> "Mapping":
        """From TOML. Raises LogRefused."""
        try:
            given: dict[str, Any] = tomllib.loads(text[:_LARGEST_MAPPING])
            zone = ZoneInfo(str(given.get("time_zone", "UTC")))
        except (tomllib.TOMLDecodeError, ValueError, OSError, KeyError) as error:
            raise LogRefused(f"the mapping cannot be used: {error}") from None
        if unknown := given.keys() - _KNOWN:
            raise LogRefused(f"the mapping has {min(unknown)!r}; known are {', '.join(sorted(_KNOWN))}")
        columns, actions, outcomes = (_texts(given, name) for name in ("columns", "actions", "outcomes"))
        if columns.keys() - set(_COLUMNS) or not columns.keys() >= {"when", "who"}:
            raise LogRefused(f"columns name at least when and who, and of {', '.join(_COLUMNS)}")
        if set(actions.values()) - set(VERBS):
            raise LogRefused(f"actions are of {', '.join(VERBS)}")
        ours = {word: outcome for word, given in outcomes.items() for outcome in OUTCOMES if outcome == given}
        if ours.keys() != outcomes.keys():
            raise LogRefused(f"outcomes are of {', '.join(OUTCOMES)}")
        delimiter = given.get("delimiter", ",")
        if not isinstance(delimiter, str) or len(delimiter) != 1 or delimiter in '"\r\n':
            raise LogRefused("delimiter is one character")
        return cls(columns, actions, ours, delimiter, str(given.get("time_format", "")), zone)


def _texts(given: dict[str, Any], name: str) -> dict[str, str]:
    table = given.get(name, {})
    if not isinstance(table, dict) or not all(isinstance(each, str) for each in table.values()):
        raise LogRefused(f"[{name}] of the mapping is a table of texts")
    return table


class CsvReader:
    """Reads lines after the first one, which names the columns. Raises LogRefused if the mapping's are not there."""

    def __init__(self, first: str, mapping: Mapping) -> None:
        self._mapping = mapping
        names = [name.strip().lstrip("\ufeff") for name in self._split(first)]
        missing = [name for name in mapping.columns.values() if name not in names]
        if missing:
            raise LogRefused(f"the log's first line does not name the column {missing[0]!r} of the mapping")
        self._width = len(names)
        self._places = {ours: names.index(theirs) for ours, theirs in mapping.columns.items()}

    def foreign_of(self, text: str, line: int, raw: bytes) -> Foreign:
        """What a line says. Raises LineRefused."""
        fields = self._split(text)
        if len(fields) != self._width:
            raise LineRefused(f"it has {len(fields)} columns, not {self._width}")
        given = {ours: fields[place].strip() for ours, place in self._places.items()}
        mapping = self._mapping
        action, outcome = given.get("action", ""), given.get("outcome", "")
        return Foreign(
            line=line,
            raw=raw,
            happened_ms=moment(given["when"], mapping.time_format, mapping.time_zone),
            verb=mapping.actions.get(action, "other"),
            outcome=mapping.outcomes.get(outcome, "permitted" if not outcome else "failed"),
            who=clean(given["who"]),
            role=clean(given.get("role")),
            address=clean(given.get("address"), 64),
            app=clean(given.get("app")),
            purpose=purpose_of(given.get("purpose")),
            patients=tuple(filter(None, (clean(given.get("patient")),))),
            what=tuple(filter(None, (clean(given.get("what")),))),
            said=clean(action, 80),
        )

    def _split(self, text: str) -> list[str]:
        try:
            (fields,) = csv.reader([text], delimiter=self._mapping.delimiter, strict=True)
        except (csv.Error, ValueError):
            raise LineRefused("it is no line of CSV") from None
        if len(fields) > _MOST_COLUMNS:
            raise LineRefused("it has too many columns")
        return fields
