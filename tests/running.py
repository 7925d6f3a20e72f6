"""A real server for tests that speak to one: the demo, started as a process and known by the state it writes."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE_S = 90


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo, and what it wrote into its state file."""

    state: dict[str, Any]

    @property
    def fhir_url(self) -> str:
        return str(self.state["fhir_url"])

    @property
    def ca_certificate(self) -> str:
        return str(self.state["ca_certificate"])

    def token(self, login: str) -> str:
        """The ready bearer token of one of the cast."""
        (token,) = [account["token"] for account in self.state["accounts"] if account["login"] == login]
        return str(token)

    def bearer(self, login: str) -> dict[str, str]:
        """The header that carries it."""
        return {"Authorization": f"Bearer {self.token(login)}"}


def free_port() -> int:
    """A port of the loopback address that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running_demo(folder: Path, *, patients: int = 6, database_url: str = "") -> Iterator[Demo]:
    """Start a demo in ``folder``, wait until it is ready, and stop it; it must end well."""
    state = folder / "state.json"
    arguments = ["demo", "--patients", str(patients), "--port", str(free_port()), "--folder", str(folder / "home")]
    if database_url:
        arguments += ["--database-url", database_url]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "carekeep", *arguments, "--state", str(state)], stdout=output, stderr=output
        )
    try:
        end = time.monotonic() + PATIENCE_S
        while not state.exists():
            assert process.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < end, (folder / "output").read_text()
            time.sleep(0.05)
        yield Demo(json.loads(state.read_bytes()))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, (folder / "output").read_text()
