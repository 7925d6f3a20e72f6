"""What the check of the token and the decision add to a request when nothing has changed since the last one.

Measured within the process: the processor time of ``Passage.authenticate`` and ``Passage.judge``, as the route of a
read calls them. The rest of a request (HTTP, the record, the entry, the disk) is not in it.
"""

import asyncio
import base64
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from benchmarks.load import percentile
from benchmarks.report import Figure, Goal
from benchmarks.setting import Hospital
from benchmarks.stage import Stage
from carekeep.access import Action
from carekeep.app import System, open_system
from carekeep.cli.operator import record_operation
from carekeep.identity import Binding, BindingKind, Delegation
from carekeep.identity.apps.public_keys import read_public_key, thumbprint_of
from carekeep.records import Stored
from carekeep.web.http import CERTIFICATE, Request, read_request
from carekeep.web.passage import Passage

_GROUP = "token check and decision (processor time within the process)"
_GOAL_US = 120.0
_DAY_MS = 24 * 3600 * 1000
_RECORDS = 100
_COORDINATE = 32  # bytes, of P-256
_SCOPES = "openid fhirUser offline_access user/Patient.rs user/Encounter.rs user/Condition.rs user/Observation.rs"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category|"
_WITH_CATEGORY = " ".join(f"user/Observation.rs?category={_CATEGORY}{code}" for code in ("laboratory", "vital-signs"))


@dataclass(frozen=True, slots=True)
class _Case:
    """A sort of session. ``headers`` and ``certificate`` are what comes with each of its requests, by the path."""

    name: str
    headers: Callable[[str], Mapping[bytes, bytes]]
    certificate: bytes | None = None
    goal: Goal | None = None


def measure(stage: Stage) -> Iterator[Figure]:
    """p50 of the time for a physician's own session, an app's, and sessions that are bound to a key."""
    yield from asyncio.run(_figures(stage.hospital, stage.scale.checks))


async def _figures(hospital: Hospital, checks: int) -> list[Figure]:
    async with open_system(hospital.settings, hospital.passphrase) as system:
        records = await _records(system, hospital)
        cases = await _cases(system)
        times: dict[str, list[float]] = {case.name: [] for case in cases}
        for turn in range(checks + _RECORDS):  # all cases in turn, so that each meets the same machine
            for case in cases:
                used = await _once(system, case, records[turn % len(records)])
                if turn >= _RECORDS:  # until then relations and decisions are looked up
                    times[case.name].append(used)
    return [Figure(_GROUP, case.name, percentile(sorted(times[case.name]), 0.5), "µs", case.goal) for case in cases]


async def _once(system: System, case: _Case, stored: Stored) -> float:
    """The processor time of one check, in microseconds."""
    path = f"/fhir/{stored.reference}"
    request = _request(path, case)
    begun = time.thread_time_ns()
    passage = Passage(system.services, request)
    await passage.authenticate(Action.READ)
    decision = await passage.judge(Action.READ, passage.target_of(stored))
    used = time.thread_time_ns() - begun
    if not decision.permitted:
        raise AssertionError(f"{case.name}: {decision.reason}")
    return used / 1000


async def _records(system: System, hospital: Hospital) -> list[Stored]:
    """Observations of the physician's patients that every case may read."""
    wanted = ("laboratory", "vital-signs")
    found: list[Stored] = []
    for each in hospital.sample.observations:
        coded = {coding["code"] for category in each.get("category", ()) for coding in category["coding"]}
        if each["subject"]["reference"].removeprefix("Patient/") in hospital.in_care and coded.intersection(wanted):
            found.append(await system.services.vault.read("Observation", each["id"]))
    return found[:_RECORDS]


async def _cases(system: System) -> list[_Case]:
    key, certificate = ec.generate_private_key(ec.SECP256R1()), secrets.token_bytes(900)
    dpop = Binding(BindingKind.DPOP, read_public_key(_jwk(key)).thumbprint)
    bound = Binding(BindingKind.CERTIFICATE, thumbprint_of(certificate))
    goal = Goal(_GOAL_US, at_most=True)
    delegations = {
        "an app with scopes": _SCOPES,
        "an app with scopes that have search arguments": f"openid user/Patient.rs {_WITH_CATEGORY}",
    }
    cases = [_Case("a person's own session", _bearer(await _token(system)), goal=goal)]
    for name, scopes in delegations.items():
        token = await _token(system, delegation=Delegation("client", "An app", scopes))
        cases.append(_Case(name, _bearer(token), goal=goal))
    cases.append(_Case("bound to a certificate", _bearer(await _token(system, binding=bound)), certificate))
    cases.append(_Case("bound to a key (DPoP, ES256)", _proving(system, key, await _token(system, binding=dpop))))
    return cases


async def _token(system: System, *, binding: Binding | None = None, delegation: Delegation | None = None) -> str:
    services = system.services
    account = await services.accounts.find("physician")
    if account is None:
        raise LookupError("The hospital has no physician.")
    issued = services.tokens.prepare_issue(account, 2, _DAY_MS, binding=binding, delegation=delegation)
    await record_operation(services, Action.SESSION_MANAGE, "token of a benchmark", issued)
    return issued.value.secret.reveal_text()


def _request(path: str, case: _Case) -> Request:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": list(case.headers(path).items()),
        "client": ("192.0.2.1", 50_000),
        CERTIFICATE: case.certificate,
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b""}

    return read_request(scope, receive)


def _bearer(token: str) -> Callable[[str], Mapping[bytes, bytes]]:
    headers = {b"authorization": f"Bearer {token}".encode()}
    return lambda _path: headers


def _proving(system: System, key: ec.EllipticCurvePrivateKey, token: str) -> Callable[[str], Mapping[bytes, bytes]]:
    """A new proof for each request (RFC 9449 §4.2)."""
    services = system.services
    base_url = services.fhir_url.removesuffix("/fhir")
    header = _packed({"typ": "dpop+jwt", "alg": "ES256", "jwk": _jwk(key)})
    hashed = _b64(hashlib.sha256(token.encode()).digest())

    def headers(path: str) -> Mapping[bytes, bytes]:
        claims = {
            "jti": secrets.token_urlsafe(16),
            "htm": "GET",
            "htu": base_url + path,
            "iat": services.clock() // 1000,
            "nonce": services.proofs.nonce(),
            "ath": hashed,
        }
        text = f"{header}.{_packed(claims)}"
        r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        signature = _b64(r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big"))
        return {b"authorization": f"DPoP {token}".encode(), b"dpop": f"{text}.{signature}".encode()}

    return headers


def _jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = key.public_key().public_numbers()
    x, y = (_b64(number.to_bytes(_COORDINATE, "big")) for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def _packed(content: object) -> str:
    return _b64(orjson.dumps(content))


def _b64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")
