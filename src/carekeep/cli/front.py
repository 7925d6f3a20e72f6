"""``carekeep front-secret``: what the front proves itself with, made anew."""

from pathlib import Path

import click

from carekeep.access import Action
from carekeep.app import System
from carekeep.cli.console import put, talk
from carekeep.cli.init import write_front_secret
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation


@click.command("front-secret")
@click.pass_obj
def front_secret(home: Path) -> None:
    """Make a new secret for the front (the proxy of docs/tls.md). The old one counts until the server is restarted.

    \b
    Example: carekeep front-secret
    """

    async def work(system: System) -> Path:
        await record_operation(system.services, Action.KEY_MANAGE, "the secret of the front was made anew")
        write_front_secret(system.settings)
        return system.settings.front_secret_file

    put(str(with_system(home, work)))
    talk.print("Give the file to the front, then restart the server and the front.")
