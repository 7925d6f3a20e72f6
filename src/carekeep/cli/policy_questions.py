"""``carekeep policy`` test, explain, diff, and the report of a trial: questions that change no policy."""

import dataclasses
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from carekeep.access import Action, Decider, PolicyRefused, Purpose
from carekeep.access.bundles import (
    BundleRefused,
    PolicyKeeper,
    Replay,
    Result,
    entries_since,
    read_bundle,
    read_cases,
    run,
)
from carekeep.access.bundles.cases import CaseRefused
from carekeep.access.explaining import Answer, answers_for
from carekeep.app import System
from carekeep.cli.console import fail, json_option, meter, put, put_json, put_table
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.records import Forgotten, NotFound
from carekeep.web.passage import target_of

_DAY_MS = 86_400_000
_MOST_EXAMPLES = 5
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.argument("folder", type=_FOLDER)
@json_option
def test(folder: Path, as_json: bool) -> None:
    """Check the policies in FOLDER, and run the cases beside them (*.cases.toml). Needs no installation.

    Ends with exit code 1 when a case fails.

    \b
    Example: carekeep policy test ward-rules/
    """
    try:
        bundle = read_bundle(folder)
        rules = PolicyKeeper.check(Decider.load(), replace(bundle, cases=()))
        results = list(run(read_cases(bundle.cases), rules))
    except (BundleRefused, PolicyRefused, CaseRefused) as refused:
        fail(str(refused))
    failed = [result for result in results if not result.passed]
    if as_json:
        put_json({"passed": not failed, "cases": [_facts(result) for result in results]})
    else:
        put_table(("", "case", "answer", "by"), [_line(result) for result in results])
        put(f"{len(results) - len(failed)} of {len(results)} cases as expected.")
    if failed:
        raise SystemExit(1)


def _line(result: Result) -> tuple[str, ...]:
    expected = "" if result.passed else f" (expected {result.case.expect} by {', '.join(result.case.by) or 'any'})"
    return (
        "ok" if result.passed else "FAILED",
        result.case.title,
        f"{result.answer}{expected}",
        ", ".join(result.by) or "no policy",
    )


def _facts(result: Result) -> dict[str, Any]:
    seen = result.seen
    return {
        "title": result.case.title,
        "place": result.case.place,
        "passed": result.passed,
        "expected": result.case.expect,
        "answer": result.answer,
        "by": result.by,
        "request": {"who": seen.kind, "action": seen.action, "type": seen.type, "purpose": seen.purpose},
        "stands_for": len(result.case.requests),
    }


@click.command()
@click.option("--patient", help="A patient's id: the question is about the Patient record.")
@click.option("--record", help="A record, as Type/id.")
@click.option("--who", "login", help="Only this account; all that have a relation to the patient by default.")
@click.option(
    "--purpose", type=click.Choice([each.value for each in Purpose]), help="What each usually says, by default."
)
@json_option
@click.pass_obj
def explain(
    home: Path, patient: str | None, record: str | None, login: str | None, purpose: str | None, as_json: bool
) -> None:
    """Tell who may do what to a record now, and by which policy, as a real request would be answered.

    Taken is a sign-in of this moment with a second factor, from inside, on a device that nobody knows. The looking is
    an entry in the ledger.

    \b
    Example: carekeep policy explain --record Observation/5d2c… --who drmeier
    """
    reference = record or (f"Patient/{patient}" if patient else None)
    if reference is None or (patient and record):
        raise click.UsageError("Name --patient or --record.")

    async def work(system: System) -> list[Answer]:
        services = system.services
        type_, _, id_ = reference.partition("/")
        try:
            stored = await services.vault.read(type_, id_)
        except (NotFound, Forgotten):
            fail("There is no such record.")
        reason = f"the operator asked who may do what to {reference}"
        await record_operation(services, Action.POLICY_READ, reason, patients=stored.patients, purpose=Purpose.HCOMPL)
        return [
            each
            async for each in answers_for(
                services.guard,
                services.accounts,
                target_of(stored),
                Purpose(purpose) if purpose else None,
                login,
                services.clock(),
            )
        ]

    found = with_system(home, work)
    if login and not found:
        fail(f"There is no account {login}.")
    if as_json:
        put_json([dataclasses.asdict(each) for each in found])
        return
    rows: list[tuple[str, ...]] = [
        (each.login, each.kind, each.action, each.purpose, each.answer, ", ".join(each.policies), each.reason)
        for each in found
    ]
    put_table(("login", "kind", "action", "purpose", "answer", "by", "why"), rows)


