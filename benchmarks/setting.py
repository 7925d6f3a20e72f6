"""The simulated hospital in a fresh installation, and from it what the measurements ask for."""

import asyncio
import datetime
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carekeep import simulation
from carekeep.access import SYSTEM_GRANT, Action
from carekeep.app import System, open_system
from carekeep.cli.init import create_unattended
from carekeep.cli.installation import read_passphrase
from carekeep.cli.loading import Loadable, Loader
from carekeep.cli.operator import record_operation
from carekeep.encryption import Secret
from carekeep.fhir import dump_json, index_terms
from carekeep.identity import Account, Kind
from carekeep.settings import Settings

SEED = 22
_SAMPLE = 2_000
_TOKEN_LIFETIME_MS = 12 * 3600 * 1000


@dataclass(slots=True)
class Sample:
    """Some of the hospital's records, each equally likely (reservoir sampling), the same at every run."""

    observations: list[dict[str, Any]] = field(default_factory=list)
    patients: list[dict[str, Any]] = field(default_factory=list)
    resources: int = 0
    plain_bytes: int = 0
    terms: int = 0
    _chance: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311 - must repeat
    _seen: dict[str, int] = field(default_factory=dict)

    def take(self, resource: dict[str, Any]) -> None:
        """Look at one more."""
        self.resources += 1
        self.plain_bytes += len(dump_json(resource))
        self.terms += len(index_terms(resource))
        type_ = resource["resourceType"]
        kept = {"Observation": self.observations, "Patient": self.patients}.get(type_)
        if kept is None:
            return
        seen = self._seen[type_] = self._seen.get(type_, 0) + 1
        if len(kept) < _SAMPLE:
            kept.append(resource)
        elif (place := self._chance.randrange(seen)) < _SAMPLE:
            kept[place] = resource


@dataclass(frozen=True, slots=True)
class Hospital:
    """A filled installation. ``app``: bearer token of an app with the system grant; ``clinician``: of a physician.

    ``in_care`` are the ids of the physician's patients; ``loading_s`` is what the load took, without simulating.
    """

    settings: Settings
    passphrase: Secret
    sample: Sample
    app: str
    clinician: str
    in_care: frozenset[str]
    now: datetime.datetime
    loading_s: float


def simulated(patients: int, now: datetime.datetime) -> Iterator[dict[str, Any]]:
    """The resources of a hospital with so many patients, as it is ``now`` (care relations end with time)."""
    hospital = simulation.Hospital(seed=SEED, patients=patients, now=now)
    yield from hospital.directory()
    for chart in hospital.people():
        yield from chart.resources


def build(home: Path, patients: int, port: int, database_url: str = "") -> Hospital:
    """Make an installation in ``home`` and load a hospital of ``patients`` into it, as ``carekeep demo`` does."""
    settings = Settings(home, base_url="https://localhost", port=port, database_url=database_url)
    create_unattended(settings)
    passphrase = read_passphrase(settings)
    return asyncio.run(_fill(settings, passphrase, patients))


async def _fill(settings: Settings, passphrase: Secret, patients: int) -> Hospital:
    now = datetime.datetime.now(datetime.UTC)
    sample = Sample()
    simulating = _Stopwatch()
    begun = time.perf_counter()
    async with open_system(settings, passphrase) as system:
        loader = Loader(system.services, "benchmark")
        await loader.load(_loadable(simulated(patients, now), sample, simulating))
        loading_s = time.perf_counter() - begun - simulating.seconds
        if loader.report.refused:
            raise AssertionError(f"{loader.report.refused} records of the simulated hospital were refused.")
        while await system.sequencer.integrate():
            pass
        cast = {person.key: person for person in simulation.Hospital(SEED, patients, now).cast()}
        app = await _sign_in(system, Kind.APP, "engine", None)
        clinician = await _sign_in(system, Kind.PRACTITIONER, "physician", cast["physician"].fhir_user)
        principal = await system.services.tokens.authenticate(clinician)
        in_care = await system.services.relationships.panel(principal)
    return Hospital(settings, passphrase, sample, app, clinician, in_care, now, loading_s)


@dataclass(slots=True)
class _Stopwatch:
    seconds: float = 0.0


def _loadable(
    resources: Iterator[dict[str, Any]], sample: Sample, simulating: _Stopwatch
) -> Iterator[tuple[str, Loadable]]:
    while True:
        begun = time.perf_counter()
        resource = next(resources, None)
        if resource is not None:
            sample.take(resource)
        simulating.seconds += time.perf_counter() - begun
        if resource is None:
            return
        yield "simulated", resource


async def _sign_in(system: System, kind: Kind, login: str, fhir_user: str | None) -> str:
    """A new account and a bearer token for it."""
    grants = frozenset({SYSTEM_GRANT}) if kind is Kind.APP else frozenset[str]()
    services = system.services
    prepared = await services.accounts.prepare_create(kind, name=login, login=login, fhir_user=fhir_user, grants=grants)
    await record_operation(services, Action.ACCOUNT_MANAGE, "account of a benchmark", prepared)
    account: Account = prepared.value
    issued = services.tokens.prepare_issue(account, account.assurance, _TOKEN_LIFETIME_MS)
    await record_operation(services, Action.SESSION_MANAGE, "token of a benchmark", issued)
    return issued.value.secret.reveal_text()
