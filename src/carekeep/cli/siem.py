"""``carekeep siem``: how far each receiver of the ledger's events is, and whether it can be reached."""

from dataclasses import asdict
from pathlib import Path

import click

from carekeep.app import System
from carekeep.audit import Followed
from carekeep.audit.export import Destination, NotTaken, Standing, standing_of
from carekeep.cli.console import fail, json_option, put, put_json, put_table
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.web.exchange.siem import shipper_to
from carekeep.web.health.siem import waiting

TESTED = "audit:export:test"


@click.group()
def siem() -> None:
    """Receivers of the ledger's events ([siem.NAME] in carekeep.toml)."""


async def standings(system: System) -> list[Standing]:
    """How far each receiver is."""
    return [await standing_of(each, system.database, system.services.ledger) for each in system.settings.siem.all]


@siem.command()
@json_option
@click.pass_obj
def status(home: Path, as_json: bool) -> None:
    """How far each receiver is, and how many entries it is behind.

    \b
    Example: carekeep siem status
    """

    async def work(system: System) -> tuple[list[Standing], int]:
        return await standings(system), system.services.clock()

    found, now = with_system(home, work)
    if as_json:
        put_json([{**asdict(each), "behind": each.behind} for each in found])
        return
    if not found:
        put("No receivers are set: see docs/siem.md.")
        return
    rows: list[tuple[str, ...]] = [
        (each.name, each.url, f"{each.done:,}", f"{each.behind:,}", waiting(each, now)) for each in found
    ]
    put_table(("name", "url", "delivered", "behind", "waiting for"), rows)


@siem.command()
@click.argument("name")
@click.pass_obj
def test(home: Path, name: str) -> None:
    """Send one message to a receiver, and say whether it was taken. The message is a ledger entry that says so.

    \b
    Example: carekeep siem test soc
    """

    async def work(system: System) -> str:
        destination = system.settings.siem.named(name)
        if destination is None:
            return f"There is no [siem.{name}] in carekeep.toml."
        return await _test(system, destination)

    if problem := with_system(home, work):
        fail(problem)
    put(f"{name} took a test message.")


async def _test(system: System, destination: Destination) -> str:
    """Why it was not taken; "" if it was."""
    services = system.services
    entry_id = await record_operation(services, TESTED, f"a test message was sent to the SIEM {destination.name}")
    sealed = await services.ledger.find(entry_id)
    if sealed is None:
        return "The ledger does not have the entry of the test."
    entry, pins = services.ledger.open(sealed.leaf)
    try:
        await shipper_to(destination, services).test(Followed(None, entry_id, entry, pins))
    except NotTaken as error:
        return f"{destination.url}: {error}."
    return ""
