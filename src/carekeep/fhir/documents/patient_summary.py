"""The International Patient Summary (IPS 2.0.0): one patient's chart as a document for whoever treats them next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from carekeep.fhir.documents import words
from carekeep.fhir.documents.bundle import Part, Remark, document_bundle, marked
from carekeep.fhir.documents.narratives import narrative, paragraph, table
from carekeep.fhir.documents.references import local_references
from carekeep.fhir.documents.sections import SECTIONS, Section

Json = dict[str, Any]

IPS_BUNDLE: Final = "http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"
IPS_COMPOSITION: Final = "http://hl7.org/fhir/uv/ips/StructureDefinition/Composition-uv-ips"
SUMMARY_TYPES: Final = frozenset().union(*(section.types for section in SECTIONS))
_LOINC = "http://loinc.org"
_TITLE = "International Patient Summary"
# Every summary says this, whether something is left out or not: a sentence that comes and goes with hidden records
# would tell that there are some (DS4P: the label is as secret as the data).
LEFT_OUT: Final = (
    "Records under special protection that the person who asked for this summary may not see are left out of it. "
    "That something is not listed does not mean that it is not so."
)
_NOTHING = "Nothing is recorded here that the person who asked may see."


@dataclass(frozen=True, slots=True)
class SummaryContent:
    """What is told in which section, by the section's code, and what must be said with it."""

    chosen: Mapping[str, Sequence[Json]] = field(repr=False)
    remark: Remark | None = None

    @property
    def resources(self) -> list[Json]:
        """Everything that is told, section by section."""
        return [resource for resources in self.chosen.values() for resource in resources]


@dataclass(frozen=True, slots=True)
class Authorship:
    """Who answers for the summary: this software as a Device, and the patient's organization where it is known."""

    device_id: UUID
    software_version: str
    organization: Json | None = field(default=None, repr=False)

    def device(self) -> Json:
        """The Device resource."""
        return {
            "resourceType": "Device",
            "id": str(self.device_id),
            "deviceName": [{"name": "Carekeep", "type": "user-friendly-name"}],
            "type": {"text": "Health record server"},
            "version": [{"value": self.software_version}],
        }


def summary_content(patient_id: str, chart: Iterable[Json]) -> SummaryContent:
    """Choose what the summary tells out of the records that the person who asks may see.

    Only what is about the patient counts: a chart may also hold what the patient did for somebody else.
    """
    records = [record for record in chart if _is_about(record, f"Patient/{patient_id}")]
    return SummaryContent(
        {
            section.code: section.choose(record for record in records if record["resourceType"] in section.types)
            for section in SECTIONS
        }
    )


def _is_about(record: Json, patient: str) -> bool:
    return patient in local_references({"subject": record.get("subject") or record.get("patient")})


def patient_summary(
    patient: Json,
    content: SummaryContent,
    directory: Sequence[Json],
    *,
    base_url: str,
    authorship: Authorship,
    composition_id: UUID,
    identifier: UUID,
    timestamp: str,
) -> Json:
    """The document Bundle.

    Parameters: ``directory`` are the records that patient and content refer to (medications, devices, practitioners,
    organizations). ``base_url`` is this server's; stored records are named by their URL there, the two that exist in
    this document only by their UUIDs. ``timestamp`` is a FHIR instant.
    """
    others = [Part(f"{base_url}/{each['resourceType']}/{each['id']}", each) for each in content.resources]
    known = {f"{each['resourceType']}/{each['id']}": each for each in directory}
    if authorship.organization is not None:
        known.setdefault(f"Organization/{authorship.organization['id']}", authorship.organization)
    device = Part(f"urn:uuid:{authorship.device_id}", authorship.device())
    parts = (
        Part(f"{base_url}/Patient/{patient['id']}", patient),
        *others,
        device,
        *(Part(f"{base_url}/{reference}", resource) for reference, resource in known.items()),
    )
    composition = _composition(patient, content, known, authorship, base_url)
    composition |= {"id": str(composition_id), "date": timestamp}
    composition["identifier"] = {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{composition_id}"}
    composition["meta"] = {"profile": [IPS_COMPOSITION]}
    if labels := marked((part.resource for part in parts), content.remark):
        composition["meta"]["security"] = labels
    first = Part(f"urn:uuid:{composition_id}", composition)
    return document_bundle(
        first, parts, identifier=identifier, timestamp=timestamp, profiles=[IPS_BUNDLE], remark=content.remark
    )


def _composition(
    patient: Json, content: SummaryContent, known: Mapping[str, Json], authorship: Authorship, base_url: str
) -> Json:
    name = words.human_name(patient)
    about = (
        f"Patient: {name or 'no name is recorded'}, born {patient.get('birthDate', 'on a date that is not recorded')}."
    )
    remarks = [paragraph(content.remark.text)] if content.remark else []
    composition: Json = {
        "resourceType": "Composition",
        "language": "en",
        "text": narrative(paragraph(_TITLE), paragraph(about), paragraph(LEFT_OUT), *remarks),
        "status": "final",
        "type": _loinc("60591-5", "Patient summary Document"),
        "subject": {"reference": f"{base_url}/Patient/{patient['id']}"},
        "author": [{"reference": f"urn:uuid:{authorship.device_id}", "display": "Carekeep"}],
        "title": _TITLE,
    }
    if authorship.organization is not None:
        organization = {"reference": f"{base_url}/Organization/{authorship.organization['id']}"}
        composition["author"].insert(0, organization)
        composition["custodian"] = organization
    composition["section"] = [
        _section(section, content.chosen[section.code], known, base_url)
        for section in SECTIONS
        if section.required or content.chosen[section.code]
    ]
    return composition


def _section(section: Section, chosen: Sequence[Json], known: Mapping[str, Json], base_url: str) -> Json:
    told: Json = {"title": section.title, "code": _loinc(section.code, section.display)}
    if not chosen:
        told["text"] = narrative(paragraph(_NOTHING), paragraph(LEFT_OUT))
        # Not "nilknown": that nothing is recorded is no finding that there is nothing.
        told["emptyReason"] = {
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/list-empty-reason",
                    "code": "unavailable",
                    "display": "Unavailable",
                }
            ],
            "text": "No information available",
        }
        return told
    rows = [[cell(resource, known) for _, cell in section.columns] for resource in chosen]
    told["text"] = narrative(table([header for header, _ in section.columns], rows), paragraph(LEFT_OUT))
    told["entry"] = [{"reference": f"{base_url}/{each['resourceType']}/{each['id']}"} for each in chosen]
    return told


def _loinc(code: str, display: str) -> Json:
    return {"coding": [{"system": _LOINC, "code": code, "display": display}]}
