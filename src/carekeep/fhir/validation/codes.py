"""Required bindings: the codes that an element may have, where the value set is closed."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from carekeep.fhir.definitions import value_set

_MAX_NAMED = 12


@dataclass(frozen=True, slots=True)
class CodeCheck:
    """A closed value set: its codes, alone and by system, and the rule in words."""

    url: str
    codes: frozenset[str]
    systems: Mapping[str, frozenset[str]]

    @staticmethod
    @cache
    def of(url: str | None) -> "CodeCheck | None":
        """The check of a value set, or None where any code is allowed."""
        systems = value_set(url) if url else None
        return CodeCheck(url, frozenset().union(*systems.values()), systems) if url and systems else None

    @property
    def words(self) -> str:
        """Completes "must be …"."""
        named = ", ".join(sorted(self.codes)) if len(self.codes) <= _MAX_NAMED else f"{len(self.codes)} codes"
        return f"one of {self.url} ({named})"

    def allows(self, concept: dict[str, Any]) -> bool:
        """Whether a CodeableConcept has a coding of the set, as a required binding asks of it."""
        codings = concept.get("coding")
        return isinstance(codings, list) and any(self._has(coding) for coding in codings)

    def _has(self, coding: Any) -> bool:
        if not isinstance(coding, dict):
            return False
        system, code = coding.get("system"), coding.get("code")
        return isinstance(system, str) and isinstance(code, str) and code in self.systems.get(system, ())
