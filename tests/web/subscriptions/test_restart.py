"""A whole server as a process: how soon it tells, and what it remembers of being killed."""

import asyncio
import json
import os
import queue
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from carekeep.access import SYSTEM_GRANT, Action
from carekeep.app import open_system
from carekeep.cli.init import create_unattended
from carekeep.cli.operator import record_operation
from carekeep.encryption import Secret
from carekeep.identity import Kind
from carekeep.settings import Settings
from tests.running import free_port
from tests.web.clinic import observation
from tests.web.subscriptions.receiver import Received, Receiver
from tests.web.subscriptions.ward import subscription

SOON_S = 2
PATIENCE_S = 30  # the lease of one who was killed runs for ten seconds


@dataclass(frozen=True, slots=True)
class Installation:
    settings: Settings
    token: str
    receiver: Receiver

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[bytes]"]:
        """The server as a process, which trusts the receiver's authority."""
        process = subprocess.Popen(
            [sys.executable, "-m", "carekeep", "--home", str(self.settings.home), "serve"],
            env={**os.environ, "SSL_CERT_FILE": str(self.receiver.authority)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            self._wait(process)
            yield process
        finally:
            process.kill()
            process.wait(10)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end and process.poll() is None:
            try:
                httpx.get(f"{self.settings.base_url}/healthz", verify=False)  # noqa: S501 - is it there at all
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("the server does not answer")

    def send(self, method: str, path: str, resource: dict[str, Any] | None = None) -> dict[str, Any]:
        authority = self.settings.certificate.parent / "ca.pem"
        with httpx.Client(verify=_trusting(authority), base_url=self.settings.fhir_url) as client:
            headers = {"authorization": f"Bearer {self.token}", "content-type": "application/fhir+json"}
            content = None if resource is None else json.dumps(resource).encode()
            answer = client.request(method, path, content=content, headers=headers)
        assert answer.status_code < 300, answer.content
        parsed: dict[str, Any] = answer.json()
        return parsed

    def next(self, kind: str, patience_s: float) -> Received:
        """The next notification of a kind to arrive."""
        end = time.monotonic() + patience_s
        while True:
            try:
                arrived = self.receiver.arrived.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {kind} within {patience_s} seconds") from None
            if arrived.kind == kind:
                return arrived


def _trusting(authority: Path) -> Any:
    return ssl.create_default_context(cafile=str(authority))


@pytest.fixture
async def installation(tmp_path: Path, receiver: Receiver) -> Installation:
    port = free_port()
    home = tmp_path / "home"
    settings = Settings(home, port=port, base_url=f"https://localhost:{port}", subscription_hosts=receiver.hosts)
    await _in_thread(create_unattended, settings)
    while not receiver.arrived.empty():
        receiver.arrived.get_nowait()
    async with open_system(settings, Secret(settings.passphrase_file.read_bytes())) as system:
        services = system.services
        made = await services.accounts.prepare_create(
            Kind.APP, name="Engine", login="engine", grants=frozenset({SYSTEM_GRANT})
        )
        await record_operation(services, Action.ACCOUNT_MANAGE, "an account for a test", made)
        issued = services.tokens.prepare_issue(made.value, 1)
        await record_operation(services, Action.SESSION_MANAGE, "a token for a test", issued)
    return Installation(settings, issued.value.secret.reveal_text(), receiver)


async def _in_thread(function: Any, *arguments: Any) -> None:
    await asyncio.to_thread(function, *arguments)


def test_it_tells_soon_and_after_being_killed(installation: Installation) -> None:
    with installation.running():
        id_ = installation.send("POST", "/Subscription", subscription(installation.receiver.url))["id"]
        installation.next("handshake", PATIENCE_S)
        end = time.monotonic() + SOON_S
        while installation.send("GET", f"/Subscription/{id_}")["status"] != "active":
            assert time.monotonic() < end
        installation.send("POST", "/Patient", {"resourceType": "Patient"})
        installation.send("PUT", "/Observation/soon", observation("soon", "somebody", 1, "2026-05-01"))
        assert installation.next("event-notification", SOON_S).numbers == [1]
        installation.receiver.answers[:] = [503] * 9
        installation.send("PUT", "/Observation/late", observation("late", "somebody", 1, "2026-05-01"))
        assert installation.next("event-notification", SOON_S).numbers == [2]
    installation.receiver.answers.clear()
    with installation.running():  # the first was killed between the entry of the disclosure and its delivery
        told = installation.next("event-notification", PATIENCE_S)
        assert told.numbers == [2]
        assert b"Observation/late" in told.body
