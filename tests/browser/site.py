"""The clinic behind a real server with TLS, in the event loop of the tests: what a real browser visits.

Names below example.org are mapped to it inside the browser, so that its origins are those of every other test.
"""

import asyncio
import base64
import contextlib
import datetime
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from granian.server.embed import Server

from carekeep.audit import Entry, EntryId
from carekeep.cli.serve import make_server
from carekeep.encryption import Secret, new_totp_key, totp_code
from carekeep.encryption.certificates import make_local_authority
from carekeep.identity import Account, Kind
from carekeep.identity.apps.client import AUTHORIZATION_CODE, Client, ClientAuthentication, ClientState
from carekeep.settings import Settings
from carekeep.web import WebApplication
from carekeep.web.http import Receive, Scope, Send
from carekeep.web.services import Services
from tests.running import free_port
from tests.web.clinic import Clinic, new_clinic

API = "https://records.example.org"
SIGN_IN = "https://auth.records.example.org"
PORTAL = "https://portal.records.example.org"
CONSOLE = "https://console.records.example.org"
_HOSTS = [url.removeprefix("https://") for url in (API, SIGN_IN, PORTAL, CONSOLE)]
REDIRECT = "https://app.example.org/callback"
STEP_MS = 30_000
_FHIR_USERS = {Kind.PRACTITIONER: "Practitioner/physician", Kind.PATIENT: "Patient/ada"}
PASSWORD = "seventeen swans swim south"  # noqa: S105 - a test's


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a password, and a key for codes (None: without)."""

    account: Account
    password: str = field(default=PASSWORD, repr=False)
    key: Secret | None = None

    @property
    def login(self) -> str:
        return self.account.login or ""


@dataclass(slots=True)
class Site:
    """The server. ``services`` are those that answer at this moment."""

    clinic: Clinic
    port: int
    key_digest: str
    services: Services
    made: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await WebApplication(self.services)(scope, receive, send)

    async def person(self, name: str = "Robin Moreau", *, kind: Kind = Kind.PRACTITIONER, **given: Any) -> Person:
        """A new account, with password and codes unless ``given`` says otherwise; of the physician's, or of ada's."""
        self.made += 1
        given.setdefault("fhir_user", _FHIR_USERS.get(kind))
        facts: dict[str, Any] = {"password": Secret(PASSWORD), "totp_key": new_totp_key()} | given
        login = f"person-{self.made}"
        made = await self.services.accounts.prepare_create(kind, name=name, login=login, **facts)
        await self.clinic.record("an account was made", made)
        return Person(made.value, key=facts["totp_key"])

    async def invited(self, person: Person, *, recovery: str | None = None) -> str:
        """The link for somebody."""
        invitations = self.services.invitations
        if recovery is None:
            issued = await invitations.prepare_create(person.account, "operator")
        else:
            issued = await invitations.prepare_recover(await self.account(person), "operator", recovery)
        await self.clinic.record("invited", issued)
        return f"{SIGN_IN}/invitation#{issued.value.secret.reveal_text()}"

    async def account(self, person: Person) -> Account:
        """The account as it is now."""
        found = await self.services.accounts.get(person.account.id)
        assert found is not None
        return found

    async def app(self, name: str = "Growth Charts", **given: Any) -> Client:
        """An approved public app."""
        clients = self.services.apps.clients
        facts: dict[str, Any] = {
            "authentication": ClientAuthentication.NONE,
            "grant_types": (AUTHORIZATION_CODE,),
            "redirect_uris": (REDIRECT,),
            "scopes": "openid fhirUser launch/patient patient/Observation.rs",
            "state": ClientState.APPROVED,
        }
        client = Client(id=clients.new_id(), name=name, created_ms=clients.now(), **(facts | given))
        await self.clinic.record("a client was made", clients.prepare_create(client))
        return client

    def later(self, ms: int = STEP_MS) -> None:
        """Time passes."""
        self.clinic.time.now_ms += ms

    def code(self, key: Secret | None) -> str:
        """A code that was not used yet."""
        assert key is not None
        self.later()
        return totp_code(key, self.clinic.time())

    async def entry(self, name: str) -> Entry:
        """The ledger entry that an answer names."""
        sealed = await self.services.ledger.find(EntryId(bytes.fromhex(name)))
        assert sealed is not None
        return self.services.ledger.open(sealed.leaf)[0]

    @contextlib.contextmanager
    def with_services(self, **changes: Any) -> Iterator[None]:
        """Other services for a while."""
        before = self.services
        self.services = replace(before, **changes)
        try:
            yield
        finally:
            self.services = before


@contextlib.asynccontextmanager
async def running_site(folder: Path) -> AsyncIterator[Site]:
    """A site of its own, with the clinic's people and patients."""
    async with new_clinic(folder / "home", f"sqlite://{folder / 'carekeep.db'}") as clinic:
        port = free_port()
        tls = folder / "tls"
        make_local_authority(tls, _HOSTS, _now())
        site = Site(clinic, port, _key_digest(tls / "server.pem"), clinic.system.services)
        settings = Settings(folder, port=port, tls_certificate="tls/server.pem", tls_key="tls/server.key")
        server = make_server(settings, site)
        async with _serving(server, port):
            yield site


@contextlib.asynccontextmanager
async def _serving(server: Server, port: int) -> AsyncIterator[None]:
    serving = asyncio.create_task(server.serve())
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.01)
            continue
        writer.close()
        break
    try:
        yield
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await serving


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _key_digest(certificate: Path) -> str:
    """By which the browser is told to trust this one key (``--ignore-certificate-errors-spki-list``)."""
    key = x509.load_pem_x509_certificate(certificate.read_bytes()).public_key()
    return base64.b64encode(
        hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
    ).decode()
