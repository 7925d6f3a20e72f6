"""``carekeep labels``: show the rules, check a file of rules, label anew what is stored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from carekeep.access import Purpose
from carekeep.access.labelling import Rules, RulesRefused
from carekeep.app import System
from carekeep.audit import What
from carekeep.cli.console import fail, json_option, meter, put, put_json, put_table
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.records import Stored
from carekeep.storage import Prepared
from carekeep.web.label_rules import label_rules
from carekeep.web.relabelling import Relabelled, relabel

ACTION = "labels:apply"
_ALL = "SELECT count(*) FROM record"


@click.group()
def labels() -> None:
    """Security labels of sensitive records: show, check, apply."""


@labels.command()
@json_option
@click.pass_obj
def show(home: Path, as_json: bool) -> None:
    """The rules in force: which codes make a record sensitive, with which label, and who says so.

    \b
    Example: carekeep labels show
    """
    _show(label_rules(home), as_json)


@labels.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def check(file: Path, as_json: bool) -> None:
    """Check a FILE of rules and show it. Put it into the installation's folder as labels.toml to use it.

    \b
    Example: carekeep labels check labels.toml
    """
    try:
        rules = Rules.read(file.read_text("utf-8"))
    except (RulesRefused, UnicodeDecodeError) as refused:
        click.echo(f"{file}: {refused}", err=True)
        raise SystemExit(1) from None
    _show(rules, as_json)


@labels.command()
@click.option("--dry-run", is_flag=True, help="Count what would get other labels, and change nothing.")
@json_option
@click.pass_obj
def apply(home: Path, dry_run: bool, as_json: bool) -> None:
    """Label anew what is stored. Run it after the rules changed, and restart the server before it.

    Every record that gets other labels gets a next version, with its ledger entry. The server may run meanwhile.
    Interrupted, it goes on where it was when it is run again.

    \b
    Example: carekeep labels apply --dry-run
    """

    async def work(system: System) -> Relabelled:
        row = await system.database.fetch_one(_ALL)
        done = Relabelled(0, 0, 0)
        with meter("Labelling (records)", row[0] if row else None) as bar:
            async for done in relabel(system.services, None if dry_run else _committer(system)):
                bar.reach(done.looked_at)
        while await system.sequencer.integrate():
            pass
        return done

    done = with_system(home, work)
    if as_json:
        put_json({"looked_at": done.looked_at, "changed": done.changed, "unreadable": done.unreadable})
    else:
        verb = "would get" if dry_run else "got"
        put(f"{done.looked_at:,} records looked at; {done.changed:,} {verb} other labels.")
    if done.unreadable:
        fail(f"{done.unreadable:,} records do not open. Run `carekeep ledger verify`.")


def _committer(system: System) -> Any:
    digest = system.services.labelling.rules.digest

    async def commit(stored: Sequence[Stored], prepared: Sequence[Prepared[Any]]) -> None:
        await record_operation(
            system.services,
            ACTION,
            f"labelled anew by rules {digest[:16]}",
            *prepared,
            what=[What(each.reference, each.version) for each in stored],
            patients=dict.fromkeys(patient for each in stored for patient in each.patients),
            purpose=Purpose.RECORDMGT,
        )

    return commit


def _show(rules: Rules, as_json: bool) -> None:
    if as_json:
        told = [
            {
                "category": rule.category,
                "label": rule.sensitivity,
                "system": rule.system,
                "codes": rule.codes,
                "begins": rule.begins,
                "source": rule.source,
            }
            for rule in rules.rules
        ]
        put_json({"version": rules.version, "digest": rules.digest, "rules": told})
        return
    rows: list[tuple[str, ...]] = [
        (rule.category, rule.sensitivity, rule.system, " ".join((*rule.codes, *(f"{code}…" for code in rule.begins))))
        for rule in rules.rules
    ]
    put_table(("category", "label", "system", "codes"), rows)
    put(f"version {rules.version}, digest {rules.digest[:16]}; --json says the source of each.")
