"""A small clinic behind the application, in this process: its people, two patients, and a client that sees the ledger.

``ada`` has the physician on her care team; nobody but an app has to do with ``bob``.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from carekeep.access import SYSTEM_GRANT
from carekeep.app import System, open_system
from carekeep.audit import Agent, Entry, EntryId
from carekeep.encryption import Argon2Cost, KeyFile, Secret
from carekeep.identity import Account, Accounts, Kind, SignIn, Throttle
from carekeep.settings import Settings
from carekeep.storage import Database, Prepared
from carekeep.web import WebApplication
from carekeep.web.health import Lookout

Json = dict[str, Any]

CHEAP = Argon2Cost(memory_kib=64, iterations=1, lanes=1)
PASSPHRASE = Secret("a passphrase for tests")
NOON = 1_793_880_000_000  # 2026-11-05T12:00:00Z
FHIR_JSON = "application/fhir+json"
MINUTE_MS = 60_000

on_sqlite = pytest.mark.parametrize("furnished", ["sqlite"], indirect=True)
"""For tests of what is decided before a database is asked, so that one kind of database shows it."""

# Login, kind, who it is in the records, grants.
PEOPLE: tuple[tuple[str, Kind, str | None, frozenset[str]], ...] = (
    ("physician", Kind.PRACTITIONER, "Practitioner/physician", frozenset()),
    ("emergency", Kind.PRACTITIONER, "Practitioner/emergency", frozenset()),
    ("ada", Kind.PATIENT, "Patient/ada", frozenset()),
    ("bob", Kind.PATIENT, "Patient/bob", frozenset()),
    ("administrator", Kind.ADMINISTRATOR, None, frozenset()),
    ("auditor", Kind.AUDITOR, None, frozenset()),
    ("engine", Kind.APP, None, frozenset({SYSTEM_GRANT})),
    ("app", Kind.APP, None, frozenset()),
)


@dataclass(slots=True)
class Time:
    """A clock that stands until it is moved."""

    now_ms: int = NOON

    def __call__(self) -> int:
        return self.now_ms


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and the ledger entry that its header names (None: it names none)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    entry: Entry | None

    @property
    def json(self) -> Json:
        parsed: Json = json.loads(self.body)
        return parsed

    @property
    def said(self) -> str:
        """All diagnostics of an OperationOutcome."""
        return " ".join(issue["diagnostics"] for issue in self.json["issue"])


@dataclass(frozen=True, slots=True)
class Clinic:
    """The application and who can use it. ``tokens`` are bearer tokens by login."""

    system: System
    application: WebApplication
    client: httpx.AsyncClient
    time: Time
    tokens: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)

    async def ask(
        self,
        method: str,
        path: str,
        body: Json | bytes | None = None,
        *,
        who: str | None = "engine",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request. A path without a leading slash is below ``/fhir``."""
        given = {"accept": FHIR_JSON}
        if who is not None:
            given["authorization"] = f"Bearer {self.tokens[who]}"
        if body is not None:
            given["content-type"] = FHIR_JSON
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        url = path if path.startswith("/") else f"/fhir/{path}".rstrip("/")
        response = await self.client.request(method, url, content=content, headers=given | dict(headers or {}))
        named = response.headers.get("x-ledger-entry")
        entry = None if named is None else await self.entry(named)
        return Answer(response.status_code, response.headers, response.content, entry)

    async def entry(self, name: str) -> Entry:
        """The ledger entry of an id in hexadecimal. It must be there: it was durable before the answer left."""
        ledger = self.system.services.ledger
        sealed = await ledger.find(EntryId(bytes.fromhex(name)))
        assert sealed is not None
        return ledger.open(sealed.leaf)[0]

    async def put(self, resource: Json) -> Answer:
        """Keep a resource under its own id, as the engine."""
        return await self.ask("PUT", f"{resource['resourceType']}/{resource['id']}", resource)

    async def record(self, reason: str, *prepared: Prepared[Any]) -> None:
        """What an operator does beside the web."""
        entry = Entry(
            action="test",
            agent=Agent(account="", role="operator"),
            purpose="HSYSADMIN",
            outcome="permitted",
            reason=reason,
            request_id="test",
            at_ms=self.time(),
        )
        await self.system.services.ledger.record(entry, *prepared)

    async def issue_token(self, login: str) -> str:
        """Another session of an account."""
        account = self.accounts[login]
        issued = self.system.services.tokens.prepare_issue(account, account.assurance)
        await self.record("a token was issued", issued)
        return issued.value.secret.reveal().decode()

    async def integrate(self) -> None:
        """Every entry takes its place in the log."""
        while await self.system.sequencer.integrate():
            pass


