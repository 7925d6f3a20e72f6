"""What IPS 2.0.0 demands of a summary (Bundle-uv-ips, Composition-uv-ips), as a table of checks."""

from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

Json = dict[str, Any]
REQUIRED = ("11450-4", "48765-2", "10160-0")
RECOMMENDED = ("11369-6", "30954-2", "47519-4", "46264-8")
ENTRY_TYPES = {
    "11450-4": {"Condition"},
    "48765-2": {"AllergyIntolerance"},
    "10160-0": {"MedicationStatement", "MedicationRequest", "MedicationAdministration", "MedicationDispense"},
    "11369-6": {"Immunization"},
    "30954-2": {"Observation", "DiagnosticReport"},
    "47519-4": {"Procedure"},
    "46264-8": {"DeviceUseStatement"},
}


def composition(bundle: Json) -> Json:
    """The Composition of a document."""
    found: Json = bundle["entry"][0]["resource"]
    return found


def sections(bundle: Json) -> dict[str, Json]:
    """The sections by their codes."""
    return {each["code"]["coding"][0]["code"]: each for each in composition(bundle)["section"]}


def words_of(narrative: Json) -> str:
    """The text of a Narrative, as a browser would show it."""
    return " ".join(ElementTree.fromstring(narrative["div"]).itertext())  # noqa: S314 - our own text


def resolved(bundle: Json) -> dict[str, Json]:
    """The resources of a document by their URLs."""
    return {entry["fullUrl"]: entry["resource"] for entry in bundle["entry"]}


def references(value: Any) -> Iterator[str]:
    """Every reference inside."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for item in value.values():
            yield from references(item)


def _of_type(bundle: Json, type_: str) -> int:
    return sum(entry["resource"]["resourceType"] == type_ for entry in bundle["entry"])


def _entries_fit(bundle: Json) -> bool:
    known = resolved(bundle)
    return all(
        known[entry["reference"]]["resourceType"] in ENTRY_TYPES[code]
        for code, section in sections(bundle).items()
        for entry in section.get("entry", ())
    )


def _names_agree(bundle: Json) -> bool:
    """The last steps of a URL are the resource's type and id; a UUID is its id."""
    return all(
        url.endswith(f"/{resource['resourceType']}/{resource['id']}") or url == f"urn:uuid:{resource['id']}"
        for url, resource in resolved(bundle).items()
    )


CHECKS: dict[str, Callable[[Json], bool]] = {
    "it is a document": lambda b: b["type"] == "document",
    "it is identified": lambda b: b["identifier"]["value"].startswith("urn:uuid:") and bool(b["identifier"]["system"]),
    "it has a time": lambda b: b["timestamp"].endswith("Z"),
    "it names its profile": lambda b: (
        b["meta"]["profile"] == ["http://hl7.org/fhir/uv/ips/StructureDefinition/Bundle-uv-ips"]
    ),
    "every entry has a URL and nothing but a resource": lambda b: all(
        entry.keys() == {"fullUrl", "resource"} for entry in b["entry"]
    ),
    "no URL stands twice": lambda b: len(resolved(b)) == len(b["entry"]),
    "URLs and ids agree": _names_agree,
    "the composition comes first, and alone": lambda b: (
        composition(b)["resourceType"] == "Composition" and _of_type(b, "Composition") == 1
    ),
    "there is one patient": lambda b: _of_type(b, "Patient") == 1,
    "the type is Patient Summary": lambda b: composition(b)["type"]["coding"][0]["code"] == "60591-5",
    "the subject is the patient": lambda b: (
        resolved(b)[composition(b)["subject"]["reference"]]["resourceType"] == "Patient"
    ),
    "everything the composition refers to is there": lambda b: set(references(composition(b))) <= resolved(b).keys(),
    "there is an author": lambda b: bool(composition(b)["author"]),
    "it has status, date, title and text": lambda b: all(
        composition(b).get(name) for name in ("status", "date", "title", "text")
    ),
    "the required sections are there": lambda b: set(REQUIRED) <= sections(b).keys(),
    "no section stands twice": lambda b: len(sections(b)) == len(composition(b)["section"]),
    "every section has title, code and narrative": lambda b: all(
        each["title"] and each["code"]["coding"][0]["display"] and words_of(each["text"]).strip()
        for each in composition(b)["section"]
    ),
    "a section has entries or says why not (ips-comp-1)": lambda b: all(
        bool(each.get("entry")) != ("emptyReason" in each) for each in composition(b)["section"]
    ),
    "sections hold no sections": lambda b: all("section" not in each for each in composition(b)["section"]),
    "entries are of the types of their sections": _entries_fit,
}
