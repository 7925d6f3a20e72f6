"""deploy/caddy/Caddyfile as it stands, with a real Caddy before a real server: the keys, the terms, and who is whom."""

import asyncio
import contextlib
import datetime
import hashlib
import json
import os
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.client import connect

from carekeep.cli.serve import make_server
from carekeep.encryption import Secret
from carekeep.encryption.certificates import make_local_authority
from carekeep.settings import Settings
from carekeep.web import WebApplication
from carekeep.web.health.handshakes import Handshake, NoHandshake, shake_hands
from carekeep.web.health.outward import key_exchange
from carekeep.web.http import Receive, Response, Scope, Send, read_request, send_response
from tests.house.tree import ROOT
from tests.running import free_port
from tests.web.clinic import Clinic, on_sqlite

CADDY = Path(sys.executable).with_name("caddy")
CADDYFILE = ROOT / "deploy" / "caddy" / "Caddyfile"
API, SIGN_IN = "records.example.org", "auth.records.example.org"
SITES = (SIGN_IN, "portal.records.example.org", "console.records.example.org")
SECRET = "the-secret-of-the-front"  # noqa: S105 - of a server that lives for a test
FORGED = {
    "Forwarded": "for=203.0.113.9",
    "X-Forwarded-For": "203.0.113.9",
    "X-Real-IP": "203.0.113.9",
    "Client-Cert": ":MIIB:",
    "X-Carekeep-Front": "a guess",
}
CLIENT = "127.0.0.2"  # so that it is not the front, which comes from 127.0.0.1
PATIENCE_S = 20

pytestmark = [
    pytest.mark.skipif(
        not CADDY.exists(), reason="the wheel of Caddy is not installed: there is none for this platform"
    ),
    on_sqlite,
]


@dataclass(frozen=True, slots=True)
class Place:
    """A server, the front before it, and what a client trusts."""

    folder: Path
    server: int
    front: int

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "tls" / "ca.pem"))

    async def ask(
        self, port: int, host: str = API, *, name: str | None = None, trust: ssl.SSLContext | None = None, **more: Any
    ) -> httpx.Response:
        """One request to /echo with a Host header, over a handshake for that host, or for another ``name``."""
        transport = httpx.AsyncHTTPTransport(verify=trust or self.trust(), local_address=CLIENT)
        async with httpx.AsyncClient(transport=transport) as client:
            return await client.get(
                f"https://127.0.0.1:{port}/echo",
                headers={"Host": host, **more.get("headers", {})},
                extensions={"sni_hostname": name or host},
            )

    async def agreed(self, port: int, name: str = API) -> Handshake:
        return await asyncio.to_thread(shake_hands, ("127.0.0.1", port), name)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """What the routes would see of a request."""
    request = read_request(scope, receive)
    shown = None if request.certificate is None else hashlib.sha256(request.certificate).hexdigest()
    names = sorted(name.decode() for name in request.headers)
    seen = {"address": request.address, "certificate": shown, "headers": names}
    await send_response(Response(200, json.dumps(seen).encode(), b"application/json"), send)


