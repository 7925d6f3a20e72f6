"""Pushed authorization requests (RFC 9126): the client sends its request itself, the browser carries only its name."""

from carekeep.access import Action
from carekeep.identity.apps.client import AUTHORIZATION_CODE
from carekeep.identity.apps.pushed import LIFETIME_MS
from carekeep.web.http import Response
from carekeep.web.oauth.answers import json_answer
from carekeep.web.oauth.asking import Asked
from carekeep.web.oauth.authenticating import with_possession
from carekeep.web.oauth.authorizing import AuthorizationRefused, Authorizing
from carekeep.web.oauth.protocol import Refused, invalid_request

_PROOFS = frozenset({"client_assertion", "client_assertion_type"})


async def push(asked: Asked) -> Response:
    """``POST /oauth/par``: checks a request as the page would, and keeps it. Raises Refused."""
    parameters = await asked.form()
    services, passage = asked.services, asked.passage
    caller = await asked.caller(parameters)
    client = caller.client
    if "request_uri" in parameters:
        raise invalid_request("A pushed request cannot name another one.")
    if AUTHORIZATION_CODE not in client.grant_types:
        raise Refused("unauthorized_client", "This client asks nobody for anything.")
    proven = await with_possession(services, passage.request, asked.urls.endpoint("par"), caller)
    kept = {name: value for name, value in parameters.items() if name not in _PROOFS} | {"client_id": client.id}
    key = proven.proven.thumbprint if proven.proven is not None else None
    if key is not None and kept.setdefault("dpop_jkt", key) != key:
        raise invalid_request("dpop_jkt is not the key of the DPoP proof.")
    try:
        await Authorizing(services).check(client, kept)
    except AuthorizationRefused as refused:
        raise Refused(refused.error, refused.reason, str(refused)) from None
    pushed = services.apps.pushed.prepare_keep(client.id, list(kept.items()))
    reason = f"the client {client.id} pushed a request"
    await asked.record(proven, Action.GRANT_GIVE, pushed, reason=reason)
    return json_answer({"request_uri": pushed.value, "expires_in": LIFETIME_MS // 1000}, 201)
