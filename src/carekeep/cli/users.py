"""``carekeep user``: accounts, from the machine itself. Every change is in the ledger."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import click

from carekeep.access import ADMINISTRATORS_GRANT, DEVICE_GRANT, PROVISIONING_GRANT, SYSTEM_GRANT, Action
from carekeep.app import System
from carekeep.cli.console import fail, json_option, put, put_json, put_table, talk
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.encryption import Secret
from carekeep.identity import Account, IdentityError, Kind, SignInRefused
from carekeep.identity.invitations import invitation_link
from carekeep.identity.supervising import prepare_supervisor
from carekeep.storage import Conflict

_DAY_MS = 86_400_000
_OPERATOR = "operator"
_DIRECTORIES = {"people": {PROVISIONING_GRANT}, "administrators": {PROVISIONING_GRANT, ADMINISTRATORS_GRANT}}

T = TypeVar("T")


@click.group()
def user() -> None:
    """Accounts: add, list, invite, recover, disable, enable, leave, token."""


@user.command()
@click.argument("login")
@click.option("--kind", type=click.Choice([kind.value for kind in Kind if kind is not Kind.GUEST]), required=True)
@click.option("--name", required=True, help="The name that the ledger and screens show.")
@click.option("--fhir-user", help="Who it is in the records: Practitioner/…, Patient/… or RelatedPerson/….")
@click.option(
    "--system", is_flag=True, help="For apps: may read and write all records (an interface engine, an import)."
)
@click.option("--mdm", is_flag=True, help="For apps: may report on devices (device management).")
@click.option(
    "--scim",
    type=click.Choice(list(_DIRECTORIES)),
    help="For apps: a directory that keeps the accounts of people, or those of administrators as well.",
)
@click.pass_obj
def add(
    home: Path, login: str, kind: str, name: str, fhir_user: str | None, system: bool, mdm: bool, scim: str | None
) -> None:
    """Add an account with the login LOGIN, and print the link by which the person sets up how to sign in.

    The link is shown once, and good once, for three days. Apps get tokens instead.

    \b
    Example: carekeep user add mwong --kind practitioner --name "Dr. M. Wong" --fhir-user Practitioner/123
    """
    grants = frozenset({SYSTEM_GRANT} if system else ()) | frozenset({DEVICE_GRANT} if mdm else ())
    grants |= _DIRECTORIES[scim] if scim else set()

    async def work(opened: System) -> str | None:
        services = opened.services
        made = await services.accounts.prepare_create(
            Kind(kind), name=name, login=login, fhir_user=fhir_user, grants=grants
        )
        reason = f"account {made.value.id.hex()} was added"
        if made.value.kind is Kind.APP:
            await record_operation(services, Action.ACCOUNT_MANAGE, reason, made)
            return None
        issued = await services.invitations.prepare_create(made.value, _OPERATOR)
        await record_operation(services, Action.ACCOUNT_MANAGE, f"{reason} and invited", made, issued)
        return invitation_link(services.auth_url, issued.value).reveal_text()

    link = _refusable(home, work)
    if link is None:
        put(f"Added {login}.")
        return
    talk.print(f"Added {login}. Give the person this link; it is not shown again:")
    put(link)


def _refusable(home: Path, work: Callable[[System], Awaitable[T]]) -> T:
    try:
        return with_system(home, work)
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
        "state": "left" if account.left else "disabled" if account.disabled else "active",
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
        changed = await opened.services.leaving.prepare_disable(account)
        reason = f"account {account.id.hex()} was disabled and signed out everywhere"
        await record_operation(opened.services, Action.ACCOUNT_MANAGE, reason, changed)

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
def leave(home: Path, login: str) -> None:
    """Somebody leaves for good: disabled, signed out everywhere within a second, devices retired.

    \b
    Example: carekeep user leave mwong
    """

    async def work(opened: System) -> None:
        account = await _account(opened, login)
        left = await opened.services.leaving.prepare_leaving(account)
        reason = f"account {account.id.hex()} left: disabled, its devices retired"
        await record_operation(opened.services, Action.ACCOUNT_MANAGE, reason, left)

    _refusable(home, work)
    put(f"{login} has left: disabled, all sessions over, all devices retired.")


@user.command()
@click.argument("login")
@click.pass_obj
def invite(home: Path, login: str) -> None:
    """Print a new invitation link for somebody who has no way to sign in yet. An older one is good for nothing then.

    Who has one, and lost it, is let in by two administrators: see `carekeep user recover`.

    \b
    Example: carekeep user invite mwong
    """

    async def work(opened: System) -> str:
        services = opened.services
        account = await _account(opened, login)
        issued = await services.invitations.prepare_create(account, _OPERATOR)
        await record_operation(services, Action.ACCOUNT_MANAGE, f"account {account.id.hex()} was invited", issued)
        return invitation_link(services.auth_url, issued.value).reveal_text()

    put(_refusable(home, work))


@user.command()
@click.argument("login")
@click.option("--is", "supervisor", metavar="LOGIN", help="The supervisor's login; without it there is none.")
@click.pass_obj
def supervisor(home: Path, login: str, supervisor: str | None) -> None:
    """Say who answers for a clinician's emergencies. Without a supervisor all auditors are asked.

    \b
    Example: carekeep user supervisor mwong --is chief
    """

    async def work(opened: System) -> None:
        account = await _account(opened, login)
        by = None if supervisor is None else await _account(opened, supervisor)
        changed = prepare_supervisor(opened.services.accounts, account, by)
        told = f"account {account.id.hex()} is supervised by {by.id.hex() if by else 'nobody'}"
        await record_operation(opened.services, Action.ACCOUNT_MANAGE, told, changed)

    _refusable(home, work)
    put(f"{supervisor or 'No single person'} answers for {login}.")


@user.command()
@click.argument("login")
@click.option("--as", "administrator", required=True, metavar="ADMIN", help="Your own login; an administrator's.")
@click.option("--reason", required=True, help="Why; it is shown to whoever approves.")
@click.pass_obj
def recover(home: Path, login: str, administrator: str, reason: str) -> None:
    """Open the recovery of somebody who can no longer sign in. Another administrator approves it, by the API.

    To have the passphrase is not enough: you sign in as the administrator that you are, so that one person is never
    counted as two. An installation with one administrator adds a second one first.

    \b
    Example: carekeep user recover mwong --as jdoe --reason "lost telephone, recognized in person"
    """
    password = Secret(click.prompt(f"Password of {administrator}", hide_input=True, err=True))
    code = click.prompt("One-time code (empty for none)", default="", show_default=False, err=True) or None

    async def work(opened: System) -> str:
        services = opened.services
        account = await _account(opened, login)
        try:
            signed_in = await services.sign_in.verify(administrator, password, code)
        except SignInRefused as refused:
            await record_operation(services, Action.SIGN_IN, refused.reason, outcome="denied")
            raise
        by = signed_in.value.account
        opened_one = await services.recoveries.prepare_open(account, by, reason)
        notice = await services.notices.prepare_add(account.id, "recovery.opened", {"by": by.name})
        id_ = opened_one.value.id.hex()
        told = f"recovery {id_} of account {account.id.hex()} was opened by account {by.id.hex()}: {reason}"
        await record_operation(services, Action.ACCOUNT_RECOVER, told, signed_in, opened_one, notice)
        return id_

    id_ = _refusable(home, work)
    talk.print("Another administrator approves it within 24 hours: POST /admin/recoveries/ID/approve. Its id:")
    put(id_)


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
