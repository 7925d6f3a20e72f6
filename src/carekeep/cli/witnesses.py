"""``carekeep ledger witnesses`` and ``split-views``: who cosigns our log, and proofs against logs."""

from dataclasses import asdict, dataclass
from pathlib import Path

import click

from carekeep.app import System
from carekeep.audit.witnessing.evidence import KeptSplitView
from carekeep.cli.console import json_option, put, put_json, put_table
from carekeep.cli.installation import with_system
from carekeep.web.health.witnesses import Situation, situation


@click.command("witnesses")
@json_option
@click.pass_obj
def show_witnesses(home: Path, as_json: bool) -> None:
    """Who cosigns this ledger, how far each is, and which checkpoint is final.

    \b
    Example: carekeep ledger witnesses
    """

    async def work(system: System) -> Situation:
        return await situation(system.services)

    found = with_system(home, work)
    if as_json:
        put_json(asdict(found))
        return
    if not found.asked:
        put("No witnesses are set: see docs/witnesses.md.")
        return
    put(f"Final (cosigned by the quorum {found.quorum}): {found.final:,} of {found.entries:,} entries.")
    rows: list[tuple[str, ...]] = [
        (each.url, f"{each.size:,}", each.fault or ("cosigns" if each.succeeded_ms else "not asked yet"))
        for each in found.witnesses
    ]
    put_table(("witness", "entries", "state"), rows)


@click.command("split-views")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Write each proof into this folder.")
@json_option
@click.pass_obj
def show_split_views(home: Path, output: Path | None, as_json: bool) -> None:
    """Proofs that a log showed two pasts. Anyone can check one: carekeep witness check FILE.

    \b
    Example: carekeep ledger split-views --output /media/usb
    """

    async def work(system: System) -> list[KeptSplitView]:
        return await system.services.witnesses.split_views.kept()

    found = with_system(home, work)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        for each in found:
            (output / f"split-view-{each.evidence.id.hex()}.txt").write_text(str(each.evidence), encoding="utf-8")
    facts = [_facts(each) for each in found]
    if as_json:
        put_json([asdict(fact) for fact in facts])
        return
    for fact in facts:
        put(f"{fact.log}: over {fact.first:,} and over {fact.second:,} entries ({fact.id})")
    if not facts:
        put("No log was found to show two pasts.")


@dataclass(frozen=True, slots=True)
class _Fact:
    """A proof in a line: the log, the sizes of its two checkpoints, when it was found, and its id."""

    log: str
    first: int
    second: int
    found_ms: int
    id: str


def _facts(kept: KeptSplitView) -> _Fact:
    first, second = kept.evidence.checkpoints
    return _Fact(kept.evidence.origin, first.size, second.size, kept.found_ms, kept.evidence.id.hex())
