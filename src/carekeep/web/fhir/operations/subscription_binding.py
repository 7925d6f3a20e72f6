"""``$get-ws-binding-token``: a token that binds a websocket to subscriptions (R5 Backport 1.1.0)."""

from collections.abc import Sequence
from typing import Any

from carekeep.access import Action, Target
from carekeep.fhir import dump_json, format_instant, parse_query
from carekeep.records import Stored
from carekeep.web.fhir.arguments import read_arguments
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.http import Response
from carekeep.web.passage import Passage, what_of
from carekeep.web.problems import problem
from carekeep.web.subscriptions.bindings import Binding
from carekeep.web.subscriptions.topics import websocket_url

_MOST = 50


async def binding_token(passage: Passage, type_: str, id_: str) -> Response:
    """A token for one subscription."""
    await passage.authenticate(Action.READ)
    await read_arguments(passage, "id")  # ignored here, says the definition
    stored = await Disclosure(passage).subject(type_, id_)
    if not await _bindable(passage, stored):
        says = "Only a websocket subscription of your own that has not ended can be bound."
        raise problem(422, "business-rule", says, "Subscription.channel.type")
    return await _issue(passage, [stored])


async def binding_token_of_several(passage: Passage, type_: str, _: str) -> Response:
    """A token for all websocket subscriptions of the caller, or for those that ``id`` names."""
    await passage.authenticate(Action.READ)
    ids = (await read_arguments(passage, "id")).texts("id")
    await passage.demand(Action.SEARCH, Target(type_, (), ()))
    query = parse_query(type_, [("_id", ",".join(ids[:_MOST]))] if ids else [], lenient=False)
    disclosure = Disclosure(passage)
    found = [
        stored
        async for stored in passage.services.vault.search_all(query, ())
        if await disclosure.shown(stored) is not None and await _bindable(passage, stored)
    ]
    if not found or len(found) < len(set(ids)):
        says = "Name websocket subscriptions of your own that have not ended, or have at least one."
        raise problem(422, "business-rule", says, "Parameters.parameter")
    return await _issue(passage, found[:_MOST])


async def _bindable(passage: Passage, stored: Stored) -> bool:
    known = await passage.services.subscriptions.get(stored.id)
    own = known is not None and known.account.hex() == passage.principal.account_id
    return own and bool(stored.resource["channel"]["type"] == "websocket")


async def _issue(passage: Passage, found: Sequence[Stored]) -> Response:
    principal = passage.principal
    binding = Binding(principal.account_id, principal.session, tuple(stored.id for stored in found))
    issued = passage.services.bindings.prepare_issue(binding)
    await passage.record(
        Action.READ, "permitted", issued, what=tuple(map(what_of, found)), query="Subscription/$get-ws-binding-token"
    )
    parameters: list[dict[str, Any]] = [
        {"name": "token", "valueString": issued.value.secret.reveal_text()},
        {"name": "expiration", "valueDateTime": format_instant(issued.value.expires_ms)},
        *({"name": "subscription", "valueString": stored.id} for stored in found),
        {"name": "websocket-url", "valueUrl": websocket_url(passage.services.fhir_url)},
    ]
    return Response(200, dump_json({"resourceType": "Parameters", "parameter": parameters}))
