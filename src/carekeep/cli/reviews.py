"""``carekeep reviews``: what emergencies leave open."""

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from carekeep.access import Action
from carekeep.access.review_rows import Review, Verdict
from carekeep.access.reviews import ReviewRefused
from carekeep.app import System
from carekeep.cli.acting import Acting, as_option, ask_credentials
from carekeep.cli.console import fail, json_option, put, put_json, put_table
from carekeep.cli.installation import with_system
from carekeep.cli.operator import operator_agent, record_operation
from carekeep.identity import Account
from carekeep.storage import Conflict
from carekeep.web.reviews import brief

_VERDICTS = [verdict.value for verdict in Verdict if verdict is not Verdict.OPEN]


@click.group()
def reviews() -> None:
    """Emergencies that are to be answered for: list, show, answer, letter-sent."""


@reviews.command("list")
@click.option("--all", "everything", is_flag=True, help="Those that are finished as well.")
@json_option
@click.pass_obj
def list_reviews(home: Path, everything: bool, as_json: bool) -> None:
    """List what is open, the most urgent first: who, when, until when. No health data.

    \b
    Example: carekeep reviews list
    """

    async def work(system: System) -> list[dict[str, Any]]:
        services = system.services
        found = await services.reviews.newest() if everything else await services.reviews.open_ones()
        await record_operation(services, Action.REVIEW_READ, f"{len(found)} reviews were listed")
        names = {each.clinician: await services.accounts.get(each.clinician) for each in found}
        return [{**brief(each, services.clock()), "clinician_login": _login(names[each.clinician])} for each in found]

    shown = with_system(home, work)
    if as_json:
        put_json({"reviews": shown})
        return
    columns = ("id", "kind", "clinician", "opened", "due", "answer", "letter")
    put_table(columns, [tuple(_cells(each)) for each in shown])


def _cells(facts: Mapping[str, Any]) -> list[str]:
    due = _moment(facts["due_ms"]) + (" OVERDUE" if facts["overdue"] else "")
    opened = _moment(facts["opened_ms"])
    return [facts["id"], facts["kind"], facts["clinician_login"], opened, due, facts["verdict"], facts["letter"]]


@reviews.command()
@click.argument("review_id", metavar="ID")
@as_option
@click.pass_obj
def show(home: Path, review_id: str, login: str) -> None:
    """Show what was opened, why, and what was touched. You sign in as yourself, since this is health data.

    \b
    Example: carekeep reviews show 5d2c… --as chief
    """
    credentials = ask_credentials(login)

    async def work(system: System) -> dict[str, Any]:
        acting = await Acting.sign_in(system, credentials)
        return await acting.ask("GET", f"/reviews/{review_id}")

    put_json(with_system(home, work))


@reviews.command()
@click.argument("review_id", metavar="ID")
@as_option
@click.option("--verdict", type=click.Choice(_VERDICTS), required=True)
@click.option("--text", required=True, help="The written answer, 10 to 2000 characters.")
@click.option("--revision", type=int, required=True, help="Of the review as you saw it (`reviews show`).")
@click.pass_obj
def answer(home: Path, review_id: str, login: str, verdict: str, text: str, revision: int) -> None:
    """Answer one, as the supervisor or an auditor that you are.

    \b
    Example: carekeep reviews answer 5d2c… --as chief --revision 3 --verdict justified --text "Unconscious, alone."
    """
    credentials = ask_credentials(login)
    body = {"verdict": verdict, "text": text, "revision": revision}

    async def work(system: System) -> dict[str, Any]:
        acting = await Acting.sign_in(system, credentials)
        return await acting.ask("POST", f"/reviews/{review_id}/answer", body)

    put(f"Answered: {with_system(home, work)['verdict']}.")


@reviews.command("letter-sent")
@click.argument("review_id", metavar="ID")
@click.pass_obj
def letter_sent(home: Path, review_id: str) -> None:
    """Note that the letter to a patient without an account was sent.

    \b
    Example: carekeep reviews letter-sent 5d2c…
    """

    async def work(system: System) -> None:
        services = system.services
        review = await _review(system, review_id)
        changed = await services.reviews.prepare_letter_sent(review, operator_agent().app or "", review.revision)
        await record_operation(services, Action.REVIEW_ANSWER, f"review {review_id}: the letter was sent", changed)

    try:
        with_system(home, work)
    except ReviewRefused as refused:
        fail(str(refused))
    except Conflict:
        fail("It was changed at this moment. Nothing was done.")
    put("Noted.")


async def _review(system: System, text: str) -> Review:
    try:
        review = await system.services.reviews.get(bytes.fromhex(text))
    except ValueError:
        review = None
    if review is None:
        fail("There is no review with this id. `carekeep reviews list` shows them.")
    return review


def _login(account: Account | None) -> str:
    return account.login if account else "(gone)"


def _moment(ms: int) -> str:
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
