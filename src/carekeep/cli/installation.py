"""Opening the installation that a command works on."""

import asyncio
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import click

from carekeep.app import System, open_system
from carekeep.encryption import Secret
from carekeep.settings import Settings, SettingsError, load_settings

T = TypeVar("T")
_MAX_PASSPHRASE = 4096  # bytes


def read_passphrase(settings: Settings) -> Secret:
    """The passphrase of the key file: from its file where there is one, else by prompt.

    Raises SettingsError when others may read the file.
    """
    path = settings.passphrase_file
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return Secret(click.prompt("Passphrase of the key file", hide_input=True, err=True))
    if stat.S_IMODE(mode) & 0o077:
        raise SettingsError(f"{path} can be read by others. Run: chmod 600 {path}")
    with path.open("rb") as file:
        return Secret(file.read(_MAX_PASSPHRASE).rstrip(b"\r\n"))


def with_system(home: Path, work: Callable[[System], Awaitable[T]]) -> T:
    """Open the installation in ``home``, do the work in an event loop, close it, and give the result."""
    settings = load_settings(home)
    passphrase = read_passphrase(settings)

    async def run() -> T:
        async with open_system(settings, passphrase) as system:
            return await work(system)

    return asyncio.run(run())
