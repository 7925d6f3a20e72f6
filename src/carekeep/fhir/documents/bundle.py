"""Document Bundles (FHIR R4, documents.html): a Composition first, then what it refers to."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from carekeep.fhir.documents.labels import high_water_mark

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """A resource in a document and the URL by which the others refer to it."""

    full_url: str
    resource: Json = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remark:
    """What must be said with a document, whoever reads it: in words, and as security labels (Codings)."""

    text: str
    labels: tuple[Json, ...]


def marked(resources: Iterable[Json], remark: Remark | None) -> list[Json]:
    """The labels of what holds these resources and bears a remark."""
    return high_water_mark([*resources, *([{"meta": {"security": list(remark.labels)}}] if remark else [])])


def document_bundle(
    composition: Part,
    others: Sequence[Part],
    *,
    identifier: UUID,
    timestamp: str,
    profiles: Sequence[str] = (),
    remark: Remark | None = None,
) -> Json:
    """A Bundle of type ``document``.

    Parameters: ``identifier`` is the document's own for all time, ``timestamp`` a FHIR instant; ``profiles`` are what
    the Bundle says it conforms to. Its labels are the high-water mark of its entries, and those of ``remark``.
    """
    parts = (composition, *others)
    bundle: Json = {"resourceType": "Bundle"}
    meta: Json = {}
    if profiles:
        meta["profile"] = list(profiles)
    if labels := marked((part.resource for part in parts), remark):
        meta["security"] = labels
    if meta:
        bundle["meta"] = meta
    bundle["identifier"] = {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{identifier}"}
    bundle["type"] = "document"
    bundle["timestamp"] = timestamp
    bundle["entry"] = [{"fullUrl": part.full_url, "resource": part.resource} for part in parts]
    return bundle
