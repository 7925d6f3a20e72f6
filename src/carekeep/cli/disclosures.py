"""``carekeep disclosures``: the accounting of what left the organization about one patient."""

import csv
import io
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import click

from carekeep.access import Action, Purpose
from carekeep.app import System
from carekeep.audit import About, Subject
from carekeep.audit.views import Accounting, Disclosure, account, years_before
from carekeep.cli.console import put, put_json
from carekeep.cli.installation import with_system
from carekeep.cli.ledger_views import DATE, period_of, told_of
from carekeep.cli.operator import record_operation
from carekeep.fhir import format_instant

_COLUMNS = ("first", "last", "times", "recipient", "address", "description", "purpose", "exception")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@click.command()
@click.option("--patient", required=True, help="About whom: the id of the Patient.")
@click.option("--since", type=DATE, help="From this day or moment on (UTC). [default: six years ago]")
@click.option("--until", type=DATE, help="Before this day or moment (UTC).")
@click.option("--all", "everything", is_flag=True, help="With those that the rule lets an accounting leave out.")
@click.option("--format", "shape", type=click.Choice(["text", "csv", "json"]), default="text", show_default=True)
@click.pass_obj
def disclosures(
    home: Path, patient: str, since: datetime | None, until: datetime | None, everything: bool, shape: str
) -> None:
    """Account for disclosures about a patient (45 CFR 164.528): when, to whom, what, and for what purpose.

    Several to the same recipient for the same purpose are one line, with the first, the last and how many. Disclosures
    for treatment, payment and operations, and to the patient, are counted but not listed, as the rule has it.

    \b
    Example: carekeep disclosures --patient 5d2c… --since 2024-01-01 --format csv > accounting.csv
    """

    async def work(system: System) -> Accounting:
        services, reason = system.services, "the operator accounted for disclosures"
        purpose = Purpose.HCOMPL
        await record_operation(services, Action.DISCLOSURE_READ, reason, patients=[patient], purpose=purpose)
        period = period_of(since, until, years_before(services.clock()))
        told, directory = await told_of(system, Subject(About.DISCLOSURE, patient), period)
        return account(told.entries, directory, everything=everything)

    found = with_system(home, work)
    if shape == "json":
        left_out = [{"exception": exception, "times": times} for exception, times in found.left_out]
        put_json({"disclosures": [asdict(each) for each in found.disclosures], "left_out": left_out})
    elif shape == "csv":
        put(as_csv(found))
    else:
        _put_text(found)


def as_csv(found: Accounting) -> str:
    """The disclosures as RFC 4180 has it, with a line of names first."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    writer.writerows([[_cell(value) for value in _row(each)] for each in found.disclosures])
    return text.getvalue().rstrip("\r\n")


def _row(each: Disclosure) -> tuple[str, ...]:
    first, last = format_instant(each.first_ms), format_instant(each.last_ms)
    told = (each.recipient, each.address or "", each.description, each.purpose, each.exception)
    return (first, last, str(each.times), *told)


def _cell(text: str) -> str:
    """A recipient may have chosen their name: no spreadsheet shall take it for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _put_text(found: Accounting) -> None:
    for each in found.disclosures:
        at = f" ({each.address})" if each.address and each.address != each.recipient else ""
        put(f"{format_instant(each.first_ms)[:10]}  {each.recipient}{at}: {each.description}, {each.purpose}")
        if each.times > 1:
            put(f"            {each.times} times, the last on {format_instant(each.last_ms)[:10]}")
    put(f"{sum(each.times for each in found.disclosures)} disclosures are listed.")
    for exception, times in found.left_out:
        put(f"{times} are not listed: {exception}. Ask with --all.")