@pytest.fixture
async def place(clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setattr("carekeep.web.front._api_parts", lambda _services: {"echo": echo})
    monkeypatch.setattr("carekeep.web.front._sign_in_parts", lambda _services: {"echo": echo})
    settings = Settings(tmp_path / "server", port=free_port())
    made = Place(settings.home, settings.port, free_port())
    names = (API, *SITES, "127.0.0.1")  # the address too, so that a handshake without a name finds a certificate
    make_local_authority(settings.certificate.parent, names, datetime.datetime.now(datetime.UTC))
    settings.front_secret_file.write_text(f"{SECRET}\n")
    application = WebApplication(replace(clinic.system.services, front_secret=Secret(SECRET)))
    server = make_server(settings, application)
    serving = asyncio.create_task(server.serve())
    with caddy(settings, made.front):
        await answering(made.server)
        await answering(made.front)
        yield made
    server.stop()  # type: ignore[no-untyped-call]
    await serving


@contextlib.contextmanager
def caddy(settings: Settings, port: int) -> Iterator[None]:
    tls = settings.certificate.parent
    environment = {
        "PATH": os.environ["PATH"],
        "XDG_DATA_HOME": str(settings.home / "caddy"),
        "XDG_CONFIG_HOME": str(settings.home / "caddy"),
        "CAREKEEP_HOST": API,
        "CAREKEEP_PORT": str(port),
        "CAREKEEP_BIND": "127.0.0.1",
        "CAREKEEP_SERVER": f"127.0.0.1:{settings.port}",
        "CAREKEEP_NAME": API,
        "CAREKEEP_CA": str(tls / "ca.pem"),
        "CAREKEEP_SECRET": str(settings.front_secret_file),
        "CAREKEEP_TLS": f"{settings.certificate} {settings.certificate_key}",
    }
    with (settings.home / "caddy.log").open("wb") as log:
        process = subprocess.Popen([CADDY, "run", "--config", CADDYFILE], env=environment, stdout=log, stderr=log)
    try:
        yield
        assert process.poll() is None, (settings.home / "caddy.log").read_text()
        assert SECRET not in (settings.home / "caddy.log").read_text()
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


async def answering(port: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


def own_certificate(folder: Path) -> tuple[Path, str]:
    """A self-signed certificate with its key, as a file; and its thumbprint."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "infusion pump 7")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "client.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path, certificate.fingerprint(hashes.SHA256()).hex()


@pytest.mark.parametrize("name", [API, *SITES])
async def test_the_front_agrees_on_post_quantum_keys_and_the_server_cannot_yet(place: Place, name: str) -> None:
    front = await place.agreed(place.front, name)
    assert (front.version, front.group, front.is_post_quantum) == ("TLSv1.3", "X25519MLKEM768", True)
    server = await place.agreed(place.server, name)
    assert (server.version, server.group, server.is_post_quantum) == ("TLSv1.3", "X25519", False)


async def test_doctor_says_what_it_found_there(place: Place) -> None:
    for port, state, said in ((place.front, "ok", "X25519MLKEM768"), (place.server, "warning", "X25519")):
        url = f"https://127.0.0.1:{port}"
        (found,) = await asyncio.to_thread(list, key_exchange(Settings(place.folder, base_url=url)))
        assert found.state == state
        assert found.what.startswith(f"{said} negotiated at {url}")


@pytest.mark.parametrize("name", [API, *SITES, "other.example.org", None])
async def test_nothing_older_than_tls_1_3_whatever_host_is_named(place: Place, name: str | None) -> None:
    """Caddy does handshakes for other names, or none, by its own terms unless it is told otherwise."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for port in (place.front, place.server):
        with pytest.raises(ssl.SSLError, match=r"(?i)alert"):
            await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name or "")


async def test_a_name_that_nobody_has_gets_no_handshake(place: Place) -> None:
    with pytest.raises(NoHandshake):
        await place.agreed(place.front, "other.example.org")


async def test_what_clients_say_of_themselves_is_not_believed(place: Place) -> None:
    for port in (place.server, place.front):
        answer = await place.ask(port, headers=FORGED)
        assert answer.status_code == 200
        seen = answer.json()
        assert (seen["address"], seen["certificate"]) == (CLIENT, None)
        assert not {name.lower() for name in FORGED} & set(seen["headers"])


async def test_a_client_that_knows_the_secret_still_cannot_speak_through_the_front(place: Place) -> None:
    """The front's own words count, not those that a client (say, another tenant of the machine) puts beside them."""
    answer = await place.ask(place.front, headers=FORGED | {"X-Carekeep-Front": SECRET})
    assert (answer.json()["address"], answer.json()["certificate"]) == (CLIENT, None)


async def test_the_front_says_which_certificate_a_client_has_the_key_of(place: Place, tmp_path: Path) -> None:
    path, thumbprint = own_certificate(tmp_path)
    trust = place.trust()
    trust.load_cert_chain(path)
    answer = await place.ask(place.front, trust=trust, headers=FORGED)
    assert answer.json()["certificate"] == thumbprint
    assert (await place.ask(place.front)).json()["certificate"] is None, "none is needed"
    assert (await place.ask(place.front, SIGN_IN, trust=trust)).json()["certificate"] is None, "people are not asked"
    assert (await place.ask(place.server, trust=trust)).json()["certificate"] is None, "the server itself cannot ask"


@pytest.mark.parametrize(("host", "name"), [(SIGN_IN, API), (API, SIGN_IN), ("evil.example", API), ("127.0.0.1", API)])
async def test_a_request_is_for_the_host_that_the_handshake_was_for(place: Place, host: str, name: str) -> None:
    assert (await place.ask(place.front, host, name=name)).status_code == 421


async def test_the_server_itself_knows_its_hosts_too(place: Place) -> None:
    assert (await place.ask(place.server, SIGN_IN)).status_code == 200
    assert (await place.ask(place.server, "evil.example", name=API)).status_code == 421
    assert (await place.ask(place.server, f"{API}:{place.server}", name=API)).status_code == 421


async def test_websockets_pass_through_the_front(place: Place) -> None:
    where: dict[str, Any] = {"host": "127.0.0.1", "port": place.front, "server_hostname": API}
    async with connect(f"wss://{API}/fhir/ws", ssl=place.trust(), **where) as socket:
        await socket.send("bind-with-token nonsense")
        await asyncio.wait_for(socket.wait_closed(), PATIENCE_S)
        assert socket.close_code == 1008
