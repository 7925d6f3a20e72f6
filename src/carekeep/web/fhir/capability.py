"""``/fhir/metadata``: what this server really does, built once from what the routes serve."""

import datetime

from carekeep import __version__
from carekeep.fhir import (
    RESOURCE_TYPES,
    ResourceCapability,
    SearchParameterFacts,
    ServerFacts,
    capability_statement,
    dump_json,
    search_parameters,
)
from carekeep.web.fhir.writing import UNWRITABLE
from carekeep.web.http import Response

_READS = ("read", "vread", "history-instance", "search-type")
_WRITES = ("create", "update", "delete")
_SECURITY = (
    "Send a bearer token. Every request is decided by Cedar policies on the person, the care relationship, the purpose "
    "of use (header X-Purpose-Of-Use) and the record's labels. Every access is in the ledger before the answer leaves; "
    "the header X-Ledger-Entry names the entry."
)


class Capability:
    """The CapabilityStatement of one server."""

    def __init__(self, fhir_url: str) -> None:
        self._fhir_url = fhir_url
        self._body: bytes | None = None

    def answer(self) -> Response:
        """The statement; open to anyone, since it holds nothing of anyone."""
        if self._body is None:
            self._body = dump_json(capability_statement(self._facts()))
        return Response(200, self._body)

    def _facts(self) -> ServerFacts:
        return ServerFacts(
            software_version=__version__,
            base_url=self._fhir_url,
            published=datetime.datetime.now(datetime.UTC).date().isoformat(),
            security=_SECURITY,
            resources=[_resource(type_) for type_ in sorted(RESOURCE_TYPES)],
            system_interactions=("transaction", "batch"),
        )


def _resource(type_: str) -> ResourceCapability:
    return ResourceCapability(
        type=type_,
        interactions=_READS if type_ in UNWRITABLE else (*_READS, *_WRITES),
        search_parameters=tuple(
            SearchParameterFacts(parameter.code, parameter.type, parameter.url)
            for parameter in search_parameters(type_).values()
        ),
    )
