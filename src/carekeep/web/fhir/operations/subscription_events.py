"""``Subscription/[id]/$events``: events that happened before, decided and recorded anew (R5 Backport 1.1.0)."""

from typing import Final

from carekeep.access import Action
from carekeep.web.fhir.arguments import Arguments, read_arguments
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem
from carekeep.web.subscriptions.disclosing import Discloser
from carekeep.web.subscriptions.orders import Content, read_order

_CONTENTS: Final[tuple[Content, ...]] = ("empty", "id-only", "full-resource")
_MOST = 100
_LAST = 2**53


async def subscription_events(passage: Passage, type_: str, id_: str) -> Response:
    """Events by number, both bounds inclusive; those that are still kept, 100 at most.

    What they tell is told to the subscriber: whoever else may read the Subscription (a system) may not ask for them.
    ``content`` may ask for less than the subscription's own level, not for more.
    """
    await passage.authenticate(Action.READ)
    arguments = await read_arguments(passage, "eventsSinceNumber", "eventsUntilNumber", "content")
    first, last = arguments.whole("eventsSinceNumber") or 1, arguments.whole("eventsUntilNumber")
    disclosure = Disclosure(passage)
    stored = await disclosure.subject(type_, id_)
    await disclosure.record(f"{type_}/{id_}/$events")
    known = await passage.services.subscriptions.get(id_)
    if known is None:
        raise problem(409, "business-rule", "The subscription has ended; its events are not kept.")
    if known.account.hex() != passage.principal.account_id:
        raise problem(403, "forbidden", "Events are told to the account that subscribed, and to no other.")
    order = read_order(stored.resource, passage.services.notifiable)
    bounds = min(first, _LAST), min(known.events if last is None else last, _LAST)
    events = await passage.services.subscriptions.events(known, *bounds, _MOST)
    content = _content(arguments, order.content)
    notice = await Discloser(passage.services).notice("query-event", known, order, passage.principal, events, content)
    return Response(200, notice.body)


def _content(arguments: Arguments, own: Content) -> Content:
    """The level that was asked for, if it is not above the subscription's own."""
    asked = arguments.text("content")
    if asked is None:
        return own
    if asked not in _CONTENTS:
        raise problem(400, "value", f"content is one of {', '.join(_CONTENTS)}.", "content")
    return min(_CONTENTS[_CONTENTS.index(asked)], own, key=_CONTENTS.index)
