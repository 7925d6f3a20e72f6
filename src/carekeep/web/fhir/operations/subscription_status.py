"""``Subscription/$status`` and ``Subscription/[id]/$status``: how subscriptions stand (R5 Backport 1.1.0)."""

from collections.abc import Iterable

import orjson

from carekeep.access import Action, Target
from carekeep.fhir import parse_query
from carekeep.records import Stored
from carekeep.web.fhir.arguments import read_arguments
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.subscriptions.notifications import Standing, status
from carekeep.web.subscriptions.table import Subscribed

_TYPE = "Subscription"
_MOST = 500


async def subscription_status(passage: Passage, type_: str, id_: str) -> Response:
    """The status of one subscription."""
    await passage.authenticate(Action.READ)
    await read_arguments(passage, "id", "status")  # both are ignored here, says the definition
    disclosure = Disclosure(passage)
    stored = await disclosure.subject(type_, id_)
    await disclosure.record(f"{type_}/{id_}/$status")
    return await _answer(passage, [stored])


async def status_of_several(passage: Passage, type_: str, _: str) -> Response:
    """The status of every subscription that the caller may see; ``id`` and ``status`` narrow them."""
    await passage.authenticate(Action.READ)
    arguments = await read_arguments(passage, "id", "status")
    ids, statuses = arguments.texts("id"), arguments.texts("status")
    disclosure = Disclosure(passage)
    await passage.demand(Action.SEARCH, Target(type_, (), ()))
    query = parse_query(type_, [("_id", ",".join(ids[:_MOST]))] if ids else [], lenient=False)
    found: list[Stored] = []
    async for stored in passage.services.vault.search_all(query, ()):
        if statuses and stored.resource["status"] not in statuses:
            continue
        shown = await disclosure.shown(stored)
        if shown is not None:
            found.append(shown)
        if len(found) == _MOST:
            break
    disclosure.show(*found)
    await disclosure.record(f"{type_}/$status")
    return await _answer(passage, found)


async def _answer(passage: Passage, found: Iterable[Stored]) -> Response:
    url = passage.services.fhir_url
    entries = []
    for stored in found:
        known = await passage.services.subscriptions.get(stored.id)
        told = status("query-status", standing(stored, known), (), "id-only", url)
        entries.append({"fullUrl": f"{url}/{stored.reference}/$status", "resource": told, "search": {"mode": "match"}})
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return Response(200, orjson.dumps(bundle | ({"entry": entries} if entries else {})))


def standing(stored: Stored, known: Subscribed | None) -> Standing:
    """How a subscription stands: by its row, and by its record alone when it has ended."""
    topic = stored.resource["criteria"]
    if known is None:
        return Standing(stored.reference, topic, "off", 0)
    return Standing(stored.reference, topic, known.status, known.events, known.error)
