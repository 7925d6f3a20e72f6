"""The apps of the demo: one of a patient's choice, and a service with a key and an account of its own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from carekeep.access import SYSTEM_GRANT, Action
from carekeep.app import System
from carekeep.cli.operator import record_operation
from carekeep.cli.tokens import write_key
from carekeep.identity import Kind
from carekeep.identity.apps.client import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
    Client,
    ClientAuthentication,
    ClientState,
)

SERVICE_LOGIN = "registry"
KEY_FILE = "registry-feed.key"

_POCKET_CHART = "Pocket Chart"
_FEED = "Registry feed"
# The port of a numeric loopback address may be any (RFC 8252 §7.3); these are the paths that sample apps use.
_REDIRECTS = tuple(f"http://127.0.0.1:8765/{path}" for path in ("", "index.html", "app", "callback"))
_POCKET_SCOPES = "launch launch/patient openid fhirUser profile offline_access online_access patient/*.rs"
_FEED_SCOPES = "system/*.rs"


@dataclass(frozen=True, slots=True)
class DemoApp:
    """An app of the demo, as the state file names it. ``key_file``: of the one that proves who it is."""

    name: str
    client_id: str
    scopes: str
    redirect_uris: tuple[str, ...] = ()
    key_file: str | None = None
    account: str | None = None


async def demo_apps(system: System) -> tuple[DemoApp, ...]:
    """The demo's apps; registered when there are none."""
    clients = system.services.apps.clients
    known = {client.name: client async for client in clients.all() if client.is_approved}
    key_file = system.settings.home / KEY_FILE
    chart = known.get(_POCKET_CHART) or await _register(system, _pocket_chart(system))
    feed = known.get(_FEED) or await _register_feed(system, key_file)
    return (
        DemoApp(chart.name, chart.id, chart.scopes, redirect_uris=chart.redirect_uris),
        DemoApp(feed.name, feed.id, feed.scopes, key_file=str(key_file), account=SERVICE_LOGIN),
    )


def _pocket_chart(system: System) -> Client:
    clients = system.services.apps.clients
    return Client(
        id=clients.new_id(),
        name=_POCKET_CHART,
        authentication=ClientAuthentication.NONE,
        created_ms=clients.now(),
        state=ClientState.APPROVED,
        grant_types=(AUTHORIZATION_CODE, REFRESH_TOKEN),
        redirect_uris=_REDIRECTS,
        scopes=_POCKET_SCOPES,
        launch_uri="http://127.0.0.1:8765/launch.html",
    )


async def _register(system: System, client: Client, *others: Any) -> Client:
    prepared = system.services.apps.clients.prepare_create(client)
    reason = f"app {client.id} was added and approved for the demo"
    await record_operation(system.services, Action.CLIENT_MANAGE, reason, prepared, *others)
    return client


def _new_key(path: Path) -> dict[str, Any]:
    path.unlink(missing_ok=True)  # of a registration that was interrupted
    return write_key(path)


async def _register_feed(system: System, key_file: Path) -> Client:
    """The service, its account (which sees all records), and its key."""
    clients, accounts = system.services.apps.clients, system.services.accounts
    public = _new_key(key_file)
    account = await accounts.find(SERVICE_LOGIN)
    made = []
    if account is None:
        grants = frozenset({SYSTEM_GRANT})
        made.append(await accounts.prepare_create(Kind.APP, name=_FEED, login=SERVICE_LOGIN, grants=grants))
        account = made[0].value
    client = Client(
        id=clients.new_id(),
        name=_FEED,
        authentication=ClientAuthentication.PRIVATE_KEY_JWT,
        created_ms=clients.now(),
        state=ClientState.APPROVED,
        grant_types=(CLIENT_CREDENTIALS,),
        scopes=_FEED_SCOPES,
        keys=orjson.dumps({"keys": [public]}).decode(),
        account=account.id.hex(),
    )
    return await _register(system, client, *made)