@asynccontextmanager
async def new_clinic(folder: Path, database_url: str) -> AsyncIterator[Clinic]:
    """A clinic with its accounts and the records of ``ada`` and ``bob``."""
    async with open_clinic(folder, database_url) as clinic:
        for login, kind, fhir_user, grants in PEOPLE:
            prepared = await clinic.system.services.accounts.prepare_create(
                kind, name=f"The {login}", login=login, fhir_user=fhir_user, grants=grants
            )
            await clinic.record("an account was made", prepared)
            clinic.accounts[login] = prepared.value
            clinic.tokens[login] = await clinic.issue_token(login)
        for resource in (*directory(), *chart("ada", "Moreau"), *chart("bob", "Lindqvist"), care_team("ada")):
            answer = await clinic.put(resource)
            assert answer.status == 201, answer.body
        yield clinic


@asynccontextmanager
async def open_clinic(folder: Path, database_url: str) -> AsyncIterator[Clinic]:
    """The application over an installation in ``folder``, which is made, without people, when it is not there yet."""
    settings = Settings(folder, database_url=database_url, base_url="https://records.example.org")
    make_key_file(settings)
    time = Time()
    async with open_system(settings, PASSPHRASE, create=True, clock=time) as system:
        services = system.services
        accounts = Accounts(services.database, services.keyring, time, cost=CHEAP)
        throttle = Throttle(services.database, services.keyring, time)
        sign_in = SignIn(accounts, throttle, time, cost=CHEAP)
        lookout = Lookout(settings, lambda _: [])  # the checks of the machine connect to the installation's name
        cheap = replace(services, accounts=accounts, sign_in=sign_in, lookout=lookout)
        application = WebApplication(cheap)
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url=settings.base_url) as client:
            yield Clinic(replace(system, services=cheap), application, client, time)


def make_key_file(settings: Settings) -> None:
    """The home folder with its key file, unless it is there."""
    if not settings.home.exists():
        settings.home.mkdir()
        KeyFile.create(settings.key_file, PASSPHRASE, cost=CHEAP)


async def records_kept(database: Database) -> int:
    """How many record versions there are."""
    row = await database.fetch_one("SELECT count(*) FROM record_version")
    assert row is not None
    return int(row[0])


def directory() -> list[Json]:
    """The practitioners."""
    return [
        {"resourceType": "Practitioner", "id": "physician", "name": [{"family": "Okafor"}]},
        {"resourceType": "Practitioner", "id": "emergency", "name": [{"family": "Brandt"}]},
    ]


def chart(patient: str, family: str) -> list[Json]:
    """A patient and a few records."""
    return [
        {
            "resourceType": "Patient",
            "id": patient,
            "name": [{"family": family, "given": ["Robin"]}],
            "birthDate": "1970-02-28",
        },
        observation(f"{patient}-pulse", patient, 72, "2026-03-01"),
        observation(f"{patient}-pulse-2", patient, 88, "2026-04-01"),
        {
            "resourceType": "Condition",
            "id": f"{patient}-asthma",
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "195967001"}], "text": "Asthma"},
            "subject": {"reference": f"Patient/{patient}"},
        },
    ]


def observation(id_: str, patient: str, value: float, day: str) -> Json:
    """A heart rate."""
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": f"{day}T08:00:00Z",
        "valueQuantity": {"value": value, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    }


def care_team(patient: str, *, status: str = "active") -> Json:
    """The team that makes the physician one of those who care for a patient."""
    return {
        "resourceType": "CareTeam",
        "id": f"{patient}-team",
        "status": status,
        "subject": {"reference": f"Patient/{patient}"},
        "participant": [{"member": {"reference": "Practitioner/physician"}}],
    }
