"""``carekeep app``: the apps that may ask for tokens, from the machine itself."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import orjson

from carekeep.access import Action
from carekeep.app import System
from carekeep.cli.console import fail, json_option, put, put_json, put_table
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.cli.tokens import new_key, token
from carekeep.identity import Account, IdentityError, Kind
from carekeep.identity.apps.approving import prepare_approve
from carekeep.identity.apps.client import (
    AUTHORIZATION_CODE,
    CLIENT_CREDENTIALS,
    REFRESH_TOKEN,
    Client,
    ClientAuthentication,
    ClientState,
)
from carekeep.identity.apps.ending import prepare_end_client
from carekeep.identity.apps.key_sets import read_key_set
from carekeep.identity.apps.public_keys import KeyRefused
from carekeep.storage import Conflict

_LARGEST_KEYS = 16_384  # bytes


@click.group()
def app() -> None:
    """Apps: list, add, approve, keys, disable; and of the app itself: new-key, token."""


app.add_command(new_key)
app.add_command(token)


@app.command("list")
@json_option
@click.pass_obj
def list_apps(home: Path, as_json: bool) -> None:
    """List all apps.

    \b
    Example: carekeep app list --json
    """

    async def work(opened: System) -> list[Client]:
        return [client async for client in opened.services.apps.clients.all()]

    found = sorted(with_system(home, work), key=lambda client: (client.state, client.name))
    if as_json:
        put_json([_facts(client) for client in found])
        return
    rows = [tuple(str(fact) for fact in _facts(client).values()) for client in found]
    put_table(("id", "name", "state", "proves itself by", "redirect URIs", "scopes", "contact"), rows)


def _facts(client: Client) -> dict[str, str]:
    return {
        "id": client.id,
        "name": client.name,
        "state": client.state.value,
        "authentication": client.authentication.value,
        "redirect_uris": " ".join(client.redirect_uris),
        "scopes": client.scopes,
        "contact": client.contact,
    }


@app.command()
@click.argument("name")
@click.option("--redirect-uri", "redirect_uris", multiple=True, help="Where people are sent back to; may be repeated.")
@click.option("--scopes", default="", help="The most that it may be given, spaces between.")
@click.option(
    "--jwks",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The file with its public keys (a JWK Set): it proves who it is. Without any it is a public app.",
)
@click.option("--jwks-uri", help="The same, at an https URL.")
@click.option("--account", help="For Backend Services: the login of the app's own account, as which it acts.")
@click.option("--first-party", is_flag=True, help="The organization's own: people are not asked for permission.")
@click.option("--launch-uri", help="Where it is started from a chart.")
@click.option("--contact", default="", help="Who answers for it.")
@json_option
@click.pass_obj
def add(home: Path, /, as_json: bool, **given: Any) -> None:
    """Register the app NAME. It is approved with that; its client id is printed.

    \b
    Examples:
      carekeep app add "Growth charts" --redirect-uri https://growth.example.org/callback \\
          --scopes "launch/patient openid fhirUser patient/Observation.rs"
      carekeep app add "Registry feed" --jwks keys.json --account registry --scopes system/Observation.rs
    Example: carekeep app add Charts --redirect-uri https://charts.example.org/cb --scopes patient/Patient.r
    """

    async def work(opened: System) -> Client:
        client = await _new_client(opened, **given)
        made = opened.services.apps.clients.prepare_create(client)
        reason = f"app {client.id} was added and approved"
        await record_operation(opened.services, Action.CLIENT_MANAGE, reason, made)
        return client

    client = _done(home, work)
    if as_json:
        put_json(_facts(client))
    else:
        put(client.id)


async def _new_client(  # noqa: PLR0913 - the options
    opened: System,
    *,
    name: str,
    redirect_uris: tuple[str, ...],
    scopes: str,
    jwks: Path | None,
    jwks_uri: str | None,
    account: str | None,
    first_party: bool,
    launch_uri: str | None,
    contact: str,
) -> Client:
    services = opened.services
    by_code = (AUTHORIZATION_CODE, REFRESH_TOKEN) if redirect_uris else ()
    proves = ClientAuthentication.PRIVATE_KEY_JWT if jwks or jwks_uri else ClientAuthentication.NONE
    return Client(
        id=services.apps.clients.new_id(),
        name=name,
        authentication=proves,
        created_ms=services.apps.clients.now(),
        state=ClientState.APPROVED,
        grant_types=(*by_code, CLIENT_CREDENTIALS) if account else by_code,
        redirect_uris=redirect_uris,
        scopes=scopes,
        keys=_keys(jwks) if jwks else None,
        keys_uri=jwks_uri,
        first_party=first_party,
        launch_uri=launch_uri,
        account=(await _account(opened, account)).id.hex() if account else None,
        contact=contact,
    )


def _keys(path: Path) -> str:
    """The JWK Set in a file: each key of it public, and good enough to be trusted."""
    with path.open("rb") as file:
        content = file.read(_LARGEST_KEYS + 1)
    try:
        text = content.decode("ascii")
        usable = len(read_key_set(text))
    except UnicodeDecodeError:
        fail(f"{path} is no JWK Set: it must be plain ASCII.")
    except KeyRefused as refused:
        fail(f"{path} cannot be used as a JWK Set: {refused}.")
    if usable != len(orjson.loads(text)["keys"]):
        fail(f"{path} cannot be used: one of its keys is private, too weak, or has no kid of its own.")
    return text


async def _account(opened: System, login: str) -> Account:
    account = await opened.services.accounts.find(login)
    if account is None or account.kind is not Kind.APP:
        fail("There is no account of kind app with this login. `carekeep user add … --kind app` makes one.")
    return account


@app.command()
@click.argument("client_id")
@click.option("--account", help="For an app that acts for itself: the login of the account as which it acts.")
@click.pass_obj
def approve(home: Path, client_id: str, account: str | None) -> None:
    """Let an app that registered itself ask for tokens.

    \b
    Example: carekeep app approve 7f3e… --account registry
    """

    async def work(opened: System) -> None:
        client = await _client(opened, client_id)
        acts_as = await _account(opened, account) if account else None
        changed = prepare_approve(opened.services.apps.clients, client, acts_as)
        reason = f"app {client.id} was approved{f', as account {acts_as.id.hex()}' if acts_as else ''}"
        await record_operation(opened.services, Action.CLIENT_MANAGE, reason, changed)

    _done(home, work)
    put("The app is approved.")


@app.command()
@click.argument("client_id")
@click.option(
    "--jwks",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="The file with all its public keys from now on (a JWK Set).",
)
@click.pass_obj
def keys(home: Path, client_id: str, jwks: Path) -> None:
    """Put other keys in the place of those that an app was registered with. Good at its next request.

    To change keys without a gap: register the old one and the new one together, let the app change over, then register
    the new one alone. An app that keeps its keys at a URL changes them there.

    \b
    Example: carekeep app keys 7f3e… --jwks keys.json
    """

    async def work(opened: System) -> None:
        client = await _client(opened, client_id)
        if client.keys is None:
            fail("This app was not registered with keys of its own, so there are none to change.")
        changed = opened.services.apps.clients.prepare_change(replace(client, keys=_keys(jwks)))
        await record_operation(opened.services, Action.CLIENT_MANAGE, f"app {client.id} has other keys", changed)

    _done(home, work)
    put("The app has these keys now.")


@app.command()
@click.argument("client_id")
@click.pass_obj
def disable(home: Path, client_id: str) -> None:
    """Take all from an app: it gets no tokens any more, and those that it has end within a second.

    \b
    Example: carekeep app disable 7f3e…
    """

    async def work(opened: System) -> int:
        services = opened.services
        client = await _client(opened, client_id)
        changed = services.apps.clients.prepare_change(replace(client, state=ClientState.DISABLED))
        await record_operation(services, Action.CLIENT_MANAGE, f"app {client.id} was disabled", changed)
        total = 0
        while True:  # 1,000 at a time
            ended = await prepare_end_client(services.apps.grants, services.tokens, client.id)
            reason = f"{ended.value} grants of app {client.id} ended"
            await record_operation(services, Action.CLIENT_MANAGE, reason, ended)
            if not ended.value:
                return total
            total += ended.value

    put(f"The app is disabled; {_done(home, work)} grants ended.")


async def _client(opened: System, text: str) -> Client:
    """The app with an id, or with the beginning of one that no other has."""
    found = [each async for each in opened.services.apps.clients.all() if each.id.startswith(text.rstrip("…"))]
    if len(found) != 1:
        fail(f"{'No app has' if not found else 'Several apps have'} this id. `carekeep app list` shows them.")
    return found[0]


def _done(home: Path, work: Callable[[System], Awaitable[Any]]) -> Any:
    try:
        return with_system(home, work)
    except IdentityError as error:
        fail(str(error))
    except Conflict:
        fail("Somebody else changed it at this moment. Nothing was done; try again.")
