"""What ada's chart holds beside a heart rate and an asthma, and what it refers to."""

from typing import Any

from carekeep.audit import Entry
from tests.fhir.documents.charts import (
    MEDICATION,
    PACEMAKER,
    allergy,
    device_use,
    immunization,
    prescription,
    procedure,
    result,
)

Json = dict[str, Any]
BASE = "https://records.example.org/fhir"
ORGANIZATION: Json = {"resourceType": "Organization", "id": "clinic", "name": "A clinic"}

KEPT: tuple[Json, ...] = (
    ORGANIZATION,
    MEDICATION,
    PACEMAKER,
    allergy("ada-peanut"),
    prescription("ada-rx", requester={"reference": "Practitioner/physician"}),
    immunization("ada-flu"),
    result("ada-hba1c", "4548-4", 48, "2026-03-01"),
    procedure("ada-appendix"),
    device_use("ada-pacing"),
)


def parameters(**values: Any) -> Json:
    """A Parameters resource: each value by its name, with the type as ``name__valueType`` says."""
    rows = []
    for name, value in values.items():
        name_, _, kind = name.partition("__")
        rows.append({"name": name_, kind or "resource": value})
    return {"resourceType": "Parameters", "parameter": rows}


def disclosed(entry: Entry | None) -> set[str]:
    """The references that a ledger entry names."""
    assert entry is not None
    return {what.reference for what in entry.what}


def found(bundle: Json, mode: str | None = None) -> list[str]:
    """The references of a Bundle's entries, of one search mode if it is given."""
    return [
        f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        for entry in bundle.get("entry", ())
        if mode is None or entry["search"]["mode"] == mode
    ]


def link(bundle: Json, relation: str) -> str | None:
    """A link of a Bundle as a path, or None."""
    urls = [each["url"] for each in bundle["link"] if each["relation"] == relation]
    return str(urls[0]).removeprefix("https://records.example.org") if urls else None
