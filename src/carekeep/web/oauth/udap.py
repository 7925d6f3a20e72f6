"""Apps of a trust community (UDAP Security 2.0.0): where they find the endpoints, and how they register.

The community vouches for who an app is. What it may do, an administrator decides, as for every other app.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from carekeep.access import Action, ScopeInvalid, Scopes
from carekeep.audit import Agent
from carekeep.identity.apps.client import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
    Client,
    ClientAuthentication,
    ClientInvalid,
    ClientState,
)
from carekeep.identity.apps.ending import prepare_end_client
from carekeep.identity.apps.udap import ALGORITHMS, Statement, StatementRefused, Udap
from carekeep.storage import Conflict, Prepared
from carekeep.web.http import Receive, Response, Scope, Send, send_response
from carekeep.web.oauth.answers import JSON, json_answer
from carekeep.web.oauth.asking import Asked
from carekeep.web.oauth.metadata import SCOPES
from carekeep.web.oauth.protocol import Refused
from carekeep.web.oauth.urls import Urls
from carekeep.web.problems import answer, problem
from carekeep.web.services import Services

PATH = "/fhir/.well-known/udap"
_GRANT_TYPES = (AUTHORIZATION_CODE, REFRESH_TOKEN, CLIENT_CREDENTIALS)
_MOST_CONTACTS = 5


class UdapDocument:
    """The ASGI application at ``/fhir/.well-known/udap``."""

    def __init__(self, services: Services) -> None:
        self._udap = services.udap
        self._urls = Urls.of(services)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response; 404 without a community."""
        del receive
        method: str = scope["method"]
        if self._udap is None:
            response = answer(problem(404, "not-found", "This server belongs to no trust community."))
        elif method not in {"GET", "HEAD"}:
            response = answer(problem(405, "not-supported", "Here only GET can be used."))
        else:
            response = Response(200, orjson.dumps(document(self._udap, self._urls)), JSON)
        await send_response(response, send, head=method == "HEAD")


def document(udap: Udap, urls: Urls) -> dict[str, Any]:
    """UDAP Security 2.0.0, discovery. ``signed_metadata`` is the endpoints, signed with this server's certificate."""
    endpoints = {
        "authorization_endpoint": f"{urls.issuer}/authorize",
        "token_endpoint": urls.token,
        "registration_endpoint": urls.endpoint("register"),
    }
    return endpoints | {
        "udap_versions_supported": ["1"],
        "udap_profiles_supported": ["udap_dcr", "udap_authn", "udap_authz"],
        "udap_authorization_extensions_supported": ["hl7-b2b"],
        "udap_authorization_extensions_required": ["hl7-b2b"],
        "udap_certifications_supported": [],
        "udap_certifications_required": [],
        "grant_types_supported": list(_GRANT_TYPES),
        "scopes_supported": list(SCOPES),
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "registration_endpoint_jwt_signing_alg_values_supported": list(ALGORITHMS),
        "signed_metadata": udap.signed_metadata(endpoints),
    }


async def register_certified(asked: Asked, given: Mapping[str, Any]) -> Response:
    """A registration by a signed software statement. Raises Refused.

    A URI registers once: from then on its statements change what it registered, which waits for approval again; one
    without grant types ends it.
    """
    stated = _stated(asked, given)
    known = await _known(asked.services, stated.value.uri)
    try:
        if not stated.value.claims.get("grant_types"):
            return await _end(asked, stated, known)
        return await _keep(asked, stated, known)
    except Conflict:
        if await asked.services.replays.is_used(stated):
            raise Refused("invalid_software_statement", "the statement was used before") from None
        raise


def _stated(asked: Asked, given: Mapping[str, Any]) -> Prepared[Statement]:
    udap, statement = asked.services.udap, given.get("software_statement")
    if udap is None:
        raise Refused("unapproved_software_statement", "This server belongs to no trust community.")
    if given.get("udap") != "1" or not isinstance(statement, str):
        raise Refused("invalid_software_statement", "Send a software_statement, and udap: 1.")
    try:
        return udap.verify_registration(statement, asked.urls.endpoint("register"))
    except StatementRefused as refused:
        if refused.is_untrusted:
            told = "The certificate of the statement is not trusted here."
            raise Refused("unapproved_software_statement", f"a software statement: {refused}", told) from None
        told = "The software statement is not valid."
        raise Refused("invalid_software_statement", f"a software statement: {refused}", told) from None


