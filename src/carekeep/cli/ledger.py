"""``carekeep ledger``: verify, show, prove, key."""

import datetime
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from carekeep.access import Action, Purpose
from carekeep.app import System
from carekeep.audit import Entry, EntryId, NotInLog, SealedEntry, prove
from carekeep.cli.anchors import anchor_now, deploy_contract, show_anchors
from carekeep.cli.consistency import prove_consistency_of
from carekeep.cli.console import fail, json_option, meter, put, put_json, put_table
from carekeep.cli.installation import with_system
from carekeep.cli.integrity import checks
from carekeep.cli.ledger_import import import_log
from carekeep.cli.ledger_views import reindex, who_looked
from carekeep.cli.operator import record_operation
from carekeep.cli.witnesses import show_split_views, show_witnesses
from carekeep.storage import Finding

_MOST_FINDINGS = 100
_ENTRY_ID_SIZE = 16  # bytes
_LONG_ID = re.compile(r"([0-9a-f]{8})[0-9a-f-]{20,}")


class EntryIdType(click.ParamType[EntryId]):
    """An entry's id, as the header X-Ledger-Entry gives it."""

    name = "entry"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> EntryId:
        """32 hexadecimal digits."""
        try:
            entry_id = bytes.fromhex(value)
        except ValueError:
            entry_id = b""
        if len(entry_id) != _ENTRY_ID_SIZE:
            self.fail("an entry's id is 32 hexadecimal digits, as the header X-Ledger-Entry gives it.", param, ctx)
        return EntryId(entry_id)


@click.group()
def ledger() -> None:
    """The audit ledger: verify it, read it, prove an entry to others."""


ledger.add_command(who_looked, "looks")
ledger.add_command(reindex)
ledger.add_command(import_log)


ledger.add_command(show_witnesses)
ledger.add_command(show_split_views)
ledger.add_command(show_anchors)
ledger.add_command(anchor_now)
ledger.add_command(deploy_contract)
ledger.add_command(prove_consistency_of)


@ledger.command()
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A checkpoint kept elsewhere: shows whether the database was put back to an older state.",
)
@json_option
@click.pass_obj
def verify(home: Path, checkpoint: Path | None, as_json: bool) -> None:
    """Walk everything: the log, every row that it pins, records, index, keys, accounts.

    Names what is wrong, the first bad entry first, and ends with exit code 1. The checkpoint that the server keeps
    beside the database is compared too.

    \b
    Example: carekeep ledger verify --checkpoint /media/usb/checkpoint
    """

    async def work(system: System) -> list[tuple[str, list[Finding]]]:
        first, *others = _known_checkpoints(system, checkpoint)
        wanted = [*checks(system, first), *(checks(system, known)[0] for known in others)]
        return [(check.title, await _run(check.title, check.run())) for check in wanted]

    results = with_system(home, work)
    findings = [finding for _, found in results for finding in found]
    if as_json:
        put_json({"sound": not findings, "findings": [asdict(finding) for finding in findings]})
    else:
        for title, found in results:
            put(f"{'ok     ' if not found else 'WRONG  '} {title}")
            for finding in found[:_MOST_FINDINGS]:
                put(f"         {finding.where}: {finding.what}")
        put("Nobody changed the past." if not findings else f"{len(findings)} findings.")
    if findings:
        raise SystemExit(1)


def _known_checkpoints(system: System, given: Path | None) -> list[str | None]:
    paths = [path for path in (system.settings.witness_file, given) if path is not None and path.exists()]
    return [path.read_text(encoding="utf-8") for path in paths] or [None]


async def _run(title: str, steps: Any) -> list[Finding]:
    findings = []
    with meter(title) as bar:
        async for step in steps:
            if isinstance(step, Finding):
                findings.append(step)
            else:
                bar.reach(step)
    return findings


