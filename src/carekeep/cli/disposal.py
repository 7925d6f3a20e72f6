"""``carekeep disposal``: how long records are kept, what holds them, and how they go."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from carekeep.access import Action
from carekeep.app import System
from carekeep.cli.acting import Acting, as_option, ask_credentials
from carekeep.cli.console import fail, json_option, meter, put, put_json, put_table
from carekeep.cli.disposal_papers import certificate, check
from carekeep.cli.installation import with_system
from carekeep.cli.operator import operator_agent, record_operation
from carekeep.fhir import parse_query
from carekeep.records import Stored
from carekeep.records.disposal import DisposalRefused, Hold, Verdict
from carekeep.storage import Conflict
from carekeep.web.admin.disposals import facts

T = TypeVar("T")
Table = list[tuple[str, ...]]

_LIVING = "SELECT count(*) FROM patient_key WHERE wrapped IS NOT NULL"
_reason = click.option("--reason", required=True, help="Why, in words: 10 to 1000 characters.")


@click.group()
def disposal() -> None:
    """How long records are kept, what holds them, and how two people dispose of them."""


disposal.add_command(certificate)
disposal.add_command(check)


@disposal.command()
@json_option
@click.pass_obj
def schedules(home: Path, as_json: bool) -> None:
    """List the rules in force: what is kept, for how long, by which law.

    \b
    Example: carekeep disposal schedules
    """

    async def work(system: System) -> list[dict[str, Any]]:
        return [
            {
                "id": rule.id,
                "title": rule.title,
                "law": rule.law,
                "years": rule.years,
                "from": rule.start.value,
                "types": sorted(rule.types),
            }
            for rule in system.services.disposals.retention.rules
        ]

    rules = with_system(home, work)
    if as_json:
        put_json({"rules": rules})
        return
    rows: Table = [(each["id"], str(each["years"]), each["from"], each["title"], each["law"]) for each in rules]
    put_table(("rule", "years", "from", "what", "law"), rows)


@disposal.command()
@click.option(
    "--all", "everything", is_flag=True, help="Those that are not due as well, with the day on which they are."
)
@json_option
@click.pass_obj
def due(home: Path, everything: bool, as_json: bool) -> None:
    """List the patients whose records no rule and no hold keeps any more. Looks at every record.

    \b
    Example: carekeep disposal due
    """

    async def work(system: System) -> list[dict[str, Any]]:
        services = system.services
        row = await system.database.fetch_one(_LIVING)
        found: list[dict[str, Any]] = []
        seen = 0
        with meter("Looking at patients", int(row[0]) if row else None) as bar:
            async for patient in services.vault.search_all(parse_query("Patient", [], lenient=False), None):
                _, verdict = await services.disposals.assess(patient.id)
                is_held = await services.holds.is_held(patient.id)
                if everything or (verdict.is_due(services.disposals.today()) and not is_held):
                    found.append(_due_facts(patient, verdict, is_held=is_held))
                seen += 1
                bar.advance()
        told = f"{seen} patients were assessed for disposal, {len(found)} were listed"
        shown = [each["patient"] for each in found]
        await record_operation(services, Action.DISPOSAL_MANAGE, told, patients=shown)
        return found

    found = with_system(home, work)
    if as_json:
        put_json({"patients": found})
        return
    rows: Table = [(each["patient"], each["due"] or "", "held" if each["held"] else "", each["why"]) for each in found]
    put_table(("patient", "due", "hold", "because"), rows)


def _due_facts(patient: Stored, verdict: Verdict, *, is_held: bool) -> dict[str, Any]:
    rule = verdict.rule
    return {
        "patient": patient.id,
        "due": str(verdict.due) if verdict.due else None,
        "held": is_held,
        "rule": rule.id if rule else None,
        "why": verdict.why,
    }


@disposal.command()
@click.argument("patient")
@_reason
@click.pass_obj
def hold(home: Path, patient: str, reason: str) -> None:
    """Place a legal hold: nothing destroys the records of PATIENT (an id) before it is lifted.

    \b
    Example: carekeep disposal hold 5d2c9a… --reason "court order 17/2026 of 2026-11-02"
    """

    async def work(system: System) -> str:
        placed = await system.services.holds.prepare_place(patient, _operator(), reason)
        told = f"hold {placed.value.id.hex()} was placed"
        await record_operation(system.services, Action.DISPOSAL_MANAGE, told, placed, patients=(patient,))
        return placed.value.id.hex()

    put(_refusable(home, work))


@disposal.command()
@click.argument("hold_id", metavar="ID")
@_reason
@click.pass_obj
def lift(home: Path, hold_id: str, reason: str) -> None:
    """Lift the legal hold ID (see `carekeep disposal holds`).

    \b
    Example: carekeep disposal lift 5d2c9a… --reason "case closed on 2026-11-20"
    """

    async def work(system: System) -> None:
        found = await system.services.holds.get(_id(hold_id))
        if found is None:
            fail("There is no hold with this id. `carekeep disposal holds` shows them.")
        lifted = await system.services.holds.prepare_lift(found, _operator(), reason)
        told = f"hold {hold_id} was lifted"
        await record_operation(system.services, Action.DISPOSAL_MANAGE, told, lifted, patients=(found.patient,))

    _refusable(home, work)
    put("Lifted.")


@disposal.command()
@json_option
@click.pass_obj
def holds(home: Path, as_json: bool) -> None:
    """List the legal holds in force, with their reasons.

    \b
    Example: carekeep disposal holds
    """

    async def work(system: System) -> tuple[Hold, ...]:
        found = await system.services.holds.in_force()
        patients = dict.fromkeys(each.patient for each in found)
        told = f"{len(found)} holds were listed"
        await record_operation(system.services, Action.DISPOSAL_MANAGE, told, patients=patients)
        return found

    found = with_system(home, work)
    rows: Table = [(each.id.hex(), each.patient, each.placed_by, each.reason) for each in found]
    if as_json:
        put_json({"holds": [dict(zip(("id", "patient", "placed_by", "reason"), row, strict=True)) for row in rows]})
        return
    put_table(("id", "patient", "placed by", "reason"), rows)


@disposal.command()
@click.argument("patient")
@as_option
@_reason
@click.option("--erasure", is_flag=True, help="Not because the time is over: the patient may ask for it.")
@click.pass_obj
def propose(home: Path, patient: str, login: str, reason: str, erasure: bool) -> None:
    """Propose the disposal of PATIENT's records, as the administrator that you are. Another one approves it.

    \b
    Example: carekeep disposal propose 5d2c9a… --as jdoe --reason "on the list of due records of 2026-11-20"
    """
    body = {"patient": patient, "reason": reason, "ground": "erasure" if erasure else "schedule"}
    put(_as(home, login, "/admin/disposals", body)["id"])


@disposal.command("list")
@json_option
@click.pass_obj
def list_disposals(home: Path, as_json: bool) -> None:
    """List the newest disposals: what is proposed, and what was done.

    \b
    Example: carekeep disposal list
    """

    async def work(system: System) -> list[dict[str, Any]]:
        found = [dict(facts(each)) for each in await system.services.disposals.newest()]
        patients = [each["patient"] for each in found if each["patient"]]
        told = f"{len(found)} disposals were listed"
        await record_operation(system.services, Action.DISPOSAL_MANAGE, told, patients=patients)
        return found

    found = with_system(home, work)
    if as_json:
        put_json({"disposals": found})
        return
    rows: Table = [
        (each["id"], each["state"], each["ground"], each["patient"] or "", each["reason"] or "") for each in found
    ]
    put_table(("id", "state", "because of", "patient", "reason"), rows)


@disposal.command()
@click.argument("disposal_id", metavar="ID")
@as_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def approve(home: Path, disposal_id: str, login: str, yes: bool) -> None:
    """Approve a disposal that another administrator proposed: the records are unreadable from then on, for good.

    \b
    Example: carekeep disposal approve 0f31… --as mroe
    """
    if not yes and click.prompt("Nobody can undo it. Type the disposal's id to go on", err=True) != disposal_id:
        fail("That is another id; nothing was done.")
    _as(home, login, f"/admin/disposals/{disposal_id}/approve", {})
    put(f"Disposed of. `carekeep disposal certificate {disposal_id}` prints the certificate.")


@disposal.command()
@click.argument("disposal_id", metavar="ID")
@as_option
@click.pass_obj
def reject(home: Path, disposal_id: str, login: str) -> None:
    """Reject a disposal, or take your own proposal back.

    \b
    Example: carekeep disposal reject 0f31… --as mroe
    """
    _as(home, login, f"/admin/disposals/{disposal_id}/reject", {})
    put("Rejected.")


def _as(home: Path, login: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    credentials = ask_credentials(login)

    async def work(system: System) -> dict[str, Any]:
        return await (await Acting.sign_in(system, credentials)).ask("POST", path, body)

    return with_system(home, work)


def _refusable(home: Path, work: Callable[[System], Awaitable[T]]) -> T:
    try:
        return with_system(home, work)
    except DisposalRefused as refused:
        fail(str(refused))
    except Conflict:
        fail("It was changed at this moment. Nothing was done.")


def _operator() -> str:
    return operator_agent().app or "operator"


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
