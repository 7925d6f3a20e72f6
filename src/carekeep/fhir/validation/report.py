"""Where the walk over a resource is, and what it found there."""

from typing import Any

from carekeep.fhir.outcome import Issue, Severity

MAX_ISSUES = 50

# A place: the place around it, the step from there, and the position where the step is a list. The outermost place is
# (None, "Patient", None). Made for each object that is visited and rendered only when something is wrong.
Place = tuple[Any, str, int | None]


def expression(place: Place, step: str = "") -> str:
    """The FHIRPath of a place or of an element below it: ``Patient.name[0].given``."""
    steps = [step] if step else []
    at: Place | None = place
    while at is not None:
        around, name, position = at
        steps.append(name if position is None else f"{name}[{position}]")
        at = around
    return ".".join(reversed(steps))


class Enough(Exception):
    """The report is full; more issues would help nobody."""


class Report:
    """The issues of one resource, in the order in which they were found."""

    __slots__ = ("issues",)

    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def error(self, code: str, where: str, diagnostics: str, severity: Severity = "error") -> None:
        """Add an issue. Raises Enough when that fills the report."""
        self.issues.append(Issue(severity, code, where, diagnostics))
        if len(self.issues) >= MAX_ISSUES:
            raise Enough


def kind_of(value: Any) -> str:
    """What a JSON value is, in words that tell nothing of its content."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return f"a string of {len(value)} characters" if value else "an empty string"
    return "an object" if isinstance(value, dict) else "a list"
