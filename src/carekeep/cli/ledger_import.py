"""``carekeep ledger import``: what another system's log says becomes entries."""

import uuid
from dataclasses import asdict
from pathlib import Path

import click

from carekeep.access import Action
from carekeep.app import System
from carekeep.audit.foreign import FORMATS, CsvMapping, LogRefused, Report, TakeOver, read_log
from carekeep.audit.foreign.taking_over import is_source
from carekeep.cli.console import fail, json_option, meter, put, put_json
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.web.exchange.foreign_patients import patients_by

_SHOWN = 20


@click.command("import")
@click.argument("log", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--format", "format_", type=click.Choice(FORMATS), required=True, help="What the log is written in.")
@click.option("--source", required=True, help="The system's name in every entry, like old-ehr.")
@click.option(
    "--mapping",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Which column of a CSV log is what (TOML).",
)
@click.option(
    "--patient-system", default="", help="Patients are named by identifiers of this system, not by their ids."
)
@click.option("--dry-run", is_flag=True, help="Say what would be taken over and what is refused, and do nothing.")
@json_option
@click.pass_obj
def import_log(
    home: Path,
    log: Path,
    format_: str,
    source: str,
    mapping: Path | None,
    patient_system: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Take over an access log of another system. Lines that were taken over before are passed over.

    What is refused is named by its line. Exit code 1 when something was refused.

    \b
    Example: carekeep ledger import access.csv --format csv --mapping ehr.toml --source old-ehr --dry-run
    """
    if not is_source(source):
        fail("--source is one word of letters, digits, points and dashes.")

    try:
        kind = None if mapping is None else CsvMapping.read(mapping.read_text(encoding="utf-8"))
    except (LogRefused, UnicodeDecodeError) as refused:
        fail(f"{mapping}: {refused}.")

    async def work(system: System) -> Report:
        services, request_id = system.services, uuid.uuid4().hex
        resolve = patients_by(services.vault, patient_system)
        taking = TakeOver(
            services.database,
            services.ledger,
            services.keyring.index,
            services.clock,
            resolve,
            source,
            request_id,
            dry_run=dry_run,
        )
        begun = f"a log of {source} is {'looked through' if dry_run else 'taken over'} (request {request_id})"
        await record_operation(services, Action.ENTRY_IMPORT, begun)
        with log.open("rb") as file, meter("lines") as bar:
            return await taking.take(read_log(file, format_, kind), bar.reach)

    try:
        report = with_system(home, work)
    except LogRefused as refused:
        fail(f"{log}: {refused}.")
    if as_json:
        put_json(asdict(report))
    else:
        would = "would be taken over" if dry_run else "taken over"
        put(f"{report.taken:,} entries {would}, {report.seen:,} known already, {report.refused:,} lines refused.")
        if report.nameless:
            put(f"{report.nameless:,} of them are about patients who are not known here.")
        for refusal in report.refusals[:_SHOWN]:
            put(f"  line {refusal.line}: {refusal.reason}")
    if report.refused:
        raise SystemExit(1)
