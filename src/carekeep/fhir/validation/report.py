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
    """The issues of one resource, in the order in which they were found.

    ``lenient`` makes warnings of what is wrong with the content of a resource but leaves it readable; errors of its
    structure stay errors. ``found`` counts all issues, those too that were one warning too many to keep.
    """

    __slots__ = ("found", "issues", "lenient")

    def __init__(self, *, lenient: bool = False) -> None:
        self.issues: list[Issue] = []
        self.found = 0
        self.lenient = lenient

    def error(self, code: str, where: str, diagnostics: str) -> None:
        """Add what makes a resource unreadable. Raises Enough when that fills the report."""
        self._add(Issue("error", code, where, diagnostics))

    def breach(self, code: str, where: str, diagnostics: str, severity: Severity = "error") -> None:
        """Add a breach of a rule about the content. Raises Enough as ``error``."""
        self._add(Issue("warning" if self.lenient and severity == "error" else severity, code, where, diagnostics))

    def _add(self, issue: Issue) -> None:
        self.found += 1
        if issue.severity == "error" or len(self.issues) < MAX_ISSUES - 1:
            self.issues.append(issue)
        # Warnings end nothing: an error may follow, and only errors refuse.
        if issue.severity == "error" and len(self.issues) >= MAX_ISSUES:
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
