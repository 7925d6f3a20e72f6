"""The command's root. Groups are imported when they are used, so that help and errors come at once."""

import difflib
import importlib
import sys
from pathlib import Path
from typing import Any

import click

from carekeep import __version__
from carekeep.cli.console import DOMAIN_ERRORS, fail

# Name, where it is, and its line in the help: so that help needs no import.
_COMMANDS = {
    "init": ("carekeep.cli.init:init", "Make a new installation: settings, keys, certificates, database."),
    "serve": ("carekeep.cli.serve:serve", "Serve the installation."),
    "demo": ("carekeep.cli.demo:demo", "Load a simulated hospital and serve it."),
    "import": ("carekeep.cli.importing:import_records", "Bring in FHIR records from files."),
    "ledger": ("carekeep.cli.ledger:ledger", "The audit ledger: verify, show, prove, key, witnesses, anchors, …"),
    "witness": ("carekeep.cli.witness:witness", "Be a witness for the logs of others: init, add-log, keys, serve."),
    "siem": ("carekeep.cli.siem:siem", "Export of the ledger's events to a SIEM: status, test."),
    "disclosures": ("carekeep.cli.disclosures:disclosures", "To whom data about a patient was disclosed."),
    "keys": ("carekeep.cli.keys:keys", "The keys: status, rotate, destroy."),
    "disposal": ("carekeep.cli.disposal:disposal", "How long records are kept: due, holds, disposal by two people."),
    "reviews": ("carekeep.cli.reviews:reviews", "Emergencies to answer for: list, show, answer, letter-sent."),
    "user": ("carekeep.cli.users:user", "Accounts: add, list, invite, recover, disable, enable, leave, token."),
    "policy": ("carekeep.cli.policies:policy", "The policies: test, sign, load, list, rollback, explain, diff, trial."),
    "device": ("carekeep.cli.devices:device", "Devices: enrol, report; list, enrol-code, lost, retire, manage."),
    "app": ("carekeep.cli.apps:app", "Apps: list, add, approve, keys, disable; new-key, token."),
    "guest": ("carekeep.cli.guests:guest", "Take up an invitation to read a patient's records: prove."),
    "link": ("carekeep.cli.links:link", "Share a summary of one's records by a SMART Health Link: create."),
    "labels": ("carekeep.cli.labels:labels", "Labels of sensitive records: show, check, apply."),
    "front-secret": ("carekeep.cli.front:front_secret", "A new secret for the proxy in front of the server."),
    "doctor": ("carekeep.cli.doctor:doctor", "What is wrong with this installation, and what to do."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported on first use, and that suggests the nearest name for a wrong one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order in which a newcomer meets them."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name, or None."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands in the help."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Like click's, with a suggestion."""
        name = args[0]
        if not name.startswith("-") and name not in _COMMANDS:
            near = difflib.get_close_matches(name, _COMMANDS, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            ctx.fail(f"There is no command '{name}'.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="carekeep")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="CAREKEEP_HOME",
    default=Path("~/.carekeep"),
    show_default=True,
    help="The installation's folder.",
)
@click.pass_context
def carekeep(ctx: click.Context, home: Path) -> None:
    """Carekeep keeps health records safe and proves it.

    \b
    Try it:        carekeep demo
    For real:      carekeep init, then carekeep serve
    Look after it: carekeep doctor

    Exit codes: 0 done, 1 the answer is no or problems were found, 2 wrong usage, 3 could not do it, 130 interrupted.
    """
    ctx.obj = home.expanduser().absolute()


def main(args: list[str] | None = None) -> Any:
    """Run the command; errors that we know become one sentence and exit code 3."""
    try:
        return carekeep.main(args=args, prog_name="carekeep", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        sys.exit(130)
    except DOMAIN_ERRORS as error:
        fail(str(error))
