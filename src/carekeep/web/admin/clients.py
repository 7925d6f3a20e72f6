"""``/admin/clients``: apps that registered themselves wait here for somebody to look at them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from carekeep.access import SYSTEM_GRANT
from carekeep.identity import Account
from carekeep.identity.apps.approving import prepare_approve
from carekeep.identity.apps.client import Client, ClientState
from carekeep.identity.apps.ending import prepare_end_client
from carekeep.web.admin.asking import Asked, Done, first
from carekeep.web.http import Response
from carekeep.web.problems import problem


async def list_clients(asked: Asked) -> Response:
    """All apps, at most 1,000."""
    found = await first(asked.services.apps.clients.all())
    return await asked.show({"clients": [facts(each) for each in found]}, f"{len(found)} apps were listed")


async def approve(asked: Asked, id_: bytes) -> Response:
    """The app may ask for tokens from now on. ``account``: the id of the account as which it acts for itself."""

    async def work() -> Done:
        client = await _client(asked, id_)
        account = await _acting_as(asked)
        changed = prepare_approve(asked.services.apps.clients, client, account)
        reason = f"app {client.id} was approved{f', as account {account.id.hex()}' if account else ''}"
        return Done(changed, facts(changed.value), reason)

    return await asked.change(work)


async def disable(asked: Asked, id_: bytes) -> Response:
    """The app gets no tokens any more; then all that it was allowed ends, 1,000 grants in each commit."""

    async def stop() -> Done:
        client = await _client(asked, id_)
        changed = asked.services.apps.clients.prepare_change(replace(client, state=ClientState.DISABLED))
        return Done(changed, facts(changed.value), f"app {client.id} was disabled")

    async def end() -> Done:
        ended = await prepare_end_client(asked.services.apps.grants, asked.services.tokens, id_.hex())
        left.append(ended.value)
        return Done(ended, {}, f"{ended.value} grants of app {id_.hex()} ended")

    left: list[int] = []
    stopped = await asked.change(stop)
    while not left or left[-1]:
        await asked.change(end)
    return stopped


def facts(client: Client) -> Mapping[str, Any]:
    """What administrators are told of an app."""
    return {
        "id": client.id,
        "name": client.name,
        "state": client.state,
        "authentication": client.authentication,
        "grant_types": client.grant_types,
        "redirect_uris": client.redirect_uris,
        "scopes": client.scopes,
        "first_party": client.first_party,
        "organization": client.organization,
        "account": client.account,
        "contact": client.contact,
        "created_ms": client.created_ms,
    }


async def _acting_as(asked: Asked) -> Account | None:
    """The account that is named. Raises 403 for one that sees all records.

    Else who sees no record could approve an app of their own that sees them all; that is done at the machine.
    """
    if "account" not in asked.given.members:
        return None
    account = await asked.account(asked.given.id("account"))
    if SYSTEM_GRANT in account.grants:
        says = "An app that acts as an account with all records is approved at the machine: `carekeep app approve`."
        raise problem(403, "forbidden", says)
    return account


async def _client(asked: Asked, id_: bytes) -> Client:
    client = await asked.services.apps.clients.get(id_.hex())
    if client is None:
        raise problem(404, "not-found", "There is no app with this id.")
    return client
