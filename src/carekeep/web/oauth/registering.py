"""Dynamic registration (RFC 7591): an app says what it is, and waits until an administrator approves it.

Nothing that it names is fetched, and none of its URLs is shown as an image or a link before that.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import orjson

from carekeep.access import Action, ScopeInvalid, Scopes
from carekeep.audit import Agent
from carekeep.identity.apps.client import AUTHORIZATION_CODE, Client, ClientAuthentication, ClientInvalid
from carekeep.identity.apps.clients import MOST_PENDING
from carekeep.identity.apps.key_sets import read_key_set
from carekeep.identity.apps.public_keys import KeyRefused, thumbprint_of
from carekeep.web.http import Response
from carekeep.web.oauth.answers import json_answer
from carekeep.web.oauth.asking import LONGEST_BODY, Asked
from carekeep.web.oauth.pacing import Pace
from carekeep.web.oauth.protocol import Refused, check_metadata
from carekeep.web.oauth.udap import register_certified

_MOST_CONTACTS = 5


async def register(asked: Asked, pace: Pace) -> Response:
    """``POST /oauth/register``: a client that is pending, and its id. Raises Refused."""
    passage, services = asked.passage, asked.services
    if not pace.take(passage.request.address) or await services.apps.clients.pending() >= MOST_PENDING:
        raise Refused("temporarily_unavailable", "too many registrations", "Too many apps register. Try again later.")
    given = _read(await passage.request.body(LONGEST_BODY))
    if "udap" in given:
        return await register_certified(asked, given)
    metadata = _metadata(given)
    client = _client(asked, metadata)
    prepared = services.apps.clients.prepare_create(client)
    passage.agent = Agent(account="", role="app", address=passage.request.address, app=client.name)
    reason = f"the client {client.id} registered, and waits for approval"
    await passage.record(Action.CLIENT_REGISTER, "permitted", prepared, reason=reason)
    return json_answer(_described(client), 201)


def _read(body: bytes) -> dict[str, Any]:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        given = None
    if not isinstance(given, dict):
        raise Refused("invalid_client_metadata", "Send a JSON object.")
    return given


def _metadata(given: dict[str, Any]) -> dict[str, Any]:
    if "software_statement" in given:
        raise Refused("unapproved_software_statement", "Software statements are taken from a trust community.")
    # Left out, RFC 7591 means a client secret by this; there are none here.
    given.setdefault("token_endpoint_auth_method", "private_key_jwt" if {"jwks", "jwks_uri"} & set(given) else "none")
    if "jwks" in given:
        _check_keys(given["jwks"])
    return check_metadata(given)


def _client(asked: Asked, metadata: Mapping[str, Any]) -> Client:
    """The client that the metadata describes. Raises Refused."""
    clients = asked.services.apps.clients
    try:
        authentication = ClientAuthentication(metadata["token_endpoint_auth_method"])
        is_by_certificate = authentication is ClientAuthentication.CERTIFICATE
        keys = metadata.get("jwks")
        return Client(
            id=clients.new_id(),
            name=_text(metadata, "client_name"),
            authentication=authentication,
            created_ms=clients.now(),
            grant_types=tuple(_texts(metadata, "grant_types", [AUTHORIZATION_CODE])),
            redirect_uris=tuple(_texts(metadata, "redirect_uris", [])),
            scopes=str(Scopes.parse(_text(metadata, "scope"))),
            keys=None if keys is None or is_by_certificate else orjson.dumps(keys).decode(),
            keys_uri=metadata.get("jwks_uri"),
            certificates=_certificates(keys) if is_by_certificate else (),
            must_prove_possession=metadata.get("dpop_bound_access_tokens") is True,
            launch_uri=metadata.get("launch_uri"),
            contact=", ".join(_texts(metadata, "contacts", [])[:_MOST_CONTACTS]),
            id_token_algorithm=_text(metadata, "id_token_signed_response_alg", "RS256"),
        )
    except ClientInvalid as invalid:
        kind = "invalid_redirect_uri" if invalid.field == "redirect_uris" else "invalid_client_metadata"
        raise Refused(kind, str(invalid)) from None
    except ScopeInvalid as invalid:
        raise Refused("invalid_client_metadata", str(invalid)) from None
    except (TypeError, ValueError, AttributeError):
        raise Refused("invalid_client_metadata", "A part of the metadata is of another type than it must be.") from None


def _text(metadata: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = metadata.get(name, default)
    if not isinstance(value, str) or not value:
        raise Refused("invalid_client_metadata", f"{name} must be text.")
    return value


def _texts(metadata: Mapping[str, Any], name: str, default: list[str]) -> list[str]:
    value = metadata.get(name, default)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise Refused("invalid_client_metadata", f"{name} must be a list of texts.")
    return value


def _check_keys(keys: Any) -> None:
    """That every key of a JWK Set is public, and good enough to be trusted. Raises Refused."""
    try:
        if len(read_key_set(orjson.dumps(keys).decode())) == len(keys["keys"]):
            return
        fault = "one of them is not public, not strong enough, or has no kid of its own"
    except KeyRefused as refused:
        fault = str(refused)
    raise Refused("invalid_client_metadata", f"The keys cannot be used: {fault}.")


def _certificates(keys: Any) -> tuple[str, ...]:
    """The thumbprints of the certificates (``x5c``) in a JWK Set (RFC 8705 §2.2). Raises TypeError, ValueError."""
    listed = [] if keys is None else keys["keys"]
    try:
        return tuple(thumbprint_of(base64.b64decode(key["x5c"][0], validate=True)) for key in listed)
    except (binascii.Error, KeyError, IndexError):
        raise Refused("invalid_client_metadata", "Each key must have its certificate (x5c).") from None


def _described(client: Client) -> dict[str, Any]:
    """What was registered (RFC 7591 §3.2.1)."""
    described: dict[str, Any] = {
        "client_id": client.id,
        "client_id_issued_at": client.created_ms // 1000,
        "client_name": client.name,
        "token_endpoint_auth_method": client.authentication,
        "grant_types": client.grant_types,
        "response_types": ["code"] if AUTHORIZATION_CODE in client.grant_types else [],
        "redirect_uris": client.redirect_uris,
        "scope": client.scopes,
        "dpop_bound_access_tokens": client.must_prove_possession,
        "id_token_signed_response_alg": client.id_token_algorithm,
        "status": client.state,
    }
    if client.keys is not None:
        described["jwks"] = orjson.Fragment(client.keys)
    if client.keys_uri is not None:
        described["jwks_uri"] = client.keys_uri
    if client.launch_uri is not None:
        described["launch_uri"] = client.launch_uri
    return described
