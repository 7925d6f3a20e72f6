"""``carekeep policy``: what is in force, and how other policies come to be. Trying them first: ``policy_trials``."""

import datetime
import os
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import click
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from carekeep.access import Action, Decider, PolicyRefused
from carekeep.access.bundles import (
    Bundle,
    BundleRefused,
    PolicyKeeper,
    PolicyRow,
    Role,
    open_signed,
    read_bundle,
    sign_bundle,
)
from carekeep.access.bundles.bundle import LARGEST
from carekeep.app import System
from carekeep.audit import note
from carekeep.audit.note import NoteRefused, VerifierKey
from carekeep.cli.console import fail, json_option, put, put_json, put_table, talk
from carekeep.cli.installation import with_system
from carekeep.cli.operator import operator_agent, record_operation
from carekeep.cli.policy_questions import diff, explain, report_trial, test
from carekeep.storage import Conflict, Prepared

_LARGEST_KEY = 16 * 1024
_PATH = click.Path(path_type=Path, exists=True)


@click.group()
def policy() -> None:
    """The policies: test, sign, load, list, show, rollback, explain, diff, trial."""


policy.add_command(test)
policy.add_command(diff)
policy.add_command(explain)


@policy.command("new-key")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", required=True, help="Under which name it signs, like privacy.example.org; no spaces.")
def new_key(path: Path, name: str) -> None:
    """Make a key that signs policy bundles: the private one into FILE, the public one to the standard output.

    The public one goes into the setting `policy_signers` of the installations that shall take its bundles.

    \b
    Example: carekeep policy new-key privacy.key --name privacy.example.org
    """
    if path.exists():
        fail(f"{path} is there. Move it away, or take another name.")
    private = Ed25519PrivateKey.generate()
    try:
        public = VerifierKey.of(name, private)
    except NoteRefused as refused:
        fail(f"{refused}.")
    content = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    put(str(public))
    talk.print(f"{path} is secret: keep it where only the signer reads it.")


