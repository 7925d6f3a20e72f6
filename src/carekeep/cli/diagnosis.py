"""The checks of an installation: each looks at one thing and says what it found, why it matters, and the fix."""

import datetime
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from carekeep.app import System
from carekeep.audit import NoteRefused, open_checkpoint
from carekeep.cli.console import DOMAIN_ERRORS
from carekeep.cli.installation import with_system
from carekeep.cli.outward import contact, front, key_exchange, listener, names
from carekeep.cli.verdict import Diagnosis, State
from carekeep.encryption.certificates import certificate_end
from carekeep.settings import Settings, SettingsError, load_settings
from carekeep.storage import sqlite_version

_LEAST_SPACE = 1 << 30  # bytes
_LEAST_SQLITE = (3, 37)  # RETURNING, STRICT
_WAITING_MS = 10_000
_EXPIRES_SOON = datetime.timedelta(days=30)


def diagnose(home: Path) -> list[Diagnosis]:
    """All checks; those that need the opened installation come last, and only if it can be opened."""
    found = [_python(), _sqlite()]
    try:
        settings = load_settings(home)
    except SettingsError as error:
        return [*found, Diagnosis("problem", str(error), "Nothing can be served.", "Do what the line above says.")]
    found.append(Diagnosis("ok", f"Settings in {home} are readable."))
    for check in (_modes, _space, _durable, _certificate, names, listener, key_exchange, front, contact):
        found.extend(check(settings))
    try:
        found.extend(with_system(home, _opened))
    except DOMAIN_ERRORS as error:
        found.append(
            Diagnosis("problem", f"It cannot be opened: {error}", "Nothing can be served.", "See the message.")
        )
    return found


def _python() -> Diagnosis:
    version = ".".join(map(str, sys.version_info[:3]))
    return Diagnosis("ok", f"Python {version}.")


def _sqlite() -> Diagnosis:
    version = ".".join(map(str, sqlite_version()))
    if sqlite_version() >= _LEAST_SQLITE:
        return Diagnosis("ok", f"SQLite {version}.")
    return Diagnosis(
        "problem",
        f"SQLite {version} is older than 3.37.",
        "Carekeep's tables use what newer versions have.",
        "Use a Python that is linked with a newer SQLite, or PostgreSQL.",
    )


def _modes(settings: Settings) -> Iterator[Diagnosis]:
    """Secrets are readable by their owner alone."""
    secrets = (settings.key_file, settings.passphrase_file, settings.certificate_key, settings.front_secret_file)
    for path in (settings.home, *secrets):
        if not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            yield Diagnosis(
                "problem",
                f"{path} has mode {mode:04o}: others on this machine can get at it.",
                "It holds, or leads to, what opens every record.",
                f"chmod go-rwx {path}",
            )
        else:
            yield Diagnosis("ok", f"{path.name or path} is for its owner only.")
    if settings.passphrase_file.exists():
        yield Diagnosis(
            "warning",
            "The passphrase lies beside the key file.",
            "Who takes this folder has both.",
            "Keep it elsewhere and type it at start, or let systemd hand it over (LoadCredential).",
        )


def _space(settings: Settings) -> Iterator[Diagnosis]:
    free = shutil.disk_usage(settings.home).free
    if free < _LEAST_SPACE:
        yield Diagnosis(
            "problem",
            f"Only {free >> 20} MiB are free where {settings.home} is.",
            "Without room for the ledger nothing may be answered.",
            "Free or add disk space.",
        )
    else:
        yield Diagnosis("ok", f"{free >> 30} GiB are free.")


def _durable(settings: Settings) -> Iterator[Diagnosis]:
    """Whether the file system takes fsync, on which every promise of durability rests."""
    try:
        with tempfile.TemporaryFile(dir=settings.home) as file:
            file.write(b"carekeep")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        yield Diagnosis("problem", f"fsync fails: {error.strerror}.", "Writes could be lost.", "Use another disk.")
    else:
        yield Diagnosis("ok", "The file system syncs to disk.")


def _certificate(settings: Settings) -> Iterator[Diagnosis]:
    try:
        left = certificate_end(settings.certificate) - datetime.datetime.now(datetime.UTC)
    except (OSError, ValueError):
        why, fix = "There is no TLS without it.", "Run carekeep init, or set tls_certificate and tls_key."
        yield Diagnosis("problem", f"{settings.certificate} is missing or no certificate.", why, fix)
        return
    if left < _EXPIRES_SOON:
        state: State = "problem" if left.total_seconds() < 0 else "warning"
        why, fix = "Clients refuse an expired certificate.", "Put a new one in its place and restart."
        yield Diagnosis(state, f"The certificate ends in {left.days} days.", why, fix)
    else:
        yield Diagnosis("ok", f"The certificate is good for {left.days} days.")


async def _opened(system: System) -> list[Diagnosis]:
    """What only an opened installation shows."""
    found = [Diagnosis("ok", "The key file opens, and the database has its keys.")]
    found += [await check(system) for check in (_accounts, _sequencer)]
    found.append(_witness(system))
    return found


async def _accounts(system: System) -> Diagnosis:
    row = await system.database.fetch_one("SELECT count(*) FROM account")
    if row and row[0]:
        return Diagnosis("ok", f"{row[0]:,} accounts.")
    return Diagnosis("warning", "There are no accounts.", "Nobody can sign in.", "carekeep user add --help")


async def _sequencer(system: System) -> Diagnosis:
    """Whether entries are integrated: the oldest that waits is not old. Ids begin with 48 bits of milliseconds."""
    row = await system.database.fetch_one("SELECT min(entry_id) FROM ledger_pending")
    oldest = row[0] if row else None
    if oldest is None or system.services.clock() - int.from_bytes(oldest[:6], "big") < _WAITING_MS:
        return Diagnosis("ok", "The ledger's entries are integrated.")
    return Diagnosis(
        "warning",
        "Ledger entries wait to be integrated into the tree.",
        "They are durable, but cannot be proven to others yet.",
        "Start the server. If it runs, see its log for what keeps the sequencer.",
    )


def _witness(system: System) -> Diagnosis:
    path = system.settings.witness_file
    try:
        checkpoint = open_checkpoint(path.read_text(encoding="utf-8"), system.sequencer.key)
    except FileNotFoundError:
        why = "Without it, a database put back to an older state looks right."
        return Diagnosis(
            "warning", f"{path} is not there yet.", why, "Start the server; copy the file elsewhere, often."
        )
    except NoteRefused as error:
        why = "It shows whether the database was put back to an older state."
        return Diagnosis("problem", f"{path}: {error}", why, "Find out who changed it; use a copy kept elsewhere.")
    return Diagnosis("ok", f"A checkpoint over {checkpoint.size:,} entries is kept outside the database.")
