"""An export goes on after ``kill -9`` of the server that was working on it."""

import asyncio
import json
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from carekeep.access import SYSTEM_GRANT
from carekeep.app import open_system
from carekeep.cli.init import create_unattended, with_port
from carekeep.cli.installation import read_passphrase
from carekeep.cli.operator import record_operation
from carekeep.identity import Kind
from carekeep.settings import Settings
from tests.web.bulk.jobs import ASYNC, NDJSON
from tests.web.clinic import observation

SCRIPT = Path(__file__).with_name("serving_process.py")
COUNT = 800


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


async def token_of_a_system(settings: Settings) -> str:
    """A bearer token of an app that stands for the organization."""
    async with open_system(settings, read_passphrase(settings)) as system:
        services = system.services
        account = await services.accounts.prepare_create(
            Kind.APP, name="Engine", login="engine", grants=frozenset({SYSTEM_GRANT})
        )
        await record_operation(services, "test", "an account", account)
        issued = services.tokens.prepare_issue(account.value, 1)
        await record_operation(services, "test", "a token", issued)
        return issued.value.secret.reveal().decode()


@contextmanager
def serving(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, str(SCRIPT), str(settings.home)]) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def client_of(settings: Settings, token: str) -> httpx.Client:
    trust = ssl.create_default_context(cafile=settings.certificate.parent / "ca.pem")
    return httpx.Client(verify=trust, base_url=settings.base_url, headers={"authorization": f"Bearer {token}"})


def ask(client: httpx.Client, method: str, url: str, **more: object) -> httpx.Response:
    """A request to a server that may still be starting."""
    while True:
        try:
            return client.request(method, url, **more)  # type: ignore[arg-type]
        except httpx.ConnectError:
            continue


def until_done(client: httpx.Client, url: str) -> httpx.Response:
    while (answer := ask(client, "GET", url)).status_code == 202:
        pass
    assert answer.status_code == 200, answer.text
    return answer


def test_an_export_survives_its_server(tmp_path: Path) -> None:
    settings = with_port(Settings(tmp_path / "home"), free_port())
    create_unattended(settings)
    token = asyncio.run(token_of_a_system(settings))
    records = [observation(f"o{n}", f"p{n % 7}", n, "2026-03-01") for n in range(COUNT)]
    body = b"\n".join(json.dumps(record).encode() for record in records)
    with serving(settings) as first, client_of(settings, token) as client:
        loading = ask(client, "POST", "/fhir/$import", content=body, headers=NDJSON)
        until_done(client, loading.headers["content-location"])
        url = ask(client, "GET", "/fhir/$export", headers=ASYNC).headers["content-location"]
        while (status := ask(client, "GET", url)).headers.get("x-progress", "0 ").startswith("0 "):
            assert status.status_code == 202
        first.kill()
        first.wait()
    with serving(settings), client_of(settings, token) as client:
        begun = ask(client, "GET", url)
        assert begun.status_code == 202, "the export was done before the server was killed: the test shows nothing"
        manifest = until_done(client, url).json()
        (item,) = manifest["output"]
        lines = [json.loads(line) for line in ask(client, "GET", item["url"]).text.splitlines()]
    assert item["count"] == COUNT
    assert len(lines) == COUNT
    assert {line["id"]: line["valueQuantity"]["value"] for line in lines} == {
        record["id"]: record["valueQuantity"]["value"] for record in records
    }
