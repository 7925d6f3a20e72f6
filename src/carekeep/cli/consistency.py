"""``carekeep ledger consistency``: that the log only grew from one size to another."""

from base64 import b64encode
from pathlib import Path

import click

from carekeep.app import System
from carekeep.audit import NotInLog, prove_consistency
from carekeep.cli.console import fail, put_json
from carekeep.cli.installation import with_system

_SIZE = click.IntRange(1, 2**53 - 1)


@click.command("consistency")
@click.argument("old", type=_SIZE)
@click.argument("new", type=_SIZE)
@click.pass_obj
def prove_consistency_of(home: Path, old: int, new: int) -> None:
    """Print the proof that the first NEW entries of the log begin with the first OLD, as JSON (RFC 6962, 4.4).

    It convinces who has signed checkpoints of both sizes; anyone gets the same from /ledger/consistency.

    \b
    Example: carekeep ledger consistency 1000 2000 > proof.json
             python3 carekeep_verify.py consistency --key "$(carekeep ledger key)" old new proof.json
    """

    async def work(system: System) -> tuple[bytes, ...]:
        return await prove_consistency(system.database, old, new)

    try:
        path = with_system(home, work)
    except NotInLog as error:
        fail(str(error))
    put_json({"from": old, "to": new, "consistency": [b64encode(each).decode() for each in path]})
