"""The end of what was allowed to apps, with the access tokens that came of it."""

from collections.abc import Sequence

from carekeep.identity.apps.grant import Grant
from carekeep.identity.apps.grants import Grants
from carekeep.identity.tokens import Tokens
from carekeep.storage import Prepared


async def prepare_end_grants(grants: Grants, tokens: Tokens, ended: Sequence[Grant]) -> Prepared[int]:
    """The end of these grants and of every token under them; the value says how many grants.

    A conflict at commit means that one of them ended meanwhile: read and prepare anew.
    """
    rows = grants.prepare_end(ended)
    steps, pins = rows.steps, rows.pins
    for grant in ended:
        under = await tokens.prepare_revoke_under(grant.id)
        steps, pins = (*steps, *under.steps), (*pins, *under.pins)
    return Prepared(rows.value, steps, pins)


async def prepare_end_session(grants: Grants, tokens: Tokens, account_id: bytes, session: bytes) -> Prepared[int]:
    """The end of what was allowed in a browser's session for as long as it lasts (``online_access`` and less).

    ``session``: the id of the ``BrowserSession``. The value says how many grants ended.
    """
    return await prepare_end_grants(grants, tokens, await grants.of_session(account_id, session))


async def prepare_end_client(grants: Grants, tokens: Tokens, client_id: str) -> Prepared[int]:
    """The end of all that a client was allowed, by people and on its own behalf; at most 1,000 grants at a time.

    First commit that the client is disabled: from then on nothing is issued to it, and what this finds is all there
    is. The value says how many grants ended. Conflict: see ``prepare_end_grants``.
    """
    ended = await prepare_end_grants(grants, tokens, await grants.of_client(client_id))
    own = await tokens.prepare_revoke_under(bytes.fromhex(client_id))
    return Prepared(ended.value, (*ended.steps, *own.steps), (*ended.pins, *own.pins))