@policy.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--key", "key_file", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True)
@click.option("--name", required=True, help="The name of the key, as `policy new-key` was told.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="FOLDER.bundle by default.")
def sign(folder: Path, key_file: Path, name: str, out: Path | None) -> None:
    """Check the policies in FOLDER and write them, signed, into one file.

    \b
    Example: carekeep policy sign ward-rules/ --key privacy.key --name privacy.example.org
    """
    try:
        bundle = read_bundle(folder)
        PolicyKeeper.check(Decider.load(), bundle)
        content = sign_bundle(bundle, partial(note.sign, name=name, private=_private(key_file)))
    except (BundleRefused, PolicyRefused) as refused:
        refuse(refused)
    path = out or folder.with_name(f"{folder.name}.bundle")
    path.write_bytes(content)
    put(f"{bundle.title} is in {path}, SHA-256 {bundle.digest.hex()}.")


@policy.command()
@click.argument("path", metavar="FOLDER-OR-BUNDLE", type=_PATH)
@click.pass_obj
def load(home: Path, path: Path) -> None:
    """Put policies in force, in every worker within a second. What is in force stays until they are checked.

    Where the setting `policy_signers` names keys, only a bundle that one of them signed is taken.

    \b
    Example: carekeep policy load ward-rules.bundle
    """
    row = with_system(home, lambda system: _put(system, path, Role.IN_FORCE))
    put(f"{row.title} is in force (number {row.number}).")


@policy.command("list")
@json_option
@click.pass_obj
def list_bundles(home: Path, as_json: bool) -> None:
    """List what was in force and on trial, the newest first.

    \b
    Example: carekeep policy list --json
    """

    async def work(system: System) -> tuple[PolicyRow, ...]:
        return await system.services.policies.bundles.all()

    rows = with_system(home, work)
    if as_json:
        put_json([facts_of(row) for row in rows])
        return
    if not rows:
        put("In force are the policies that come with Carekeep; no bundle was ever loaded.")
    lines = [tuple(str(fact) for fact in facts_of(row).values()) for row in rows]
    put_table(("number", "role", "bundle", "packs", "since", "by", "how", "signed by"), lines)


@policy.command()
@click.option("--text", is_flag=True, help="The policies themselves, as Cedar has them.")
@json_option
@click.pass_obj
def show(home: Path, text: bool, as_json: bool) -> None:
    """Show the policies in force: what each permits or forbids, why, and by which law.

    \b
    Example: carekeep policy show
    """

    async def work(system: System) -> tuple[str, Any]:
        return system.services.policies.problem, system.services.policies.decider.policies

    problem, policies = with_system(home, work)
    if problem:
        talk.print(f"The bundle in the database cannot be used: {problem}")
    if as_json:
        names = ("id", "title", "reason", "law", "permits", "file", "line")
        put_json([{name: getattr(each, name) for name in names} | {"text": each.text} for each in policies])
    elif text:
        put("\n\n".join(f"// {each.file}, line {each.line}\n{each.text}" for each in policies))
    else:
        rows: list[tuple[str, ...]] = [
            (each.id, "permit" if each.permits else "forbid", each.title, each.law, each.file) for each in policies
        ]
        put_table(("id", "effect", "title", "law", "file"), rows)
    if problem:
        raise SystemExit(1)


@policy.command()
@click.option("--to", "number", type=click.IntRange(1), help="A number of `policy list`; what was before, by default.")
@click.option("--built-in", is_flag=True, help="Back to the policies that come with Carekeep, without a bundle.")
@click.pass_obj
def rollback(home: Path, number: int | None, built_in: bool) -> None:
    """Put back in force what was in force before.

    \b
    Example: carekeep policy rollback
    """

    async def work(system: System) -> PolicyRow:
        bundles, by = system.services.policies.bundles, operator_agent().app or ""
        try:
            if built_in:
                return await commit(system, await bundles.prepare_built_in(by))
            return await commit(system, await bundles.prepare_rollback(by, number))
        except BundleRefused as refused:
            fail(f"{refused}.")

    row = with_system(home, work)
    put(f"In force: {row.title} (number {row.number}).")


@policy.command()
@click.argument("path", metavar="[FOLDER-OR-BUNDLE]", type=_PATH, required=False)
@click.option("--end", is_flag=True, help="End the trial.")
@click.option("--report", is_flag=True, help="What the policies on trial would have answered otherwise.")
@click.option("--days", type=click.IntRange(1, 366), default=7, show_default=True, help="How far back to report.")
@json_option
@click.pass_obj
def trial(home: Path, path: Path | None, end: bool, report: bool, days: int, as_json: bool) -> None:
    """Ask policies beside those in force, without effect: what they would answer otherwise stands in the ledger.

    \b
    Example: carekeep policy trial ward-rules/
             carekeep policy trial --report
             carekeep policy trial --end
    """
    if (path is not None) + end + report != 1:
        raise click.UsageError("Name a folder or bundle, or --end, or --report.")
    if report:
        report_trial(home, days, as_json=as_json)
        return
    if path is not None:
        chosen = path
        row = with_system(home, lambda system: _put(system, chosen, Role.ON_TRIAL))
    else:
        row = with_system(home, _end_trial)
    put(f"On trial: {row.title} (number {row.number}).")


async def _put(system: System, path: Path, role: Role) -> PolicyRow:
    """Check a bundle and give it its role. A refusal is recorded too."""
    try:
        bundle, signers = _opened(path, system.services.policy_signers)
        PolicyKeeper.check(system.services.policies.decider, bundle)
    except (BundleRefused, PolicyRefused) as refused:
        first, *others = str(refused).splitlines() or [""]
        more = f" (and {len(others)} more)" if others else ""
        reason = f"a policy bundle was refused: {first}{more}"
        await record_operation(system.services, Action.POLICY_MANAGE, reason, outcome="denied")
        refuse(refused)
    how = "loaded" if role is Role.IN_FORCE else "trial"
    bundles, by = system.services.policies.bundles, operator_agent().app or ""
    return await commit(system, await bundles.prepare_put(role, bundle, by, how, signers))


async def _end_trial(system: System) -> PolicyRow:
    bundles, by = system.services.policies.bundles, operator_agent().app or ""
    return await commit(system, await bundles.prepare_put(Role.ON_TRIAL, None, by, "trial ended"))


async def commit(system: System, prepared: Prepared[PolicyRow]) -> PolicyRow:
    """Make it so, with its entry."""
    services = system.services
    keeper = services.policies
    try:
        await record_operation(services, Action.POLICY_MANAGE, prepared.value.sentence, prepared)
    except Conflict:
        fail("Somebody else changed the policies at this moment. Look at `policy list`, and try again.")
    await keeper.refresh()
    return prepared.value


def _opened(path: Path, signers: tuple[VerifierKey, ...]) -> tuple[Bundle, tuple[str, ...]]:
    if path.is_dir():
        if signers:
            raise BundleRefused("this installation takes signed bundles only (setting policy_signers): sign it first")
        return read_bundle(path), ()
    with path.open("rb") as file:
        return open_signed(file.read(LARGEST + 1), signers)


def _private(path: Path) -> Ed25519PrivateKey:
    with path.open("rb") as file:
        content = file.read(_LARGEST_KEY)
    try:
        private = load_pem_private_key(content, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        fail(f"{path} is no Ed25519 key as `carekeep policy new-key` writes it.")
    return private


def refuse(refused: Exception) -> NoReturn:
    """Say why policies are not taken, a line for each reason, and end with exit code 1."""
    for line in str(refused).splitlines():
        click.echo(line, err=True)
    click.echo("The policies were not taken; those in force stay.", err=True)
    raise SystemExit(1)


def facts_of(row: PolicyRow) -> dict[str, Any]:
    """A row for people and machines."""
    return {
        "number": row.number,
        "role": "in force" if row.role is Role.IN_FORCE else "on trial",
        "bundle": row.title,
        "packs": ", ".join(row.bundle.packs) if row.bundle else "",
        "since": datetime.datetime.fromtimestamp(row.at_ms / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "by": row.by,
        "how": row.how,
        "signed_by": ", ".join(row.signers),
    }
