"""``carekeep user``: accounts, from the machine itself. Every change is in the ledger."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import click

from carekeep.access import SYSTEM_GRANT, Action
from carekeep.app import System
from carekeep.cli.console import fail, json_option, put, put_json, put_table, talk
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.encryption import Secret, new_totp_key, totp_uri
from carekeep.identity import Account, IdentityError, Kind
from carekeep.storage import Conflict

_DAY_MS = 86_400_000
_ISSUER = "Carekeep"


@click.group()
def user() -> None:
    """Accounts: add, list, disable, enable, password, token."""


@user.command()
@click.argument("login")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind]), required=True)
@click.option("--name", required=True, help="The name that the ledger and screens show.")
@click.option("--fhir-user", help="Who it is in the records: Practitioner/… or Patient/….")
@click.option(
    "--system", is_flag=True, help="For apps: may read and write all records (an interface engine, an import)."
)
@click.option("--no-totp", is_flag=True, help="A long password alone, without one-time codes.")
@click.pass_obj
def add(home: Path, login: str, kind: str, name: str, fhir_user: str | None, system: bool, no_totp: bool) -> None:
    """Add an account with the login LOGIN. Asks for the password; apps get tokens instead.

    \b
    Example: carekeep user add mwong --kind practitioner --name "Dr. M. Wong" --fhir-user Practitioner/123
    """
    is_app = kind == Kind.APP
    password = None if is_app else _new_password()
    totp_key = None if is_app or no_totp else new_totp_key()

    async def work(opened: System) -> None:
        prepared = await opened.services.accounts.prepare_create(
            Kind(kind),
            name=name,
            login=login,
            fhir_user=fhir_user,
            grants=frozenset({SYSTEM_GRANT}) if system else frozenset(),
            password=password,
            totp_key=totp_key,
        )
        reason = f"account {prepared.value.id.hex()} was added"
        await record_operation(opened.services, Action.ACCOUNT_MANAGE, reason, prepared)

    _refusable(home, work)
    put(f"Added {login}.")
    if totp_key is not None:
        talk.print("Put this into an authenticator app now; it is not shown again:")
        put(totp_uri(totp_key, login, _ISSUER).reveal().decode())


def _new_password() -> Secret:
    return Secret(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


def _refusable(home: Path, work: Callable[[System], Awaitable[None]]) -> None:
    try:
        with_system(home, work)
    except IdentityError as error:
        fail(str(error))
    except Conflict:
        fail("There is an account with this login already, or it was changed at this moment. Nothing was done.")


@user.command("list")
@json_option
@click.pass_obj
def list_accounts(home: Path, as_json: bool) -> None:
    """List all accounts.

    \b
    Example: carekeep user list --json
    """

    async def work(opened: System) -> list[Account]:
        return [account async for account in opened.services.accounts.all()]

    accounts = sorted(with_system(home, work), key=lambda account: (account.kind, account.login))
    if as_json:
        put_json([_facts(account) for account in accounts])
        return
    columns = ("login", "kind", "name", "FHIR user", "codes", "state")
    put_table(columns, [tuple(str(fact) for fact in _facts(account).values())[1:] for account in accounts])


def _facts(account: Account) -> dict[str, str]:
    return {
        "id": account.id.hex(),
        "login": account.login,
        "kind": account.kind,
        "name": account.name,
        "fhir_user": account.fhir_user or "",
        "codes": "yes" if account.has_totp else "no",
        "state": "disabled" if account.disabled else "active",
    }


@user.command()
@click.argument("login")
@click.pass_obj
def disable(home: Path, login: str) -> None:
    """Disable an account and end all its sessions, in every worker within a second.

    \b
    Example: carekeep user disable mwong
    """

    async def work(opened: System) -> None:
        account = await _account(opened, login)
        changed = opened.services.accounts.prepare_change(replace(account, disabled=True))
        ended = await opened.services.tokens.prepare_revoke_all(account.id)
        reason = f"account {account.id.hex()} was disabled, and {ended.value} sessions ended"
        await record_operation(opened.services, Action.ACCOUNT_MANAGE, reason, changed, ended)

    _refusable(home, work)
    put(f"{login} is disabled; all its sessions are over.")


@user.command()
@click.argument("login")
@click.pass_obj
def enable(home: Path, login: str) -> None:
    """Enable a disabled account again.

    \b
    Example: carekeep user enable mwong
    """

    async def work(opened: System) -> None:
        account = await _account(opened, login)
        changed = opened.services.accounts.prepare_change(replace(account, disabled=False))
        reason = f"account {account.id.hex()} was enabled"
        await record_operation(opened.services, Action.ACCOUNT_MANAGE, reason, changed)

    _refusable(home, work)
    put(f"{login} is enabled.")


@user.command()
@click.argument("login")
@click.pass_obj
def password(home: Path, login: str) -> None:
    """Set another password, and end all sessions of the account.

    \b
    Example: carekeep user password mwong
    """
    chosen = _new_password()

    async def work(opened: System) -> None:
        account = await _account(opened, login)
        changed = await opened.services.accounts.prepare_password(account, chosen)
        ended = await opened.services.tokens.prepare_revoke_all(account.id)
        reason = f"account {account.id.hex()} got another password"
        await record_operation(opened.services, Action.ACCOUNT_MANAGE, reason, changed, ended)

    _refusable(home, work)
    put(f"{login} has another password; all its sessions are over.")


@user.command()
@click.argument("login")
@click.option("--days", default=1, show_default=True, type=click.IntRange(1, 365), help="How long it is good for.")
@click.pass_obj
def token(home: Path, login: str, days: int) -> None:
    """Issue a bearer token for an app. It is printed once and kept only as a hash.

    \b
    Example: carekeep user token interface-engine --days 90 > token
    """

    async def work(opened: System) -> str:
        account = await _account(opened, login)
        if account.kind is not Kind.APP:
            fail("People sign in for their tokens; only apps are given them.")
        issued = opened.services.tokens.prepare_issue(account, 1, days * _DAY_MS)
        reason = f"account {account.id.hex()} was given a token for {days} days"
        await record_operation(opened.services, Action.SESSION_MANAGE, reason, issued)
        return issued.value.secret.reveal().decode()

    try:
        put(with_system(home, work))
    except IdentityError as error:
        fail(str(error))


async def _account(opened: System, login: str) -> Account:
    account = await opened.services.accounts.find(login)
    if account is None:
        fail("There is no account with this login. `carekeep user list` shows them.")
    return account
