"""What a client is told beside its data: OperationOutcomes, one to a line."""

from collections.abc import Mapping, Sequence

from carekeep.access.labelling import PART2_NOTICE
from carekeep.fhir import Issue, dump_json, operation_outcome
from carekeep.web.bulk.exporting import PART2, TAMPERED
from carekeep.web.bulk.selecting import OTHERS_TOO


def export_messages(notices: Mapping[str, int], ignored: Sequence[str]) -> list[bytes]:
    """What came up during an export, and the parameters that a lenient request had passed over."""
    issues = [
        Issue("warning", "not-supported", "", f"The parameter {name} is not supported and was passed over.")
        for name in ignored
    ]
    if PART2 in notices:
        issues.append(Issue("information", "informational", "", f"{PART2_NOTICE.text} ({PART2_NOTICE.law})"))
    if count := notices.get(OTHERS_TOO, 0):
        text = f"{count:,} records also belong to patients who were not asked for, and were left out."
        issues.append(Issue("information", "suppressed", "", text))
    if count := notices.get(TAMPERED, 0):
        text = f"{count:,} stored records do not open where they stand. Run `carekeep ledger verify`."
        issues.append(Issue("error", "exception", "", text))
    return [line_of([issue]) for issue in issues]


def line_of(issues: Sequence[Issue]) -> bytes:
    """One OperationOutcome."""
    return dump_json(operation_outcome(issues))
