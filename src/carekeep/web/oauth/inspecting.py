"""What a token is worth (RFC 7662), the end of one (RFC 7009), and who it speaks for (OpenID Connect Core §5.3)."""

from typing import Any

from carekeep.access import Action, Scopes
from carekeep.identity import Principal, Session
from carekeep.identity.apps.client import Client
from carekeep.identity.apps.ending import prepare_end_grants
from carekeep.storage import Conflict, Prepared
from carekeep.web.http import Response
from carekeep.web.oauth.answers import json_answer
from carekeep.web.oauth.asking import Asked
from carekeep.web.oauth.issuing import person
from carekeep.web.oauth.protocol import Refused, invalid_client, invalid_request
from carekeep.web.problems import problem

_INACTIVE = {"active": False}
_TRIES = 3


async def introspect(asked: Asked) -> Response:
    """``POST /oauth/introspect``: for clients that prove who they are, of their own tokens.

    The organization's own clients (servers behind this one) may ask of every token. What is not theirs, or not good, is
    told to be inactive and nothing else. Raises Refused.
    """
    parameters = await asked.form()
    caller = await asked.caller(parameters)
    client = caller.client
    if not client.is_confidential:
        raise invalid_client(f"the client {client.id} cannot prove who it is, so it may not ask")
    held = await asked.services.tokens.inspect(_token(parameters))
    body: dict[str, Any] = _INACTIVE
    if held is not None and _may_know(client, held[0]):
        body = await _described(asked, *held)
    reason = f"the client {client.id} asked after {f'the session {held[0].session}' if held else 'what is no token'}"
    await asked.record(caller, Action.TOKEN_INSPECT, reason=reason)
    return json_answer(body)


def _token(parameters: dict[str, str]) -> str:
    token = parameters.get("token")
    if token is None:
        raise invalid_request("The parameter token is missing.")
    return token


def _may_know(client: Client, principal: Principal) -> bool:
    return client.first_party or (principal.delegation is not None and principal.delegation.client == client.id)


async def _described(asked: Asked, principal: Principal, session: Session) -> dict[str, Any]:
    """The claims of RFC 7662 §2.2 and of SMART App Launch (token introspection)."""
    body: dict[str, Any] = {
        "active": True,
        "token_type": "DPoP" if session.binding and session.binding.kind == "jkt" else "Bearer",
        "exp": session.expires_ms // 1000,
        "sub": principal.account_id,
        "iss": asked.urls.issuer,
        "aud": asked.urls.fhir,
    }
    if session.binding is not None:
        body["cnf"] = {str(session.binding.kind): session.binding.thumbprint}
    delegation = principal.delegation
    if delegation is None:
        return body
    body |= {"client_id": delegation.client, "scope": delegation.scopes}
    body |= {
        name: value
        for name, value in (("patient", delegation.patient), ("encounter", delegation.encounter))
        if value is not None
    }
    account = await asked.services.accounts.get(bytes.fromhex(principal.account_id))
    return body if account is None else body | person(asked.urls, account, Scopes.parse(delegation.scopes))


async def revoke(asked: Asked) -> Response:
    """``POST /oauth/revoke``: a client gives back one of its own tokens; a refresh token ends the whole grant.

    The answer is the same for what is no token (RFC 7009 §2.2). Raises Refused.
    """
    parameters = await asked.form()
    for _ in range(_TRIES):
        caller = await asked.caller(parameters)
        ended, what = await _ended(asked, caller.client, _token(parameters))
        reason = f"the client {caller.client.id} gave back {what}"
        try:
            await asked.record(caller, Action.TOKEN_REVOKE, ended, reason=reason)
        except Conflict:
            continue
        asked.services.generations.changed("accounts")
        return json_answer({})
    raise Refused("temporarily_unavailable", "the token was used or ended at the same time", "Try again.")


async def _ended(asked: Asked, client: Client, token: str) -> tuple[Prepared[Any], str]:
    services = asked.services
    presented = await services.apps.grants.present(token)
    if presented is not None and presented.grant.client == client.id:
        ended = await prepare_end_grants(services.apps.grants, services.tokens, (presented.grant,))
        return ended, f"the grant {presented.grant.id.hex()}"
    held = await services.tokens.inspect(token)
    if held is not None and held[0].delegation is not None and held[0].delegation.client == client.id:
        return await services.tokens.prepare_revoke(held[0].session), f"the session {held[0].session}"
    return Prepared(None, ()), "what is no token of its own"


async def userinfo(asked: Asked) -> Response:
    """``GET`` or ``POST /oauth/userinfo``: who signed in, for an app that was given ``openid``."""
    passage = asked.passage
    principal = await passage.authenticate(Action.PROFILE_READ)
    delegation = principal.delegation
    scopes = Scopes.parse(delegation.scopes) if delegation is not None else Scopes()
    if "openid" not in scopes:
        await passage.record(Action.PROFILE_READ, "denied", reason="the token has not the scope openid")
        refusal = problem(403, "forbidden", "The token was not given the scope openid.")
        refusal.headers = ((b"www-authenticate", b'Bearer error="insufficient_scope", scope="openid"'),)
        raise refusal
    account = await asked.services.accounts.get(bytes.fromhex(principal.account_id))
    if account is None:
        raise problem(401, "login", "The account is not there any more.")
    await passage.record(Action.PROFILE_READ, "permitted", reason="the app was told who signed in")
    return json_answer(person(asked.urls, account, scopes))
