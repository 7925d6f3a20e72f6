"""One invariant, ready to be asked of an object."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from carekeep.fhir.outcome import Severity


def severity_of(written: object) -> Severity:
    """The severity of a constraint as FHIR writes it: an error unless it warns."""
    return "warning" if written == "warning" else "error"


@dataclass(frozen=True, slots=True)
class Rule:
    """One invariant: ``holds`` decides, ``words`` say what is wrong if it does not.

    ``path`` is where the standard states it: the shape that asks, or an element below it.
    """

    path: str
    key: str
    holds: Callable[[dict[str, Any]], bool]
    words: str
    severity: Severity = "error"
