"""Which host is answered, with what, and what is told at all of them."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from carekeep.audit import EntryId
from carekeep.encryption import Secret
from carekeep.web import WebApplication
from carekeep.web.origins import authority
from carekeep.web.security_txt import security_text
from tests.web.clinic import Clinic, on_sqlite
from tests.web.knocking import Header, Reply, check_refusal, kept, knock

API, SIGN_IN = b"records.example.org", b"auth.records.example.org"
FRONT: Header = (b"x-carekeep-front", b"the secret of the front")
TEXT = security_text(
    contact="mailto:security@example.org",
    expires=date(2027, 10, 1),
    policy="https://example.org/security",
    languages="en, fr",
    origins=("https://records.example.org/", "https://auth.records.example.org"),
)


def behind_a_front(clinic: Clinic, **changes: Any) -> Clinic:
    """The clinic as if set up with what differs: by default the secret of a front."""
    services = replace(clinic.system.services, front_secret=Secret(FRONT[1]), **changes)
    return replace(clinic, application=WebApplication(services))


async def at(clinic: Clinic, host: bytes, path: bytes = b"/fhir/Patient/ada", method: str = "GET") -> Reply:
    return await knock(clinic, method, path, headers=[(b"host", host)])


@on_sqlite
@pytest.mark.parametrize(
    "host",
    [
        b"",
        b"evil.example",
        b"evil.example:443",
        b"localhost",
        b"127.0.0.1",
        b"[::1]",
        b"records.example.org:8443",
        b"records.example.org:",
        b"records.example.org.",
        b"records.example.org.evil.example",
        b"records.example.org@evil.example",
        b"x.records.example.org",
        b"records.example.org, evil.example",
        b"\xff\xfe",
    ],
)
async def test_an_unknown_host_is_misdirected_and_nothing_happens(clinic: Clinic, host: bytes) -> None:
    """A name that somebody made lead here (DNS rebinding) must not become an origin with patients behind it."""
    before = await kept(clinic.system.database)
    reply = await at(clinic, host)
    check_refusal(reply)
    assert reply.status == 421
    assert b"x-ledger-entry" not in reply.headers
    assert await kept(clinic.system.database) == before


@on_sqlite
@pytest.mark.parametrize("host", [API, b"Records.Example.ORG", b"records.example.org:443"])
async def test_the_host_of_the_api_however_it_is_written(clinic: Clinic, host: bytes) -> None:
    assert (await at(clinic, host)).status == 200


@on_sqlite
async def test_two_hosts_in_one_request_are_refused(clinic: Clinic) -> None:
    for path in (b"/fhir/Patient/ada", b"/nothing"):
        for second in (API, SIGN_IN, b"evil.example"):
            reply = await knock(clinic, "GET", path, headers=[(b"host", API), (b"host", second)])
            check_refusal(reply)
            assert reply.status == 400


@on_sqlite
@pytest.mark.parametrize("path", [b"/fhir/Patient/ada", b"/fhir/metadata", b"/bulk", b"/ledger/key", b"/auth/session"])
async def test_the_sign_in_host_has_nothing_of_the_api(clinic: Clinic, path: bytes) -> None:
    assert (await at(clinic, SIGN_IN, path)).status == 404


@on_sqlite
@pytest.mark.parametrize("host", [API, SIGN_IN, b"10.0.0.7:8443", b""])
async def test_whether_it_lives_is_told_at_any_host(clinic: Clinic, host: bytes) -> None:
    reply = await at(clinic, host, b"/healthz")
    assert (reply.status, reply.body) == (200, b"ok\n")


@pytest.mark.parametrize(
    ("url", "header"),
    [
        ("https://records.example.org", b"records.example.org"),
        ("https://Records.example.org/", b"records.example.org"),
        ("https://records.example.org:443", b"records.example.org"),
        ("https://localhost:8443/fhir", b"localhost:8443"),
        ("https://[2001:DB8::1]:8443", b"[2001:db8::1]:8443"),
    ],
)
def test_the_authority_of_a_url(url: str, header: bytes) -> None:
    assert authority(url) == header


@on_sqlite
@pytest.mark.parametrize("host", [API, SIGN_IN])
async def test_security_txt_is_at_every_host(clinic: Clinic, host: bytes) -> None:
    told = behind_a_front(clinic, security_text=TEXT)
    reply = await at(told, host, b"/.well-known/security.txt")
    assert reply.status == 200
    assert reply.headers[b"content-type"] == b"text/plain; charset=utf-8"
    assert reply.body.decode().splitlines() == [
        "Contact: mailto:security@example.org",
        "Expires: 2027-10-01T00:00:00Z",
        "Canonical: https://records.example.org/.well-known/security.txt",
        "Canonical: https://auth.records.example.org/.well-known/security.txt",
        "Policy: https://example.org/security",
        "Preferred-Languages: en, fr",
    ]
    head = await at(told, host, b"/.well-known/security.txt", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert (await at(told, host, b"/.well-known/security.txt", "POST")).status == 405


@on_sqlite
@pytest.mark.parametrize("host", [API, SIGN_IN])
async def test_without_a_contact_there_is_no_security_txt(clinic: Clinic, host: bytes) -> None:
    assert (await at(clinic, host, b"/.well-known/security.txt")).status == 404


async def recorded_address(clinic: Clinic, *headers: Header) -> str | None:
    reply = await knock(clinic, "GET", b"/fhir/Patient/ada", headers=headers)
    assert reply.status == 200
    sealed = await clinic.system.services.ledger.find(EntryId(bytes.fromhex(reply.headers[b"x-ledger-entry"].decode())))
    assert sealed is not None
    return clinic.system.services.ledger.open(sealed.leaf)[0].agent.address


@on_sqlite
async def test_the_ledger_holds_the_address_that_the_front_saw(clinic: Clinic) -> None:
    fronted = behind_a_front(clinic)
    forged = (b"x-forwarded-for", b"203.0.113.9")
    seen = (b"x-forwarded-for", b"203.0.113.9, 198.51.100.7")
    assert await recorded_address(fronted, FRONT, seen) == "198.51.100.7"
    assert await recorded_address(fronted, forged) == "127.0.0.1"
    assert await recorded_address(fronted, (FRONT[0], b"a guess"), forged) == "127.0.0.1"
    assert await recorded_address(clinic, FRONT, forged) == "127.0.0.1"
