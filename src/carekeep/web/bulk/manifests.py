"""The manifests of finished jobs (Bulk Data Access 3.0.0; for imports the SMART proposal for ``$import``)."""

from typing import Any

from carekeep.access.labelling import PART2_NOTICE
from carekeep.fhir import format_instant
from carekeep.web.bulk.exporting import PART2
from carekeep.web.bulk.jobs import Job
from carekeep.web.bulk.orders import ExportOrder, File, FileKind, ImportOrder, Progress


def job_url(fhir_url: str, id_: bytes) -> str:
    """Where the status of a job is asked for."""
    return f"{fhir_url.removesuffix('/fhir')}/bulk/{id_.hex()}"


def manifest(fhir_url: str, job: Job) -> dict[str, Any]:
    """The manifest of a job that is done."""
    told: dict[str, Any] = {
        "transactionTime": format_instant(job.order.moment_ms),
        "request": job.order.request,
        "requiresAccessToken": True,
    }
    base = job_url(fhir_url, job.id)
    if isinstance(job.order, ImportOrder):
        return {**told, **_import_report(base, job.progress)}
    return {**told, **_export_files(base, job.order, job.progress)}


def _export_files(base: str, order: ExportOrder, progress: Progress) -> dict[str, Any]:
    told: dict[str, Any] = {"outputOrganizedBy": "Patient"} if order.by_patient else {}
    told["output"] = _listed(base, progress, "output")
    if order.since_ms is not None:
        told["deleted"] = _listed(base, progress, "deleted")
    told["error"] = _listed(base, progress, "error")
    if PART2 in dict(progress.notices):  # 42 CFR 2.32: it accompanies the disclosure, here too
        told["extension"] = {"https://carekeep.example/fhir/redisclosure-notice": PART2_NOTICE.text}
    return told


def _import_report(base: str, progress: Progress) -> dict[str, Any]:
    """``output`` has one item for each input; lines that changed nothing are counted beside those that did."""
    inputs = [file for file in progress.files if file.kind == "input"]
    return {
        "output": [{"type": "OperationOutcome", "inputUrl": file.source, "count": file.count} for file in inputs],
        "error": _listed(base, progress, "error"),
        "extension": {
            "https://carekeep.example/fhir/bulk-import": {
                "loaded": progress.taken,
                "unchanged": progress.skipped,
                "refused": dict(progress.notices).get("refused", 0),
            }
        },
    }


def _listed(base: str, progress: Progress, kind: FileKind) -> list[dict[str, Any]]:
    return [_item(base, number, file) for number, file in enumerate(progress.files) if file.kind == kind]


def _item(base: str, number: int, file: File) -> dict[str, Any]:
    item: dict[str, Any] = {"type": file.type} if file.type else {}
    if file.source:
        item["inputUrl"] = file.source
    return {**item, "url": f"{base}/{number}.ndjson", "count": file.count}
