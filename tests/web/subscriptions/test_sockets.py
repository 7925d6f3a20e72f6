"""Notifications over websockets: a real client against a real server."""

import asyncio
import contextlib
import datetime
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from carekeep.cli.serve import make_server
from carekeep.encryption.certificates import make_local_authority
from carekeep.settings import Settings
from carekeep.web.subscriptions import orders
from tests.running import free_port
from tests.web.clinic import observation, on_sqlite
from tests.web.subscriptions.receiver import event_numbers, status_value
from tests.web.subscriptions.ward import Ward, subscription

Json = dict[str, Any]
ORIGIN = "https://records.example.org"
PATIENCE_S = 5


@dataclass(frozen=True, slots=True)
class Line:
    """A server, and the port where it listens."""

    ward: Ward
    port: int
    trust: ssl.SSLContext

    def connect(self, path: str = "/fhir/ws", host: str = "records.example.org", **options: Any) -> connect:
        url = f"wss://{host}{path}"
        place: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "server_hostname": "records.example.org"}
        return connect(url, ssl=self.trust, **place, **options)

    async def subscribe(self, who: str = "physician", **changes: Any) -> str:
        answer = await self.ward.clinic.ask("POST", "Subscription", subscription(None, **changes), who=who)
        assert answer.status == 201, answer.body
        await self.ward.settle()
        return str(answer.json["id"])

    async def token(self, path: str = "Subscription/$get-ws-binding-token", who: str = "physician") -> str:
        answer = await self.ward.clinic.ask("GET", path, who=who)
        assert answer.status == 200, answer.body
        (token,) = [each["valueString"] for each in answer.json["parameter"] if each["name"] == "token"]
        return str(token)

    async def write(self, id_: str, patient: str = "ada") -> None:
        await self.ward.clinic.put(observation(id_, patient, 60, "2026-05-01"))
        await self.ward.settle()

    @contextlib.asynccontextmanager
    async def bound(self) -> AsyncIterator[ClientConnection]:
        """A socket that is bound to what the physician subscribed to, after its handshake."""
        async with self.connect() as socket:
            await socket.send(f"bind-with-token {await self.token()}")
            assert status_value(await said(socket), "type") == "handshake"
            yield socket


async def said(socket: ClientConnection) -> Json:
    message: Json = json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))
    return message


async def closed(socket: ClientConnection) -> int:
    """The code with which the server closes; what it says before is passed over."""
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionClosedError):  # raised for every code but 1000
            async for _ in socket:
                pass
        await socket.wait_closed()
    assert socket.close_code is not None
    return socket.close_code


@pytest.fixture
async def line(ward: Ward, tmp_path: Path) -> AsyncIterator[Line]:
    settings = Settings(tmp_path / "server", port=free_port())
    make_local_authority(settings.certificate.parent, ["records.example.org"], datetime.datetime.now(datetime.UTC))
    server = make_server(settings, ward.clinic.application)
    serving = asyncio.create_task(server.serve())
    trust = ssl.create_default_context(cafile=str(settings.certificate.parent / "ca.pem"))
    await _answering(settings.port)
    yield Line(ward, settings.port, trust)
    server.stop()  # type: ignore[no-untyped-call]
    await serving


