"""What is put together out of single records: document Bundles, the International Patient Summary, what came last.

Invariants: pure functions of resources that were already decided on; what is not handed in leaves no trace. Text that
came from a record enters a narrative through one function, which escapes it.
"""

from carekeep.fhir.documents.bundle import Part, Remark, document_bundle
from carekeep.fhir.documents.care_dates import care_span_ms, happened_within, instant_ms
from carekeep.fhir.documents.labels import high_water_mark
from carekeep.fhir.documents.last import last_of_each
from carekeep.fhir.documents.patient_summary import (
    IPS_BUNDLE,
    SUMMARY_TYPES,
    Authorship,
    SummaryContent,
    patient_summary,
    summary_content,
)
from carekeep.fhir.documents.references import local_references

__all__ = [
    "IPS_BUNDLE",
    "SUMMARY_TYPES",
    "Authorship",
    "Part",
    "Remark",
    "SummaryContent",
    "care_span_ms",
    "document_bundle",
    "happened_within",
    "high_water_mark",
    "instant_ms",
    "last_of_each",
    "local_references",
    "patient_summary",
    "summary_content",
]
