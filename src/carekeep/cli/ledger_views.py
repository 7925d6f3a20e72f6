"""``carekeep ledger looks`` and ``reindex``: who looked at a patient's record, and the index by which that is found."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from carekeep.access import Action, Purpose
from carekeep.app import System
from carekeep.audit import About, EntryIndexer, Followed, Subject
from carekeep.audit.views import Directory, Look, for_patient, looks
from carekeep.cli.console import json_option, meter, put, put_json
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.storage import Prepared
from carekeep.web.fhir.auditing import Period, Told, Whose, directory_of, gather

DATE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"])


def period_of(since: datetime | None, until: datetime | None, since_ms: int = 0) -> Period:
    """The period between two moments in UTC."""
    end = None if until is None else _ms(until)
    return Period(since_ms if since is None else _ms(since), end)


async def told_of(system: System, subject: Subject, period: Period) -> tuple[Told, Directory]:
    """The entries about a patient, narrowed to the patient, and the names in them."""
    services = system.services
    whose = Whose(services.vault)

    async def show(followed: Followed) -> Followed:
        return for_patient(followed, subject.id, await whose.own(followed.entry, subject.id))

    told = await gather(services.entry_index, subject, period, show)
    return told, await directory_of(services, told.entries)


@click.command()
@click.option("--patient", required=True, help="Whose record: the id of the Patient.")
@click.option("--since", type=DATE, help="From this day or moment on (UTC).")
@click.option("--until", type=DATE, help="Before this day or moment (UTC).")
@click.option("--each", is_flag=True, help="Every access by itself, not one line for each person and day.")
@json_option
@click.pass_obj
def who_looked(
    home: Path, patient: str, since: datetime | None, until: datetime | None, each: bool, as_json: bool
) -> None:
    """Say in plain words who looked at a patient's record, and why. The asking is an entry too.

    \b
    Example: carekeep ledger looks --patient 5d2c… --since 2026-01-01
    """

    async def work(system: System) -> tuple[tuple[Look, ...], bool]:
        reason = "the operator was told who looked at a record"
        purpose = Purpose.HCOMPL
        await record_operation(system.services, Action.DISCLOSURE_READ, reason, patients=[patient], purpose=purpose)
        told, directory = await told_of(system, Subject(About.PATIENT, patient), period_of(since, until))
        return looks(told.entries, patient, directory, each_alone=each), told.cut

    found, cut = with_system(home, work)
    if as_json:
        put_json([{**asdict(look), "day": look.day, "sentence": look.sentence} for look in found])
        return
    for look in found:
        put(look.sentence)
    refused = sum(look.times for look in found if look.refused)
    put(f"{sum(look.times for look in found)} accesses, and {refused} of them were refused.")
    if cut:
        put("There are more, which are older: ask with --until.")


@click.command()
@click.pass_obj
def reindex(home: Path) -> None:
    """Make the index of the ledger's entries anew. For when `ledger verify` says that it was changed.

    \b
    Example: carekeep ledger reindex
    """

    async def work(system: System) -> int:
        services = system.services
        emptied = Prepared(None, services.entry_index.prepare_rebuild())
        reason = "the index of the entries is made anew"
        await record_operation(services, Action.LEDGER_READ, reason, emptied, purpose=Purpose.HSYSADMIN)
        indexer = EntryIndexer(system.database, services.ledger, system.keyring.index)
        with meter("entries") as bar:
            while await indexer.step():
                bar.reach(await indexer.position())
        return await indexer.position()

    put(f"{with_system(home, work)} entries are in the index.")


def _ms(moment: datetime) -> int:
    return int(moment.replace(tzinfo=UTC).timestamp() * 1000)
