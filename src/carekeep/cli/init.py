"""``carekeep init``: a new installation."""

import asyncio
import datetime
import os
import secrets
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import click

from carekeep.app import open_system
from carekeep.cli.console import fail, put, talk
from carekeep.encryption import KeyFile, Secret
from carekeep.encryption.certificates import make_local_authority
from carekeep.encryption.durable import replace_file
from carekeep.settings import FILE_NAME, Settings, write_settings

_LOCAL_NAMES = ("localhost", "*.localhost", "127.0.0.1", "::1")
_FRONT_SECRET_BYTES = 32


@click.command()
@click.option("--base-url", default="https://localhost:8443", show_default=True, help="What clients will see.")
@click.option("--port", default=8443, show_default=True, type=click.IntRange(1, 65535))
@click.option("--database-url", default="", help="postgresql://… ; a SQLite file in the home folder by default.")
@click.option(
    "--passphrase-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Read the passphrase from this file instead of asking for it.",
)
@click.pass_obj
def init(home: Path, base_url: str, port: int, database_url: str, passphrase_file: Path | None) -> None:
    """Make a new installation: settings, key file, certificates, database.

    \b
    Example: carekeep --home /var/lib/carekeep init --base-url https://records.example.org
    """
    if (home / FILE_NAME).exists():
        fail(f"{home} already holds an installation; nothing was changed.")
    passphrase = _ask(passphrase_file)
    host = urlsplit(base_url).hostname or "localhost"
    settings = Settings(home, base_url=base_url, port=port, database_url=database_url, ledger_origin=f"{host}/carekeep")
    create_installation(settings, passphrase)
    put(f"Carekeep is set up in {home}.")
    talk.print("Keep the passphrase and a copy of carekeep.keys in two places: without them nothing can be read.")
    talk.print("Next: carekeep user add, then carekeep serve.")


def create_installation(settings: Settings, passphrase: Secret) -> None:
    """Write everything that an installation needs. Raises OSError, SettingsError, StorageError, EncryptionError."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.home.chmod(0o700)
    make_local_authority(settings.certificate.parent, _names(settings), datetime.datetime.now(datetime.UTC))
    write_front_secret(settings)
    KeyFile.create(settings.key_file, passphrase)

    async def fill() -> None:
        async with open_system(settings, passphrase, create=True) as system:
            await system.sequencer.integrate()

    asyncio.run(fill())
    write_settings(settings)  # last: what has settings is whole


def _names(settings: Settings) -> tuple[str, ...]:
    """What the server's certificate is for."""
    urls = (settings.base_url, settings.sign_in_url, *(site.origin for site in settings.own_sites))
    hosts = [urlsplit(url).hostname or "localhost" for url in urls]
    return tuple(dict.fromkeys((*hosts, *_LOCAL_NAMES)))


def write_front_secret(settings: Settings) -> None:
    """Make the secret of the front, in the place of the one that is there. Raises OSError."""
    replace_file(settings.front_secret_file, secrets.token_urlsafe(_FRONT_SECRET_BYTES).encode("ascii"))


def _ask(passphrase_file: Path | None) -> Secret:
    if passphrase_file is not None:
        return Secret(passphrase_file.read_bytes().rstrip(b"\r\n"))
    return Secret(click.prompt("New passphrase for the key file", hide_input=True, confirmation_prompt=True, err=True))


def create_unattended(settings: Settings) -> None:
    """An installation with a passphrase of our own making beside it, for the demo and for tests."""
    passphrase = Secret(secrets.token_urlsafe(32))
    create_installation(settings, passphrase)
    descriptor = os.open(settings.passphrase_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(passphrase.reveal())


def with_port(settings: Settings, port: int) -> Settings:
    """The same installation at another port of localhost."""
    return replace(settings, port=port, base_url=f"https://localhost:{port}")