async def _answering(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
        else:
            writer.close()
            return


async def test_a_bound_socket_is_told(line: Line) -> None:
    id_ = await line.subscribe(content="full-resource")
    async with line.bound() as socket:
        await line.write("new")
        told = await said(socket)
        assert event_numbers(told) == [1]
        assert told["entry"][1]["resource"]["id"] == "new"
        await line.write("of-bob", "bob")
        await line.write("second")
        assert event_numbers(await said(socket)) == [2]
    assert await line.ward.status(id_) == "active"


async def test_what_happened_while_nobody_listened_is_told_later(line: Line) -> None:
    await line.subscribe()
    async with line.bound() as socket:
        await line.write("one")
        assert event_numbers(await said(socket)) == [1]
    await line.write("two")
    await line.write("three")
    async with line.bound() as socket:
        assert event_numbers(await said(socket)) == [2, 3]


async def test_one_socket_for_several_subscriptions(line: Line) -> None:
    first, second = await line.subscribe(), await line.subscribe(topic="condition-changed")
    async with line.connect() as socket:
        await socket.send(f"bind-with-token {await line.token(f'Subscription/{first}/$get-ws-binding-token')}")
        await said(socket)
        token = await line.token(f"Subscription/$get-ws-binding-token?id={second}")
        await socket.send(json.dumps({"type": "bind-with-token", "payload": {"token": token}}))
        assert status_value(await said(socket), "type") == "handshake"
        await line.write("new")
        assert status_value(await said(socket), "subscription")["reference"].endswith(first)


async def test_the_end_of_the_session_closes_the_socket(line: Line) -> None:
    await line.subscribe()
    async with line.bound() as socket:
        assert (await line.ward.clinic.ask("POST", "/auth/sign-out", who="physician")).status == 204
        await line.ward.clinic.system.generations.poll()
        assert await closed(socket) == 1008


async def test_the_end_of_the_account_closes_the_socket(line: Line) -> None:
    await line.subscribe()
    async with line.bound() as socket:
        services = line.ward.clinic.system.services
        ended = services.accounts.prepare_change(replace(line.ward.clinic.accounts["physician"], disabled=True))
        await line.ward.clinic.record("the account was disabled", ended)
        await services.generations.poll()
        assert await closed(socket) == 1008


async def test_the_end_of_the_subscription_closes_the_socket(line: Line) -> None:
    id_ = await line.subscribe()
    async with line.bound() as socket:
        await line.ward.clinic.ask("DELETE", f"Subscription/{id_}", who="physician")
        await line.ward.settle()
        assert await closed(socket) == 1000


async def test_a_token_is_good_once_and_for_a_minute(line: Line) -> None:
    await line.subscribe()
    token, late = await line.token(), await line.token()
    async with line.connect() as socket:
        await socket.send(f"bind-with-token {token}")
        await said(socket)
    async with line.connect() as socket:
        await socket.send(f"bind-with-token {token}")
        assert await closed(socket) == 1008
    line.ward.clinic.time.now_ms += 60_000
    async with line.connect() as socket:
        await socket.send(f"bind-with-token {late}")
        assert await closed(socket) == 1008


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("bind-with-token nonsense", 1008),
        ("bind-with-token ckws_" + "A" * 43, 1008),
        ("subscribe me", 1003),
        ("{}", 1003),
        ('{"type": "bind-with-token", "payload": []}', 1003),
        (b"bind-with-token x", 1003),
        ("x" * 5000, 1009),
        ("[" * 4000, 1003),
    ],
)
@on_sqlite
async def test_what_else_is_said_closes_the_socket(line: Line, message: str | bytes, code: int) -> None:
    async with line.connect() as socket:
        await socket.send(message)
        assert await closed(socket) == code


@on_sqlite
async def test_pages_of_other_origins_are_refused(line: Line) -> None:
    async with line.connect(origin=ORIGIN):
        pass
    for origin in ("https://evil.example", "null", "http://records.example.org", "https://records.example.org.evil"):
        with pytest.raises(InvalidStatus):
            await line.connect(origin=origin)
    with pytest.raises(InvalidStatus):
        await line.connect("/elsewhere")


@on_sqlite
@pytest.mark.parametrize("host", ["evil.example", "localhost", "auth.records.example.org", "records.example.org:8443"])
async def test_sockets_are_open_at_the_host_of_the_api_only(line: Line, host: str) -> None:
    """A page whose name was made to lead here (DNS rebinding) would be of one origin with what it asks."""
    with pytest.raises(InvalidStatus):
        await line.connect(host=host)


@on_sqlite
async def test_only_own_websocket_subscriptions_are_bound(line: Line) -> None:
    id_ = await line.subscribe()
    hook = await line.ward.subscribe()
    for path, who, status in (
        (f"Subscription/{hook}/$get-ws-binding-token", "physician", 422),
        (f"Subscription/{id_}/$get-ws-binding-token", "emergency", 403),
        (f"Subscription/{id_}/$get-ws-binding-token", "engine", 422),
        (f"Subscription/$get-ws-binding-token?id={id_}", "emergency", 422),
        ("Subscription/$get-ws-binding-token", "emergency", 422),
    ):
        assert (await line.ward.clinic.ask("GET", path, who=who)).status == status, (path, who)


async def test_a_heartbeat(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "SHORTEST_HEARTBEAT_S", 1)
    url = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-heartbeat-period"
    await line.subscribe(channel={"extension": [{"url": url, "valueUnsignedInt": 1}]})
    async with line.bound() as socket:
        assert status_value(await said(socket), "type") == "heartbeat"
        await line.write("new")
        assert event_numbers(await said(socket)) == [1]
