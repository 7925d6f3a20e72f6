"""What happens beside the record when a client writes a Subscription: rules, ownership, and its row."""

from dataclasses import replace
from typing import Any

from carekeep.access import ANYTHING, Action, Target, owner_label
from carekeep.records import Stored
from carekeep.storage import Prepared
from carekeep.web.denials import denied
from carekeep.web.passage import Passage
from carekeep.web.problems import problem
from carekeep.web.subscriptions.orders import Order, read_order

Json = dict[str, Any]

TYPE = "Subscription"
MOST_SUBSCRIPTIONS = 20  # of an account
_OWNER_SYSTEM = owner_label("").rpartition("|")[0]


async def kept(passage: Passage, resource: Json, current: Stored | None) -> tuple[Json, tuple[Prepared[Any], ...]]:
    """A resource as it is to be written, and what is to be committed beside it; other types come back as they are.

    The owner's label and the status of a Subscription are the server's, whatever the client sent. Raises Problem (422)
    with what is not possible, and why; 403 when the filters name only patients whom the subscriber may not see.
    """
    if resource["resourceType"] != TYPE:
        return resource, ()
    owner = _owner_of(current) or owner_label(passage.principal.account_id)
    ready = _owned({name: value for name, value in resource.items() if name != "error"}, owner)
    wish = ready["status"]
    if wish == "off":
        return ready, await _ended(passage, ready["id"])
    if wish not in {"requested", "active"}:
        raise problem(422, "business-rule", "Ask with the status requested (or off).", f"{TYPE}.status")
    ready["status"] = "requested"
    await _check_patients(passage, read_order(ready, passage.services.notifiable))
    return ready, (await _row(passage, ready["id"]),)


async def released(passage: Passage, deleted: Stored) -> tuple[Prepared[Any], ...]:
    """What is to be committed with the deletion of a record: the end of its subscription, if it is one."""
    return await _ended(passage, deleted.id) if deleted.type == TYPE else ()


async def _ended(passage: Passage, id_: str) -> tuple[Prepared[Any], ...]:
    table = passage.services.subscriptions
    known = await table.get(id_)
    return () if known is None else (table.prepare_remove(known),)


async def _row(passage: Passage, id_: str) -> Prepared[Any]:
    table, principal = passage.services.subscriptions, passage.principal
    account = bytes.fromhex(principal.account_id)
    known = await table.get(id_)
    if known is not None:
        again = replace(
            known,
            status="requested",
            error="",
            purpose=passage.purpose,
            session=principal.as_session(),
            address=passage.request.address,
        )
        return table.prepare_change(again)
    if await table.count(account) >= MOST_SUBSCRIPTIONS:
        says = f"An account has at most {MOST_SUBSCRIPTIONS} subscriptions. Switch one off first."
        raise problem(422, "too-costly", says, TYPE)
    return table.prepare_add(
        id_,
        account,
        purpose=passage.purpose,
        session=principal.as_session(),
        address=passage.request.address,
    )


async def _check_patients(passage: Passage, order: Order) -> None:
    """Refuse what could never be told, rather than being silent for ever. Each event is decided all the same."""
    targets = [Target(order.topic.type, (patient,), (), ANYTHING) for patient in sorted(order.patients or ())]
    decisions = [await passage.judge(Action.READ, target) for target in targets]
    if decisions and not any(decision.permitted for decision in decisions):
        await passage.record(Action.CREATE, "denied", decision=decisions[0], patients=order.patients or ())
        raise denied(decisions[0], passage.principal)


def _owner_of(current: Stored | None) -> str | None:
    labels = () if current is None else current.labels
    return next((label for label in labels if label.startswith(f"{_OWNER_SYSTEM}|")), None)


def _owned(resource: Json, owner: str) -> Json:
    """The resource with its owner's label, and no other's."""
    system, _, code = owner.rpartition("|")
    meta = resource.get("meta", {})
    others = [each for each in meta.get("security", ()) if each.get("system") != system]
    return {**resource, "meta": {**meta, "security": [*others, {"system": system, "code": code}]}}
