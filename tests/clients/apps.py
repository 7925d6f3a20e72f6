"""What the tests of SMART clients do at the server's machine, and how they speak to the server."""

import ssl
import subprocess
import sys
from pathlib import Path

import httpx

from tests.running import Demo


def run(server: Demo, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """``carekeep`` on the machine of a running server."""
    arguments = [sys.executable, "-m", "carekeep", "--home", server.state["home"], *words]
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def command(server: Demo, *words: str | Path) -> str:
    """What ``carekeep`` says there; it must end well."""
    ran = run(server, *words)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def add_app(server: Demo, name: str, *words: str | Path) -> str:
    """Register an app; its client id."""
    return command(server, "app", "add", name, *words)


def trusting(server: Demo) -> httpx.Client:
    """A client that trusts the server's own authority and nothing else."""
    trust = ssl.create_default_context(cafile=server.ca_certificate)
    trust.minimum_version = ssl.TLSVersion.TLSv1_3
    return httpx.Client(verify=trust, timeout=30)
