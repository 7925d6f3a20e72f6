"""``carekeep device``: the device's own commands (enrol, report), and those of the machine that keeps the records."""

import datetime
import platform
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from carekeep.access import Action
from carekeep.app import System
from carekeep.cli.console import fail, json_option, put, put_json, put_table, talk
from carekeep.cli.device_agent import Enrolment, new_enrolment, send, with_id
from carekeep.cli.device_posture import posture_here
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.identity import IdentityError
from carekeep.identity.device_rows import Device
from carekeep.identity.leaving import joined
from carekeep.storage import Conflict, Prepared

_key_file = click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("~/.config/carekeep/device.json"),
    show_default=True,
    help="Where the device keeps its key.",
)


@click.group()
def device() -> None:
    """Devices: enrol, report; list, enrol-code, lost, retire, manage."""


@device.command()
@click.option("--server", required=True, help="https://… of the records.")
@click.option("--code", required=True, help="The code that an administrator made; good once, for a day.")
@click.option("--name", help="What people call this device; its host name by default.")
@click.option("--ca", type=click.Path(dir_okay=False, exists=True, resolve_path=True), help="An own authority (PEM).")
@_key_file
def enrol(server: str, code: str, name: str | None, ca: str | None, key_file: Path) -> None:
    """Give this machine a key of its own, and make it known.

    \b
    Example: carekeep device enrol --server https://records.example.org --code ckd_…
    """
    path = key_file.expanduser()
    if path.exists():
        fail(f"{path} is there: this device is enrolled. To enrol it anew, move that file away.")

    enrolment = new_enrolment(server, ca)
    facts = {"code": code, "name": name or platform.node() or "device", "platform": platform.system().lower()}
    answer = send(enrolment, "/devices/enrol", facts)
    with_id(enrolment, answer).write(path)
    put(f"This device is enrolled as {answer['id']}; its key is in {path}.")


@device.command()
@click.option("--dry-run", is_flag=True, help="Show what would be sent, and send nothing.")
@json_option
@_key_file
def report(dry_run: bool, as_json: bool, key_file: Path) -> None:
    """Tell the server how this device is. To be run every hour, by cron or a systemd timer; ends with 1 if it fails.

    \b
    Example: carekeep device report --dry-run
    """
    posture = posture_here().facts()
    if dry_run:
        put_json(posture)
        return
    enrolment = Enrolment.read(key_file.expanduser())
    answer = send(enrolment, f"/devices/{enrolment.id}/report", posture)
    if as_json:
        put_json(answer)
    for sentence in answer["failing"] if not as_json else ():
        put(sentence)
    if answer["failing"]:
        sys.exit(1)
    if not as_json:
        put("This device is healthy.")


@device.command("list")
@json_option
@click.pass_obj
def list_devices(home: Path, as_json: bool) -> None:
    """List all devices.

    \b
    Example: carekeep device list --json
    """

    async def work(opened: System) -> list[Device]:
        return [each async for each in opened.services.devices.all()]

    found = sorted(with_system(home, work), key=lambda each: each.enrolled_ms)
    if as_json:
        put_json([_facts(each) for each in found])
        return
    rows = [tuple(str(fact) for fact in _facts(each).values()) for each in found]
    put_table(("id", "account", "name", "platform", "serial", "state", "managed", "reported", "fails"), rows)


