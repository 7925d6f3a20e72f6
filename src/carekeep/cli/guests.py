"""``carekeep guest prove``: the side of an outside clinician who was invited to read one patient's records."""

import click

from carekeep.cli.console import fail, json_option, put, put_json, talk
from carekeep.cli.links import Server, told

_OK = 200


@click.group()
def guest() -> None:
    """Take up an invitation to read a patient's records."""


@guest.command()
@click.option("--server", required=True, help="https://… of the records, as the letter has it.")
@click.option("--ca", type=click.Path(dir_okay=False, exists=True), help="An own authority (PEM).")
@json_option
def prove(server: str, ca: str | None, as_json: bool) -> None:
    """Give the invitation and the code, and get the token by which the records are read (FHIR R4).

    The invitation came by letter, the code by another way. Both are asked for; neither is shown.

    \b
    Example: carekeep guest prove --server https://records.example.org
    """
    invitation = click.prompt("Invitation", hide_input=True, err=True)
    code = click.prompt("Code", hide_input=True, err=True)
    facts = take_up(Server(server.rstrip("/"), "", ca), invitation, code)
    if as_json:
        put_json(facts)
        return
    put(str(facts["access_token"]))
    talk.print(f"Read with it: {facts['fhir']}/Patient/{facts['patient']}. Who has it reads the records: keep it safe.")


def take_up(server: Server, invitation: str, code: str) -> dict[str, object]:
    """The token and what it is for. Ends the command when the server says no."""
    status, facts, _ = server.ask("POST", "/guests/prove", {"invitation": invitation.strip(), "code": code.strip()})
    if status != _OK:
        fail(f"The server answered {status}: {told(facts)}")
    return facts
