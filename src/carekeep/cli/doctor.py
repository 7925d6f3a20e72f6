"""``carekeep doctor``: what is wrong with this installation, in words, and what to do."""

from dataclasses import asdict
from pathlib import Path

import click

from carekeep.cli.console import json_option, put, put_json
from carekeep.cli.diagnosis import diagnose

_MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM "}


@click.command()
@json_option
@click.pass_obj
def doctor(home: Path, as_json: bool) -> None:
    """Look at this installation and say what is wrong, why it matters and how to mend it.

    Exit code 1 when there is a problem.

    \b
    Example: carekeep doctor
    """
    diagnoses = diagnose(home)
    if as_json:
        put_json([asdict(diagnosis) for diagnosis in diagnoses])
    else:
        for diagnosis in diagnoses:
            put(f"{_MARKS[diagnosis.state]}{diagnosis.what}")
            if diagnosis.state != "ok":
                put(f"        Why it matters: {diagnosis.why}")
                put(f"        What to do:     {diagnosis.fix}")
    if any(diagnosis.state == "problem" for diagnosis in diagnoses):
        raise SystemExit(1)