def _facts(each: Device) -> dict[str, Any]:
    reported = datetime.datetime.fromtimestamp(each.reported_ms / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M")
    return {
        "id": each.id.hex(),
        "account": each.account.hex(),
        "name": each.name,
        "platform": each.platform,
        "serial": each.serial,
        "state": each.state.value,
        "managed": each.managed,
        "reported": reported if each.reported_ms else "never",
        "fails": " ".join(each.failing),
    }


@device.command("enrol-code")
@click.argument("login")
@json_option
@click.pass_obj
def enrol_code(home: Path, login: str, as_json: bool) -> None:
    """Make a code by which one device is enrolled for the account LOGIN. It is shown once, and good once, for a day.

    \b
    Example: carekeep device enrol-code mwong
    """

    async def work(opened: System) -> tuple[str, int]:
        account = await opened.services.accounts.find(login)
        if account is None:
            fail("There is no account with this login. `carekeep user list` shows them.")
        issued = await opened.services.invitations.prepare_device_code(account, "operator")
        reason = f"a code for a device of account {account.id.hex()} was made"
        await record_operation(opened.services, Action.DEVICE_MANAGE, reason, issued)
        return issued.value.secret.reveal_text(), issued.value.invitation.expires_ms

    code, expires_ms = _done(home, work)
    if as_json:
        put_json({"code": code, "expires_ms": expires_ms})
        return
    talk.print("On the device: carekeep device enrol --server … --code …")
    put(code)


@device.command()
@click.argument("id_", metavar="ID")
@click.pass_obj
def lost(home: Path, id_: str) -> None:
    """Cut a lost device off: all that its owner has signed in ends, in every worker within a second.

    \b
    Example: carekeep device lost 5d2c…
    """

    async def prepare(opened: System, each: Device) -> Prepared[Any]:
        owner = await opened.services.accounts.get(each.account)
        if owner is None:
            fail("The owner's account does not exist.")
        return await opened.services.leaving.prepare_lost(each, owner)

    _change(home, id_, "lost", prepare)
    put("The device is lost: its key is good for nothing any more, and its owner's sessions are over.")


@device.command()
@click.argument("id_", metavar="ID")
@click.pass_obj
def retire(home: Path, id_: str) -> None:
    """Take a device out of use. Sessions on it end, and no others.

    \b
    Example: carekeep device retire 5d2c…
    """

    async def prepare(opened: System, each: Device) -> Prepared[Any]:
        return await opened.services.leaving.prepare_retired(each)

    _change(home, id_, "retired", prepare)
    put("The device is retired.")


@device.command()
@click.argument("id_", metavar="ID")
@click.option("--off", is_flag=True, help="The organization does not manage it any more.")
@click.option("--serial", help="By which number device management (MDM) knows it.")
@click.pass_obj
def manage(home: Path, id_: str, off: bool, serial: str | None) -> None:
    """Say that the organization manages a device. No device can say it of itself.

    \b
    Example: carekeep device manage 5d2c… --serial C02XG0FDH7JY
    """

    async def prepare(opened: System, each: Device) -> Prepared[Any]:
        return opened.services.devices.prepare_manage(each, managed=not off, serial=serial)

    _change(home, id_, "not managed" if off else "managed", prepare)
    put("The device is not managed any more." if off else "The device is managed.")


def _change(home: Path, text: str, state: str, prepare: Callable[[System, Device], Awaitable[Prepared[Any]]]) -> None:
    async def work(opened: System) -> None:
        each = await _device(opened, text)
        changed = await prepare(opened, each)
        notice = await opened.services.notices.prepare_add(
            each.account, "device.changed", {"device": each.name, "state": state}
        )
        reason = f"device {each.id.hex()} is {state}"
        await record_operation(opened.services, Action.DEVICE_MANAGE, reason, joined(None, changed, notice))

    _done(home, work)


async def _device(opened: System, text: str) -> Device:
    """The device with an id, or with the beginning of one that no other has."""
    found = [each async for each in opened.services.devices.all() if each.id.hex().startswith(text.rstrip("…"))]
    if len(found) != 1:
        fail(f"{'No device has' if not found else 'Several devices have'} this id. `carekeep device list` shows them.")
    return found[0]


def _done(home: Path, work: Callable[[System], Awaitable[Any]]) -> Any:
    try:
        return with_system(home, work)
    except IdentityError as error:
        fail(str(error))
    except Conflict:
        fail("Somebody else changed it at this moment. Nothing was done; try again.")