async def _known(services: Services, uri: str) -> Client | None:
    async for client in services.apps.clients.all():
        if client.organization == uri:
            return client
    return None


async def _keep(asked: Asked, stated: Prepared[Statement], known: Client | None) -> Response:
    clients, passage = asked.services.apps.clients, asked.passage
    client = _client(asked, stated.value, known)
    prepared: list[Prepared[Any]] = [clients.prepare_create(client)]
    if known is not None:
        prepared = [clients.prepare_change(client), await _end_of_what_it_has(asked.services, client)]
    passage.agent = Agent(account="", role="app", address=passage.request.address, app=client.name)
    how = "registered" if known is None else "changed its registration"
    reason = f"the client {client.id} of {client.organization} {how}, and waits for approval"
    await passage.record(Action.CLIENT_REGISTER, "permitted", *prepared, stated, reason=reason)
    asked.services.generations.changed("accounts")
    body = {
        "client_id": client.id,
        "client_name": client.name,
        "grant_types": client.grant_types,
        "response_types": ["code"] if AUTHORIZATION_CODE in client.grant_types else [],
        "redirect_uris": client.redirect_uris,
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": client.scopes,
        "status": client.state,
    }
    return json_answer(body, 201 if known is None else 200)


async def _end(asked: Asked, stated: Prepared[Statement], known: Client | None) -> Response:
    """Cancels a registration (an empty list of grant types)."""
    if known is None:
        raise Refused("invalid_client_metadata", "There is no registration to end.")
    ended = asked.services.apps.clients.prepare_change(replace(known, state=ClientState.DISABLED))
    given = await _end_of_what_it_has(asked.services, known)
    asked.passage.agent = Agent(account="", role="app", address=asked.passage.request.address, app=known.name)
    reason = f"the client {known.id} of {known.organization} ended its registration"
    await asked.passage.record(Action.CLIENT_REGISTER, "permitted", ended, given, stated, reason=reason)
    asked.services.generations.changed("accounts")
    return json_answer({"client_id": known.id, "grant_types": []})


async def _end_of_what_it_has(services: Services, client: Client) -> Prepared[int]:
    return await prepare_end_client(services.apps.grants, services.tokens, client.id)


def _client(asked: Asked, statement: Statement, known: Client | None) -> Client:
    """The client that a statement describes. Raises Refused."""
    clients, claims = asked.services.apps.clients, statement.claims
    grant_types = tuple(_texts(claims, "grant_types"))
    if not set(grant_types) <= set(_GRANT_TYPES) or claims.get("token_endpoint_auth_method") != "private_key_jwt":
        raise Refused("invalid_client_metadata", f"Clients use private_key_jwt, and some of {', '.join(_GRANT_TYPES)}.")
    by_code = AUTHORIZATION_CODE in grant_types
    if by_code and claims.get("response_types") != ["code"]:
        raise Refused("invalid_client_metadata", "The response type is code.")
    try:
        described = Client(
            id=clients.new_id(),
            name=_text(claims, "client_name"),
            authentication=ClientAuthentication.PRIVATE_KEY_JWT,
            created_ms=clients.now(),
            grant_types=grant_types,
            redirect_uris=tuple(_texts(claims, "redirect_uris")) if by_code else (),
            scopes=str(Scopes.parse(_text(claims, "scope"))),
            contact=", ".join(_texts(claims, "contacts")[:_MOST_CONTACTS]),
            organization=statement.uri,
        )
    except ClientInvalid as invalid:
        kind = "invalid_redirect_uri" if invalid.field == "redirect_uris" else "invalid_client_metadata"
        raise Refused(kind, str(invalid)) from None
    except ScopeInvalid as invalid:
        raise Refused("invalid_client_metadata", str(invalid)) from None
    if known is None:
        return described
    return replace(described, id=known.id, created_ms=known.created_ms, revision=known.revision)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise Refused("invalid_client_metadata", f"{name} must be text.")
    return value


def _texts(claims: Mapping[str, Any], name: str) -> list[str]:
    value = claims.get(name)
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise Refused("invalid_client_metadata", f"{name} must be a list of texts.")
    return value
