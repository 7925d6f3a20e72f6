"""``/fhir/metadata``: what this server really does, built once from what the routes serve."""

import datetime
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from carekeep import __version__
from carekeep.fhir import (
    RESOURCE_TYPES,
    AuthorizationFacts,
    OperationFacts,
    ResourceCapability,
    SearchParameterFacts,
    ServerFacts,
    capability_statement,
    dump_json,
    search_parameters,
    terminology_capabilities,
)
from carekeep.web.fhir.operations import operations_of
from carekeep.web.fhir.patches import FORMATS
from carekeep.web.http import Response
from carekeep.web.oauth.urls import Urls
from carekeep.web.problems import problem
from carekeep.web.services import Services
from carekeep.web.subscriptions.orders import PROFILE
from carekeep.web.subscriptions.topics import TOPICS, websocket_url
from carekeep.web.writable import UNWRITABLE

_READS = ("read", "vread", "history-instance", "history-type", "search-type")
_WRITES = ("create", "update", "patch", "delete")
_BACKPORT_SERVER = "http://hl7.org/fhir/uv/subscriptions-backport/CapabilityStatement/backport-subscription-server-r4"
_HL7 = "http://hl7.org/fhir"
_OF_ALL_TYPES = (
    SearchParameterFacts("_has", "special"),
    SearchParameterFacts("_list", "special"),
    SearchParameterFacts("_type", "special"),
)
_VIEW_READS = ("read", "search-type")  # of what is a view and no record: it has one version
_OF_RECORDS = frozenset({"meta", "meta-add", "meta-delete"})
_SECURITY = (
    "Send a bearer token. Every request is decided by Cedar policies on the person, the care relationship, the purpose "
    "of use (header X-Purpose-Of-Use) and the record's labels. Every access is in the ledger before the answer leaves; "
    "the header X-Ledger-Entry names the entry."
)


_STATEMENTS: Mapping[str, Callable[[ServerFacts], dict[str, Any]]] = MappingProxyType(
    {"full": capability_statement, "terminology": terminology_capabilities}
)


class Capability:
    """The CapabilityStatement of one server."""

    def __init__(self, fhir_url: str, authorization: AuthorizationFacts) -> None:
        self._fhir_url = fhir_url
        self._authorization = authorization
        self._bodies: dict[str, bytes] = {}

    def answer(self, mode: str) -> Response:
        """The statement; open to anyone, since it holds nothing of anyone. ``mode`` as in R4: full, terminology."""
        statement = _STATEMENTS.get(mode)
        if statement is None:
            raise problem(400, "not-supported", "mode is full or terminology.", "mode")
        if mode not in self._bodies:
            self._bodies[mode] = dump_json(statement(self._facts()))
        return Response(200, self._bodies[mode])

    def _facts(self) -> ServerFacts:
        return ServerFacts(
            software_version=__version__,
            base_url=self._fhir_url,
            published=datetime.datetime.now(datetime.UTC).date().isoformat(),
            security=_SECURITY,
            resources=[_resource(type_) for type_ in sorted(RESOURCE_TYPES)],
            system_interactions=("transaction", "batch", "history-system", "search-system"),
            search_parameters=_OF_ALL_TYPES,
            compartments=(f"{_HL7}/CompartmentDefinition/patient",),
            patch_formats=FORMATS,
            system_operations=_operations(""),
            websocket_url=websocket_url(self._fhir_url),
            instantiates=(_BACKPORT_SERVER,),
            authorization=self._authorization,
        )


def authorization_facts(services: Services) -> AuthorizationFacts:
    """Where apps get tokens for this server."""
    urls = Urls.of(services)
    return AuthorizationFacts(
        authorize=urls.authorize,
        token=urls.token,
        register=urls.endpoint("register"),
        manage=urls.manage,
        introspect=urls.endpoint("introspect"),
        revoke=urls.endpoint("revoke"),
    )


def _resource(type_: str) -> ResourceCapability:
    return ResourceCapability(
        type=type_,
        interactions=_VIEW_READS if type_ in UNWRITABLE else (*_READS, *_WRITES),
        search_parameters=tuple(
            SearchParameterFacts(parameter.code, parameter.type, parameter.url)
            for parameter in search_parameters(type_).values()
            if parameter.answered
        ),
        includes=_includes(type_),
        reverse_includes=() if type_ in UNWRITABLE else _pointing_to().get(type_, ()),
        conditional_create=type_ not in UNWRITABLE,
        conditional_update=type_ not in UNWRITABLE,
        conditional_delete=type_ not in UNWRITABLE,
        operations=_operations(type_),
        supported_profiles=(f"{PROFILE}backport-subscription",) if type_ == "Subscription" else (),
        topics=tuple(topic.url for topic in TOPICS) if type_ == "Subscription" else (),
    )


def _includes(type_: str) -> tuple[str, ...]:
    if type_ in UNWRITABLE:
        return ()
    return ("*", f"{type_}:*", *(f"{type_}:{code}" for code, _ in _references(type_)))


def _references(type_: str) -> list[tuple[str, tuple[str, ...]]]:
    """The reference parameters of a type, and the types that they refer to."""
    parameters = search_parameters(type_).values()
    return [(parameter.code, parameter.targets) for parameter in parameters if parameter.type == "reference"]


@cache
def _pointing_to() -> Mapping[str, tuple[str, ...]]:
    """By type, the parameters of others that refer to it."""
    found: dict[str, list[str]] = {}
    for source in sorted(RESOURCE_TYPES - UNWRITABLE.keys()):
        for code, targets in _references(source):
            for target in targets:
                found.setdefault(target, []).append(f"{source}:{code}")
    return MappingProxyType({target: tuple(values) for target, values in found.items()})


def _operations(type_: str) -> tuple[OperationFacts, ...]:
    return tuple(
        OperationFacts(name, definition)
        for name, definition in operations_of(type_).items()
        if type_ not in UNWRITABLE or name not in _OF_RECORDS
    )