@click.command()
@click.argument("folder", type=_FOLDER)
@click.option("--days", type=click.IntRange(1, 3660), default=7, show_default=True, help="How far back.")
@json_option
@click.pass_obj
def diff(home: Path, folder: Path, days: int, as_json: bool) -> None:
    """Tell which real decisions of the last days would have been others by the policies in FOLDER.

    Ends with exit code 1 when there are any.

    \b
    Example: carekeep policy diff ward-rules/ --days 30
    """

    async def work(system: System) -> Replay:
        services = system.services
        keeper = services.policies
        try:
            new = PolicyKeeper.check(keeper.decider, read_bundle(folder))
        except (BundleRefused, PolicyRefused) as refused:
            fail(str(refused))
        reason = f"decisions of {days} days were compared with the policies in {folder.name}"
        await record_operation(services, Action.POLICY_READ, reason, purpose=Purpose.HCOMPL)
        replay = Replay(keeper.decider.rules, new)
        with meter("decisions") as bar:
            async for found in entries_since(services.ledger, services.clock() - days * _DAY_MS):
                replay.add_entries((found,))
                bar.advance()
        return replay

    replay = with_system(home, work)
    groups = replay.differences
    if as_json:
        put_json(
            {
                "entries": replay.entries,
                "same": replay.same,
                "changed": replay.changed,
                "unreadable": replay.unreadable,
                "differences": [{**dataclasses.asdict(each), "accounts": len(each.accounts)} for each in groups],
            }
        )
    else:
        rows: list[tuple[str, ...]] = [
            (f"{each.count:,}", f"{len(each.accounts):,}", each.kind, each.action, each.type, each.purpose, each.was,
             each.now, " ".join(each.examples))
            for each in groups
        ]  # fmt: skip
        put_table(("decisions", "accounts", "who", "action", "type", "purpose", "was", "would be", "entries"), rows)
        put(
            f"{replay.changed:,} decisions would change, {replay.same:,} would not; {replay.unreadable:,} in "
            f"{replay.entries:,} entries cannot be replayed."
        )
    if groups:
        raise SystemExit(1)


def report_trial(home: Path, days: int, *, as_json: bool) -> None:
    """What the policies on trial would have answered otherwise, by the entries of the last days."""

    async def work(system: System) -> tuple[int, Counter[tuple[str, ...]], dict[tuple[str, ...], list[str]]]:
        reason = f"the trial of policies was looked at, {days} days"
        await record_operation(system.services, Action.POLICY_READ, reason, purpose=Purpose.HCOMPL)
        count, groups, examples = 0, Counter[tuple[str, ...]](), dict[tuple[str, ...], list[str]]()
        since = system.services.clock() - days * _DAY_MS
        async for entry_id, entry in entries_since(system.services.ledger, since):
            count += 1
            if entry.trial:
                key = (entry.agent.role, entry.action, entry.purpose, entry.outcome, entry.trial)
                groups[key] += 1
                if len(found := examples.setdefault(key, [])) < _MOST_EXAMPLES:
                    found.append(entry_id)
        return count, groups, examples

    count, groups, examples = with_system(home, work)
    names = ("who", "action", "purpose", "was", "would_be")
    if as_json:
        facts = [
            {"count": n, **dict(zip(names, key, strict=True)), "examples": examples[key]}
            for key, n in groups.most_common()
        ]
        put_json({"entries": count, "differences": facts})
        return
    rows: list[tuple[str, ...]] = [(f"{n:,}", *key, " ".join(examples[key])) for key, n in groups.most_common()]
    put_table(("entries", "who", "action", "purpose", "was", "would be", "examples"), rows)
    put(f"{sum(groups.values()):,} of {count:,} entries of {days} days would have been otherwise.")
