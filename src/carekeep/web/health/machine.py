"""The checks of the machine and the folder: what can be seen before anything is opened."""

import datetime
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator

from carekeep.encryption.certificates import certificate_end
from carekeep.storage import sqlite_version
from carekeep.web.health.installed import Installed
from carekeep.web.health.verdict import Diagnosis, State

_LEAST_SPACE = 1 << 30  # bytes
_LEAST_SQLITE = (3, 37)  # RETURNING, STRICT
_EXPIRES_SOON = datetime.timedelta(days=30)


def python() -> Diagnosis:
    """The Python that runs this."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Diagnosis("ok", f"Python {version}.")


def sqlite() -> Diagnosis:
    """Whether SQLite knows what our tables use."""
    version = ".".join(map(str, sqlite_version()))
    if sqlite_version() >= _LEAST_SQLITE:
        return Diagnosis("ok", f"SQLite {version}.")
    return Diagnosis(
        "problem",
        f"SQLite {version} is older than 3.37.",
        "Carekeep's tables use what newer versions have.",
        "Use a Python that is linked with a newer SQLite, or PostgreSQL.",
    )


def modes(settings: Installed) -> Iterator[Diagnosis]:
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


def space(settings: Installed) -> Iterator[Diagnosis]:
    """Whether there is room for the ledger."""
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


def durable(settings: Installed) -> Iterator[Diagnosis]:
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


def certificate(settings: Installed) -> Iterator[Diagnosis]:
    """Whether there is a certificate, and for how long."""
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
