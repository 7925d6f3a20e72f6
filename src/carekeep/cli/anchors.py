"""``carekeep ledger anchors``, ``anchor`` and ``anchor-contract``: what was anchored outside, and whether it holds."""

import datetime
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from carekeep.access import Action
from carekeep.app import System
from carekeep.audit.anchors import AnchorContradicts, Anchored, AnchoringMissing, AnchorUnreachable, EvmAnchor
from carekeep.cli.console import fail, json_option, put, put_json, put_table
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.web.exchange.chain_node import anchored_checkpoints, anchoring, evm_anchor

_NOT_SET = "The settings name no chain: see the table [anchor] in docs/settings.md."


@dataclass(frozen=True, slots=True)
class _Line:
    """An anchored checkpoint as it is shown. ``fault`` is empty where it holds; ``asked``: the chain was asked."""

    size: int
    anchored: str
    place: str
    number: int
    transaction: str
    asked: bool
    fault: str


@click.command("anchors")
@click.option("--offline", is_flag=True, help="Do not ask the chain, only compare with the log.")
@json_option
@click.pass_obj
def show_anchors(home: Path, offline: bool, as_json: bool) -> None:
    """List the anchored checkpoints, and check each against the log and the chain.

    Ends with exit code 1 if one of them does not hold.

    \b
    Example: carekeep ledger anchors
    """

    async def work(system: System) -> list[_Line]:
        anchor = None if offline else _anchor(system)
        kept = anchored_checkpoints(system.services)
        lines = []
        async for each in kept.all():
            fault = await kept.fault_of(each)
            if anchor is not None and not fault:
                fault = await _fault_on_chain(anchor, system, each)
            lines.append(_line(each, fault, asked=anchor is not None))
        return lines

    lines = with_system(home, work)
    if as_json:
        put_json([asdict(line) for line in lines])
    elif not lines:
        put("Nothing was anchored.")
    else:
        columns = ("entries", "when", "number", "transaction", "holds")
        put_table(columns, [_row(line) for line in lines])
    if any(line.fault for line in lines):
        raise SystemExit(1)


async def _fault_on_chain(anchor: EvmAnchor, system: System, each: Anchored) -> str:
    try:
        await anchor.check(each.receipt, anchored_checkpoints(system.services).checkpoint(each.note))
    except (AnchorUnreachable, AnchorContradicts) as error:
        return str(error)
    return ""


def _line(each: Anchored, fault: str, *, asked: bool) -> _Line:
    when = datetime.datetime.fromtimestamp(each.anchored_ms / 1000, datetime.UTC).isoformat()
    receipt = each.receipt
    return _Line(each.size, when, receipt.place, receipt.number, receipt.transaction, asked, fault)


def _row(line: _Line) -> tuple[str, ...]:
    holds = line.fault or ("yes" if line.asked else "with the log; the chain was not asked")
    return str(line.size), line.anchored, str(line.number), line.transaction, holds


@click.command("anchor")
@click.pass_obj
def anchor_now(home: Path) -> None:
    """Anchor the newest checkpoint now, without waiting for its hour.

    \b
    Example: carekeep ledger anchor
    """

    async def work(system: System) -> bool:
        while await system.sequencer.integrate():
            pass
        try:
            task = anchoring(system.settings.anchor, system.services, now=True)
        except AnchoringMissing as error:
            fail(str(error))
        if task is None:
            fail(_NOT_SET)
        return await task.turn()

    put("Anchored." if with_system(home, work) else "Nothing was anchored: nothing is new, or the reason is above.")


@click.command("anchor-contract")
@click.pass_obj
def deploy_contract(home: Path) -> None:
    """Put the contract on the chain that the settings name, once, and print its address for them.

    \b
    Example: carekeep ledger anchor-contract
    """

    async def work(system: System) -> str:
        anchor = _anchor(system)
        if anchor is None:
            fail(_NOT_SET)
        await record_operation(system.services, Action.WITNESS_MANAGE, "a contract for anchors is put on the chain")
        try:
            return await anchor.deploy()
        except AnchorUnreachable as error:
            fail(str(error))

    put(f'contract = "{with_system(home, work)}"')


def _anchor(system: System) -> EvmAnchor | None:
    try:
        return evm_anchor(system.settings.anchor)
    except AnchoringMissing as error:
        fail(str(error))
