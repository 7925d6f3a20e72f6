"""A real installation: made as ``carekeep init`` makes it, served by ``carekeep serve`` in a process of its own."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from carekeep.access import SYSTEM_GRANT
from carekeep.app import System
from carekeep.cli.init import create_unattended, with_port
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.encryption import Secret
from carekeep.identity import Account, Kind
from carekeep.settings import Settings
from tests.promises.preloaded import Preloaded

PATIENCE_S = 60.0
_POLL_S = 0.005


class NotServing(AssertionError):
    """The server ended, or did not answer in time; the message holds what it wrote."""


@dataclass(slots=True)
class Installation:
    """``logs`` and ``scratch`` (the server's TMPDIR) are folders beside ``home``."""

    folder: Path
    settings: Settings
    _process: "subprocess.Popen[bytes] | Preloaded | None" = field(default=None, repr=False)
    _preloaded: Preloaded | None = field(default=None, repr=False)

    @property
    def home(self) -> Path:
        return self.settings.home

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def scratch(self) -> Path:
        return self.folder / "scratch"

    @property
    def tls(self) -> ssl.SSLContext:
        """What a client needs to trust the server."""
        return ssl.create_default_context(cafile=self.settings.certificate.parent / "ca.pem")

    def start(self) -> None:
        """Serve, and return when requests are answered. Raises NotServing."""
        self._process = self._preloaded.start() if self._preloaded else self._serve()
        until = time.monotonic() + PATIENCE_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise NotServing((self.logs / "server.log").read_text()[-4000:])
            time.sleep(_POLL_S)

    def preload(self) -> None:
        """From now on servers are forked from a process that has the modules in memory."""
        with (self.logs / "server.log").open("ab") as log:
            self._preloaded = Preloaded(self.home, log, self.environment)

    def _serve(self) -> "subprocess.Popen[bytes]":
        with (self.logs / "server.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "carekeep", "--home", str(self.home), "serve"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment,
            )

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "TMPDIR": str(self.scratch), "PYTHONDONTWRITEBYTECODE": "1"}

    def stop(self) -> None:
        """Ask it to stop, as a service manager does. It must end by itself, and say that it went well."""
        assert self._end(signal.SIGTERM) == 0

    def kill(self) -> None:
        """Kill -9."""
        assert self._end(signal.SIGKILL) == -signal.SIGKILL

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        process, self._process = self._process, None
        process.send_signal(number)
        try:
            return process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise

    def _answers(self) -> bool:
        try:
            socket.create_connection((self.settings.bind, self.settings.port), 1).close()
        except OSError:
            return False
        return True

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Served within, then stopped; killed when the test fails."""
        self.start()
        try:
            yield
        except BaseException:
            self.abandon()
            raise
        self.stop()

    def abandon(self) -> None:
        """Make sure that nothing of it runs any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None
        if self._preloaded is not None:
            self._preloaded.close()
            self._preloaded = None

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        """The ``carekeep`` command, on this installation."""
        return subprocess.run(
            [sys.executable, "-m", "carekeep", "--home", str(self.home), *arguments],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=self.environment,
            check=False,
        )

    def open_account(
        self,
        kind: Kind,
        login: str,
        *,
        name: str = "",
        fhir_user: str | None = None,
        password: Secret | None = None,
        totp_key: Secret | None = None,
    ) -> str:
        """A new account, with a bearer token that is returned. Apps are the organization's own."""

        async def work(system: System) -> str:
            prepared = await system.services.accounts.prepare_create(
                kind,
                name=name or login,
                login=login,
                fhir_user=fhir_user,
                grants=frozenset({SYSTEM_GRANT}) if kind is Kind.APP else frozenset(),
                password=password,
                totp_key=totp_key,
            )
            account: Account = prepared.value
            issued = system.services.tokens.prepare_issue(account, account.assurance)
            await record_operation(system.services, "test", "an account for the test", prepared)
            await record_operation(system.services, "test", "a token for the test", issued)
            return issued.value.secret.reveal().decode()

        return with_system(self.home, work)


def new_installation(folder: Path, database_url: str) -> Installation:
    """An installation in ``folder`` over an empty, migrated database."""
    for name in ("logs", "scratch"):
        (folder / name).mkdir()
    settings = with_port(Settings(folder / "home", database_url=database_url), free_port())
    create_unattended(settings)
    return Installation(folder, settings)


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port
