"""Is this a FHIR R4 resource? ``validate`` answers with issues, each naming the element and what is wrong with it.

Never raises, whatever JSON it is given; never tells a value; stops at 50 issues. What it covers: elements, types,
formats, cardinalities, choices, required codes, references and their targets, contained resources, and the invariants
of :mod:`carekeep.fhir.validation.invariants`. Profiles beyond the base standard are not its business.
"""

from typing import Any

from carekeep.fhir.outcome import Issue
from carekeep.fhir.validation.report import MAX_ISSUES, Enough, Report
from carekeep.fhir.validation.walk import Walk

__all__ = ["MAX_ISSUES", "validate"]


def validate(resource: Any, *, lenient: bool = False) -> tuple[Issue, ...]:
    """All issues of a resource in the order of its elements, at most MAX_ISSUES; without errors if it is valid.

    ``lenient`` makes warnings of missing elements, codes outside of required value sets, and broken invariants. Shape,
    types, formats, choices and the syntax of references are errors all the same: nothing could be done with them.
    """
    report = Report(lenient=lenient)
    try:
        Walk(report).resource(resource)
    except Enough:
        pass
    except RecursionError:
        return (Issue("fatal", "structure", "", "The resource is nested too deeply"),)
    return tuple(report.issues)
