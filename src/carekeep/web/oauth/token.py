"""The token endpoint: one request, one commit, one answer."""

from carekeep.access import Action
from carekeep.storage import Conflict
from carekeep.web.http import Response
from carekeep.web.oauth.answers import json_answer
from carekeep.web.oauth.asking import Asked
from carekeep.web.oauth.authenticating import Caller, with_possession
from carekeep.web.oauth.granting import Misused, Turn, give
from carekeep.web.oauth.protocol import invalid_grant

_TRIES = 3  # who loses a race reads again what is left of it


async def token(asked: Asked) -> Response:
    """``POST /oauth/token`` (RFC 6749 §3.2). Raises Refused."""
    parameters = await asked.form()
    for _ in range(_TRIES):
        caller = await _caller(asked, parameters)
        try:
            return await _answer(asked, Turn(asked.services, asked.urls, caller, parameters))
        except Conflict:
            await caller.check_replay(asked.services)
    raise invalid_grant("somebody else used or ended the same grant at the same time")


async def _caller(asked: Asked, parameters: dict[str, str]) -> Caller:
    caller = await asked.caller(parameters)
    return await with_possession(asked.services, asked.passage.request, asked.urls.token, caller)


async def _answer(asked: Asked, turn: Turn) -> Response:
    passage = asked.passage
    try:
        given = await give(turn)
    except Misused as misused:
        await passage.record(Action.GRANT_END, "denied", misused.ended, reason=misused.reason)
        asked.services.generations.changed("accounts")
        raise
    passage.describe(given.issued.principal)
    delegation = given.issued.principal.delegation
    patients = [delegation.patient] if delegation is not None and delegation.patient is not None else []
    await passage.record(Action.TOKEN_ISSUE, "permitted", *given.prepared, patients=patients, reason=given.reason)
    proven = turn.caller.proven
    fresh = ((b"dpop-nonce", proven.nonce.encode()),) if proven is not None and proven.nonce else ()
    return json_answer(given.body, 200, *fresh)
