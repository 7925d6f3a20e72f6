"""The CapabilityStatement: what the server can do, told from what is really there (FHIR R4)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from carekeep.fhir.definitions import FHIR_VERSION

_TOPIC = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
)
_SMART = "fhir-registry.smarthealthit.org"
_OAUTH_URIS = f"http://{_SMART}/StructureDefinition/oauth-uris"
_SERVICE = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_WEBSOCKET = "http://hl7.org/fhir/StructureDefinition/capabilitystatement-websocket"


@dataclass(frozen=True, slots=True)
class SearchParameterFacts:
    """A search parameter that is served: its name and FHIR type ("token", "date", …), and the URL that defines it."""

    name: str
    type: str
    definition: str | None = None


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """An operation that is served: its name without the dollar, and the URL of its OperationDefinition."""

    name: str
    definition: str


@dataclass(frozen=True, slots=True)
class ResourceCapability:
    """What is served for one resource type. ``interactions`` are R4's codes ("read", "search-type", …).

    ``includes`` and ``reverse_includes`` are the values that ``_include`` and ``_revinclude`` take.

    ``topics`` are the canonical URLs of subscription topics (R5 Backport).
    """

    type: str
    interactions: tuple[str, ...]
    search_parameters: tuple[SearchParameterFacts, ...] = ()
    conditional_create: bool = False
    conditional_update: bool = False
    conditional_delete: bool = False
    operations: tuple[OperationFacts, ...] = ()
    supported_profiles: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    reverse_includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AuthorizationFacts:
    """Where apps get tokens (SMART App Launch): the URLs of the endpoints, and of the page to manage them."""

    authorize: str
    token: str
    register: str
    manage: str
    introspect: str
    revoke: str


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
    system_operations: tuple[OperationFacts, ...] = ()
    websocket_url: str | None = None
    instantiates: tuple[str, ...] = ()
    search_parameters: tuple[SearchParameterFacts, ...] = ()
    compartments: tuple[str, ...] = ()
    authorization: AuthorizationFacts | None = None


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
    if server.instantiates:
        statement["instantiates"] = list(server.instantiates)
    if server.patch_formats:
        statement["patchFormat"] = list(server.patch_formats)
    return statement


def _rest(server: ServerFacts) -> dict[str, Any]:
    rest: dict[str, Any] = {"mode": "server", "security": _security(server)}
    resources = [_resource(resource) for resource in sorted(server.resources, key=lambda each: each.type)]
    if resources:
        rest["resource"] = resources
    if server.system_interactions:
        rest["interaction"] = [{"code": code} for code in server.system_interactions]
    if server.search_parameters:
        rest["searchParam"] = [_search_parameter(parameter) for parameter in server.search_parameters]
    if server.compartments:
        rest["compartment"] = list(server.compartments)
    if server.system_operations:
        rest["operation"] = _operations(server.system_operations)
    if server.websocket_url:
        rest["extension"] = [{"url": _WEBSOCKET, "valueUri": server.websocket_url}]
    return rest


def _security(server: ServerFacts) -> dict[str, Any]:
    security: dict[str, Any] = {"cors": server.authorization is not None, "description": server.security}
    if server.authorization is not None:
        security["service"] = [{"coding": [{"system": _SERVICE, "code": "SMART-on-FHIR"}]}]
        endpoints = asdict(server.authorization)
        security["extension"] = [
            {"url": _OAUTH_URIS, "extension": [{"url": name, "valueUri": url} for name, url in endpoints.items()]}
        ]
    return security


def _resource(resource: ResourceCapability) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": resource.type,
        "profile": f"http://hl7.org/fhir/StructureDefinition/{resource.type}",
        "interaction": [{"code": code} for code in resource.interactions],
        "versioning": "versioned-update",
        "readHistory": "vread" in resource.interactions,
        "updateCreate": "update" in resource.interactions,
        "conditionalRead": "full-support",
        "conditionalCreate": resource.conditional_create,
        "conditionalUpdate": resource.conditional_update,
        "conditionalDelete": "single" if resource.conditional_delete else "not-supported",
        "referencePolicy": ["literal", "logical", "local"],
    }
    if resource.includes:
        told["searchInclude"] = list(resource.includes)
    if resource.reverse_includes:
        told["searchRevInclude"] = list(resource.reverse_includes)
    if resource.search_parameters:
        told["searchParam"] = [_search_parameter(parameter) for parameter in resource.search_parameters]
    if resource.operations:
        told["operation"] = _operations(resource.operations)
    if resource.supported_profiles:
        told["supportedProfile"] = list(resource.supported_profiles)
    if resource.topics:
        told["extension"] = [{"url": _TOPIC, "valueCanonical": topic} for topic in resource.topics]
    return told


def _operations(operations: Sequence[OperationFacts]) -> list[dict[str, str]]:
    return [{"name": each.name, "definition": each.definition} for each in operations]


def _search_parameter(parameter: SearchParameterFacts) -> dict[str, str]:
    told = {"name": parameter.name, "type": parameter.type}
    if parameter.definition is not None:
        told["definition"] = parameter.definition
    return told


_EXPANDS_BY = ("activeOnly", "count", "filter", "includeDesignations", "offset", "url", "valueSet", "valueSetVersion")


def terminology_capabilities(server: ServerFacts) -> dict[str, Any]:
    """What the terminology operations do. Which code systems are loaded is not said here: search for CodeSystem."""
    return {
        "resourceType": "TerminologyCapabilities",
        "status": "active",
        "date": server.published,
        "kind": "instance",
        "software": {"name": "Carekeep", "version": server.software_version},
        "implementation": {"description": "Code systems and value sets that are stored here", "url": server.base_url},
        "expansion": {
            "hierarchical": False,
            "paging": True,
            "incomplete": False,
            "parameter": [{"name": name} for name in _EXPANDS_BY],
            "textFilter": "Every word of the filter is the start of a word of the display or the code.",
        },
        "validateCode": {"translations": True},
    }