@ledger.command()
@click.argument("entry", type=EntryIdType(), required=False)
@click.option("--patient", help="Only entries about this patient (an id).")
@click.option("--last", default=20, show_default=True, type=click.IntRange(1, 100_000), help="How many, newest first.")
@json_option
@click.pass_obj
def show(home: Path, entry: EntryId | None, patient: str | None, last: int, as_json: bool) -> None:
    """Show one entry, or the newest ones. They name patients and staff: the showing is an entry too.

    \b
    Example: carekeep ledger show --patient 5d2c… --last 50
    """

    async def work(system: System) -> list[tuple[SealedEntry, Entry]]:
        about = () if patient is None else (patient,)
        reason = "entries were shown to the operator"
        await record_operation(system.services, Action.LEDGER_READ, reason, patients=about, purpose=Purpose.HCOMPL)
        if entry is not None:
            found = await system.services.ledger.find(entry)
            return [] if found is None else [(found, system.services.ledger.open(found.leaf)[0])]
        return await _newest(system, patient, last)

    found = with_system(home, work)
    if not found:
        fail("There is no such entry.")
    if as_json:
        put_json([_facts(sealed, opened) for sealed, opened in found])
        return
    put_table(
        ("index", "when", "outcome", "who", "action", "purpose", "what", "why"),
        [_line(sealed, opened) for sealed, opened in found],
    )


async def _newest(system: System, patient: str | None, last: int) -> list[tuple[SealedEntry, Entry]]:
    kept: list[tuple[SealedEntry, Entry]] = []
    sources = (system.services.ledger.entries(), system.services.ledger.waiting())
    for source in sources:
        async for sealed in source:
            opened = system.services.ledger.open(sealed.leaf)[0]
            if patient is None or patient in opened.patients:
                kept.append((sealed, opened))
                del kept[:-last]
    return kept[::-1]


def _facts(sealed: SealedEntry, opened: Entry) -> dict[str, Any]:
    return {"index": sealed.index, "entry": sealed.entry_id.hex(), **asdict(opened)}


def _line(sealed: SealedEntry, opened: Entry) -> tuple[str, ...]:
    when = datetime.datetime.fromtimestamp(opened.at_ms / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S")
    who = opened.agent.who or opened.agent.app or opened.agent.role
    shown = [what.reference if what.version is None else f"{what.reference} v{what.version}" for what in opened.what]
    more = f" and {len(shown) - 1} more" if len(shown) > 1 else ""
    index = "waiting" if sealed.index is None else str(sealed.index)
    what = (shown[0] if shown else "") + more
    return index, when, opened.outcome, _short(who), opened.action, opened.purpose, _short(what), opened.reason


def _short(text: str) -> str:
    """A line for people: of long ids the beginning; ``--json`` has them whole."""
    return _LONG_ID.sub(r"\1…", text)


@ledger.command("prove")
@click.argument("entry", type=EntryIdType())
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="The file to write; stdout by default.")
@click.pass_obj
def prove_entry(home: Path, entry: EntryId, output: Path | None) -> None:
    """Write a proof (C2SP tlog-proof) that the ledger holds an entry.

    Anyone who has the ledger's key can check it, without this installation.

    \b
    Example: carekeep ledger prove 0193a2… --output my-access.tlog-proof
             python3 carekeep_verify.py --key "$(carekeep ledger key)" my-access.tlog-proof
    """

    async def work(system: System) -> str:
        while await system.sequencer.integrate():
            pass
        return await prove(system.database, entry)

    try:
        proof = with_system(home, work)
    except NotInLog as error:
        fail(str(error))
    if output is None:
        click.echo(proof, nl=False)
    else:
        output.write_text(proof, encoding="utf-8")
        put(f"Wrote {output}.")


@ledger.command("key")
@click.option("--post-quantum", is_flag=True, help="The ML-DSA-44 key, which signs beside the other at a slower beat.")
@click.pass_obj
def public_key(home: Path, post_quantum: bool) -> None:
    """Print the ledger's public key (a C2SP signed-note verifier key). Give it to whoever shall check.

    \b
    Example: carekeep ledger key > ledger.key
    """

    async def work(system: System) -> str:
        return str(system.services.witnesses.keys[1 if post_quantum else 0])

    put(with_system(home, work))
