"""The CapabilityStatement: what the server can do, told from what is really there (FHIR R4)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from carekeep.fhir.definitions import FHIR_VERSION


@dataclass(frozen=True, slots=True)
class SearchParameterFacts:
    """A search parameter that is served: its name and FHIR type ("token", "date", …), and the URL that defines it."""

    name: str
    type: str
    definition: str | None = None


@dataclass(frozen=True, slots=True)
class ResourceCapability:
    """What is served for one resource type. ``interactions`` are R4's codes ("read", "search-type", …)."""

    type: str
    interactions: tuple[str, ...]
    search_parameters: tuple[SearchParameterFacts, ...] = ()
    conditional_create: bool = False
    conditional_update: bool = False
    conditional_delete: bool = False


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The facts about a server. ``published`` is a FHIR dateTime; ``security`` says in words how access is decided."""

    software_version: str
    base_url: str
    published: str
    security: str
    resources: Sequence[ResourceCapability]
    system_interactions: tuple[str, ...] = ()
    patch_formats: tuple[str, ...] = ()


def capability_statement(server: ServerFacts) -> dict[str, Any]:
    """The CapabilityStatement of a server."""
    statement: dict[str, Any] = {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": server.published,
        "kind": "instance",
        "software": {"name": "Carekeep", "version": server.software_version},
        "implementation": {"description": "A FHIR server that keeps health records safe", "url": server.base_url},
        "fhirVersion": FHIR_VERSION,
        "format": ["application/fhir+json", "json"],
        "rest": [_rest(server)],
    }
    if server.patch_formats:
        statement["patchFormat"] = list(server.patch_formats)
    return statement


def _rest(server: ServerFacts) -> dict[str, Any]:
    rest: dict[str, Any] = {"mode": "server", "security": {"cors": False, "description": server.security}}
    resources = [_resource(resource) for resource in sorted(server.resources, key=lambda each: each.type)]
    if resources:
        rest["resource"] = resources
    if server.system_interactions:
        rest["interaction"] = [{"code": code} for code in server.system_interactions]
    return rest


def _resource(resource: ResourceCapability) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": resource.type,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{resource.type}",
        "interaction": [{"code": code} for code in resource.interactions],
        "versioning": "versioned-update",
        "readHistory": "vread" in resource.interactions,
        "updateCreate": "update" in resource.interactions,
        "conditionalCreate": resource.conditional_create,
        "conditionalUpdate": resource.conditional_update,
        "conditionalDelete": "single" if resource.conditional_delete else "not-supported",
        "referencePolicy": ["literal", "logical", "local"],
    }
    if resource.search_parameters:
        told["searchParam"] = [_search_parameter(parameter) for parameter in resource.search_parameters]
    return told


def _search_parameter(parameter: SearchParameterFacts) -> dict[str, str]:
    told = {"name": parameter.name, "type": parameter.type}
    if parameter.definition is not None:
        told["definition"] = parameter.definition
    return told
