"""``carekeep keys``: status, rotate, destroy."""

from pathlib import Path

import click

from carekeep.access import Action
from carekeep.app import System
from carekeep.cli.console import fail, json_option, meter, put, put_json
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.encryption import KeyDestroyed, KeyUnknown
from carekeep.records.holding import Held
from carekeep.storage import Conflict

_COUNTS = "SELECT count(*), count(wrapped), count(DISTINCT epoch) FROM patient_key"


@click.group()
def keys() -> None:
    """The keys: look at them, rotate them, destroy one patient's."""


@keys.command()
@json_option
@click.pass_obj
def status(home: Path, as_json: bool) -> None:
    """How many keys there are, and of which epochs.

    \b
    Example: carekeep keys status
    """

    async def work(system: System) -> dict[str, int]:
        row = await system.database.fetch_one(_COUNTS)
        total, living, epochs = row or (0, 0, 0)
        return {"patient_keys": living, "destroyed": total - living, "epochs_in_use": epochs}

    facts = with_system(home, work)
    if as_json:
        put_json(facts)
        return
    for name, value in facts.items():
        put(f"{name.replace('_', ' ')}: {value:,}")


@keys.command()
@click.pass_obj
def rotate(home: Path) -> None:
    """Make a new root key and a new epoch, and wrap every key anew. The server may run meanwhile.

    Interrupted, it goes on where it was when it is run again. Old copies of the key table become useless once it is
    done, and with them what they could still open of forgotten patients.

    \b
    Example: carekeep keys rotate
    """

    async def work(system: System) -> int:
        done = 0
        with meter("Rotating keys") as bar:
            async for batch in system.keyring.rotate():
                try:
                    await record_operation(system.services, Action.KEY_MANAGE, "keys were rotated", batch)
                except Conflict:
                    continue  # a key changed meanwhile; the next pass over the table comes back to it
                done = batch.value.done
                bar.reach(done)
        return done

    put(f"{with_system(home, work):,} patient keys are wrapped anew; the old root key and epoch are destroyed.")


@keys.command()
@click.argument("patient")
@click.option("--reason", required=True, help="Why, in words; it stays in the ledger.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def destroy(home: Path, patient: str, reason: str, dry_run: bool, yes: bool) -> None:
    """Destroy the key of PATIENT (an id): everything of this patient becomes unreadable, for good and for everybody.

    Two administrators do it by `carekeep disposal propose --erasure` and `approve`; this is for who runs the machine,
    who could destroy every key with the key file. A legal hold stops both. Reads answer 410 from then on. Backups can
    still open the patient's records until their epoch ends: run `carekeep keys rotate` to end it now.

    \b
    Example: carekeep keys destroy 5d2c9a… --reason "request under GDPR Art. 17 of 2026-11-20"
    """

    async def count(system: System) -> int:
        scope = system.keyring.scope_of(patient)
        await system.keyring.scope(scope)
        row = await system.database.fetch_one("SELECT count(*) FROM record WHERE scope = $1", (scope,))
        return int(row[0]) if row else 0

    async def work(system: System) -> None:
        forget = await system.services.vault.prepare_forget(patient)
        await record_operation(system.services, Action.KEY_DESTROY, reason, forget, patients=(patient,))

    try:
        records = with_system(home, count)
        put(f"This makes {records:,} records of patient {patient} unreadable for good. Nobody can undo it.")
        if dry_run:
            return
        if not yes and click.prompt("Type the patient's id to go on", err=True) != patient:
            fail("That is another id; nothing was done.")
        with_system(home, work)
    except KeyUnknown:
        fail("Nothing was ever stored for this patient.")
    except KeyDestroyed:
        fail("This patient was forgotten before.")
    except Held as held:
        fail(f"{held} `carekeep disposal holds` shows why.")
    put("The patient is forgotten.")
