"""Issues, and the OperationOutcome that tells them to a client (FHIR R4, OperationOutcome)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["fatal", "error", "warning", "information"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong.

    ``code`` is of FHIR's IssueType; ``expression`` says where, as a FHIRPath ("Observation.component[2].code") or ""
    where there is no place; ``diagnostics`` says what, in words, and never contains the value: it may be health data.
    """

    severity: Severity
    code: str
    expression: str
    diagnostics: str


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """An OperationOutcome with these issues, in their order. Raises ValueError without any: it needs at least one."""
    told = [_issue(issue) for issue in issues]
    if not told:
        raise ValueError("An OperationOutcome needs an issue")
    return {"resourceType": "OperationOutcome", "issue": told}


def _issue(issue: Issue) -> dict[str, Any]:
    told: dict[str, Any] = {"severity": issue.severity, "code": issue.code, "diagnostics": issue.diagnostics}
    if issue.expression:
        told["expression"] = [issue.expression]
    return told
