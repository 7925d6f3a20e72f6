"""What ``carekeep doctor`` looks at: every check of ``web/health``, and whether the installation opens at all."""

from pathlib import Path

from carekeep.app import System
from carekeep.cli.console import DOMAIN_ERRORS
from carekeep.cli.installation import with_system
from carekeep.settings import SettingsError, load_settings
from carekeep.web.health import Diagnosis, look_at_installation, look_at_machine
from carekeep.web.health.machine import python, sqlite


def diagnose(home: Path) -> list[Diagnosis]:
    """All checks; those that need the opened installation come last, and only if it can be opened."""
    found = [python(), sqlite()]
    try:
        settings = load_settings(home)
    except SettingsError as error:
        return [*found, Diagnosis("problem", str(error), "Nothing can be served.", "Do what the line above says.")]
    found.append(Diagnosis("ok", f"Settings in {home} are readable."))
    found.extend(look_at_machine(settings))
    try:
        found.extend(with_system(home, _opened))
    except DOMAIN_ERRORS as error:
        found.append(
            Diagnosis("problem", f"It cannot be opened: {error}", "Nothing can be served.", "See the message.")
        )
    return found


async def _opened(system: System) -> list[Diagnosis]:
    opens = Diagnosis("ok", "The key file opens, and the database has its keys.")
    return [opens, *await look_at_installation(system.services, system.settings)]
