"""``carekeep import``: records from files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from carekeep.app import System
from carekeep.cli.console import fail, json_option, meter, put, put_json, put_table
from carekeep.cli.installation import with_system
from carekeep.cli.loading import Loader, Report, UnreadableSource, open_sources

_SHOWN_REFUSALS = 20


@click.command("import")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
@click.pass_obj
def import_records(home: Path, paths: tuple[Path, ...], as_json: bool) -> None:
    """Bring in FHIR records: Synthea Bundles, single resources, or folders of JSON and NDJSON.

    What does not validate is refused and listed; the rest is loaded. Exit code 1 when something was refused. What is
    there already, with equal content, is left alone: run an import that was interrupted again, and it goes on.

    \b
    Example: carekeep import ./synthea/output/fhir
    """
    try:
        sources = open_sources(list(paths))
    except UnreadableSource as error:
        fail(str(error))

    async def work(system: System) -> Report:
        loader = Loader(system.services, ", ".join(path.name for path in paths)[:200])
        with meter("Importing (bytes)", sum(source.size for source in sources)) as bar:
            for source in sources:
                await loader.load(source.resources(bar.advance))
        while await system.sequencer.integrate():
            pass
        return loader.report

    report = with_system(home, work)
    show_report(report, as_json)
    if report.refused:
        raise SystemExit(1)


def show_report(report: Report, as_json: bool) -> None:
    """What was loaded, and what was refused and why."""
    if as_json:
        counts = {"loaded": dict(report.loaded), "unchanged": report.unchanged, "refused": report.refused}
        put_json({**counts, "refusals": list(_facts(report))})
        return
    put_table(("type", "loaded"), [(type_, f"{count:,}") for type_, count in sorted(report.loaded.items())])
    put(f"{report.loaded.total():,} records loaded, {report.unchanged:,} unchanged, {report.refused:,} refused.")
    for refusal in report.refusals[:_SHOWN_REFUSALS]:
        issue = refusal.issues[0]
        put(f"  {refusal.where}: {issue.expression}: {issue.diagnostics}")
    if report.refused > _SHOWN_REFUSALS:
        put(f"  and {report.refused - _SHOWN_REFUSALS:,} more; --json lists the first 1,000.")


def _facts(report: Report) -> Iterator[dict[str, Any]]:
    for refusal in report.refusals:
        issues = [{"at": issue.expression, "what": issue.diagnostics} for issue in refusal.issues]
        yield {"where": refusal.where, "type": refusal.type, "issues": issues}
