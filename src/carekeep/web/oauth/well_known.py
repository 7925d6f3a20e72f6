"""The documents by which apps find the endpoints. Open to anyone, and the same for everyone."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from carekeep.web.http import Receive, Response, Scope, Send, send_response
from carekeep.web.oauth.answers import JSON
from carekeep.web.oauth.metadata import authorization_server, openid_provider, protected_resource, smart_configuration
from carekeep.web.oauth.urls import Urls
from carekeep.web.problems import answer, problem
from carekeep.web.services import Services

SMART_CONFIGURATION = "/fhir/.well-known/smart-configuration"


class Documents:
    """An ASGI application: documents by their path."""

    def __init__(self, documents: Mapping[str, dict[str, Any]]) -> None:
        self._bodies = {path: orjson.dumps(document) for path, document in documents.items()}

    @property
    def paths(self) -> Iterable[str]:
        """Where they are."""
        return self._bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response; JSON whatever the Accept header says (SMART App Launch, conformance)."""
        del receive
        body, method = self._bodies.get(scope["path"]), scope["method"]
        if body is None:
            response = answer(problem(404, "not-found", "There is nothing at this URL."))
        elif method not in {"GET", "HEAD"}:
            response = answer(problem(405, "not-supported", "Here only GET can be used."))
        else:
            response = Response(200, body, JSON)
        await send_response(response, send, head=method == "HEAD")


def api_documents(services: Services) -> Documents:
    """Those of the API host: SMART's, and what tokens are good for."""
    urls = Urls.of(services)
    protected = "/.well-known/oauth-protected-resource"
    return Documents(
        {
            SMART_CONFIGURATION: smart_configuration(urls),
            protected: protected_resource(urls, urls.base),
            f"{protected}/fhir": protected_resource(urls, urls.fhir),
        }
    )


def issuer_documents(services: Services) -> Documents:
    """Those of the sign-in host, which is the issuer."""
    urls = Urls.of(services)
    return Documents(
        {
            "/.well-known/oauth-authorization-server": authorization_server(urls),
            "/.well-known/openid-configuration": openid_provider(urls),
        }
    )
