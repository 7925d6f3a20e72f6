"""The ledger goes to a SIEM for real: by syslog over TLS and by signed webhook, and never in the way of requests."""

import asyncio
import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from carekeep.audit.export import Destination, NotTaken, SiemSettings, standing_of
from carekeep.web.exchange.siem import shipper_to, siem_shippers
from carekeep.web.health.siem import diagnose_siem
from carekeep.web.subscriptions.signing import content_digest, signature_base
from tests.audit.export.said import xml_of
from tests.web.clinic import Clinic, on_sqlite
from tests.web.outgoing.syslog_receiver import Manner, SyslogReceiver, running_syslog
from tests.web.subscriptions.receiver import running_receiver

TEN_MINUTES_MS = 600_000


def syslog_at(receiver: SyslogReceiver, format_: str = "ocsf") -> Destination:
    table = {
        "kind": "syslog",
        "url": f"syslog+tls://localhost:{receiver.port}",
        "networks": "127.0.0.0/8 ::1/128",
        "format": format_,
        "ca": "ca.pem",
    }
    (destination,) = SiemSettings.read({"soc": table}, receiver.folder).all
    return destination


def split(message: bytes) -> tuple[bytes, bytes]:
    """Header and content of a syslog message."""
    parts = message.split(b" ", 7)
    return b" ".join(parts[:7]), parts[7]


async def deliver(clinic: Clinic, destination: Destination) -> None:
    while await shipper_to(destination, clinic.system.services).turn():
        pass


async def ids_of(clinic: Clinic) -> list[str]:
    return [sealed.entry_id.hex() async for sealed in clinic.system.services.ledger.entries()]


async def test_what_happens_here_is_seen_there(clinic: Clinic, tmp_path: Path) -> None:
    """Over a receiver that breaks off, is killed after it has read, and comes back: each entry, none twice too few."""
    read = await clinic.ask("GET", "Patient/ada", who="physician")
    await clinic.ask("GET", "Patient/ada", who=None)
    await clinic.integrate()
    async with running_syslog(tmp_path / "tls") as receiver:
        receiver.manners = [Manner.CLOSE_MID_FRAME, Manner.VANISH]
        destination = syslog_at(receiver)
        for _ in range(2):
            with pytest.raises(NotTaken):
                await deliver(clinic, destination)
        receiver.done.clear()
        await deliver(clinic, destination)
        await receiver.done.wait()
    events = [json.loads(split(message)[1]) for message in receiver.messages]
    assert [event["metadata"]["uid"] for event in events] == await ids_of(clinic)
    (seen,) = [event for event in events if event["metadata"]["uid"] == read.headers["x-ledger-entry"]]
    assert (seen["status_code"], seen["api"]["operation"]) == ("permitted", "fhir:record:read")
    assert seen["actor"]["user"]["uid"] == clinic.accounts["physician"].id.hex()
    assert len(seen["unmapped"]["patients"]) == 1
    assert "denied" in {event["status_code"] for event in events}
    assert not re.search(r"(?<![0-9a-z])ada(?![0-9a-z])", str(events))  # ids are hexadecimal, and may spell it


@on_sqlite
async def test_atna_by_syslog(clinic: Clinic, tmp_path: Path) -> None:
    read = await clinic.ask("GET", "Patient/ada", who="physician")
    await clinic.integrate()
    async with running_syslog(tmp_path / "tls") as receiver:
        await deliver(clinic, syslog_at(receiver, "atna"))
        await receiver.done.wait()
    (message,) = [each for each in receiver.messages if read.headers["x-ledger-entry"].encode() in each]
    header, content = split(message)
    assert header.endswith(b" Carekeep - DICOM+RFC3881 -")
    event = xml_of(content)[0]
    assert event.attrib["EventActionCode"] == "R"


@on_sqlite
async def test_a_webhook_is_signed_like_a_notification(clinic: Clinic, tmp_path: Path) -> None:
    await clinic.integrate()
    with running_receiver(tmp_path / "tls") as receiver:
        receiver.answers = [503]
        table = {
            "kind": "webhook",
            "url": receiver.url,
            "networks": "127.0.0.0/8 ::1/128",
            "ca": str(receiver.authority),
        }
        settings = SiemSettings.read({"soc": table}, tmp_path)
        (shipper,) = siem_shippers(settings, clinic.system.services)
        with pytest.raises(NotTaken, match="answered 503"):
            await shipper.turn()
        while await shipper.turn():
            pass
    refused, taken = receiver.received
    assert refused.body == taken.body
    events: list[dict[str, Any]] = json.loads(taken.body)
    assert [event["metadata"]["uid"] for event in events] == await ids_of(clinic)
    assert taken.headers["content-digest"] == content_digest(taken.body)
    parameters = taken.headers["signature-input"].removeprefix("carekeep=")
    covered = (
        ("@method", "POST"),
        ("@target-uri", receiver.url),
        ("content-type", "application/json"),
        ("content-digest", taken.headers["content-digest"]),
    )
    signature = base64.b64decode(taken.headers["signature"].removeprefix("carekeep=:").removesuffix(":"))
    key = clinic.system.keyring.notification_key.public_key()
    key.verify(signature, signature_base(covered, parameters))


@on_sqlite
async def test_a_receiver_that_hangs_holds_up_nobody(clinic: Clinic, tmp_path: Path) -> None:
    await clinic.integrate()
    async with running_syslog(tmp_path / "tls") as receiver:
        receiver.manners = [Manner.NEVER_READ]
        task = asyncio.create_task(deliver(clinic, syslog_at(receiver)))
        await receiver.waiting.wait()
        for _ in range(3):
            assert (await clinic.ask("GET", "Patient/ada", who="physician")).status == 200
        assert not task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await deliver(clinic, syslog_at(receiver))


@on_sqlite
async def test_the_doctor_says_how_far_behind(clinic: Clinic, tmp_path: Path) -> None:
    await clinic.integrate()
    services = clinic.system.services
    async with running_syslog(tmp_path / "tls") as receiver:
        destination = syslog_at(receiver)
        settings = SiemSettings((destination,))
        behind = (await standing_of(destination, services.database, services.ledger)).behind
        assert behind > 0
        clinic.time.now_ms += TEN_MINUTES_MS * 2
        (late,) = await diagnose_siem(services, settings)
        assert late.state == "warning"
        assert f"{behind} entries behind" in late.what
        await deliver(clinic, destination)
        (well,) = await diagnose_siem(services, settings)
        assert (well.state, well.what) == ("ok", "The SIEM soc is 0 entries behind.")
    assert await diagnose_siem(services, SiemSettings()) == []
