"""Bytes to somebody who never answers: what counts as delivered, and what does not."""

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from carekeep.web.outgoing import AllowedHosts, Endpoint
from carekeep.web.outgoing.tls_stream import NotDelivered, deliver
from tests.web.outgoing.syslog_receiver import Manner, SyslogReceiver, running_syslog

FRAMES = b"".join(b"%d %b" % (size, b"x" * size) for size in (5, 8_000, 1, 3_000))
SIZES = [5, 8_000, 1, 3_000]
LARGE = b"4000000 " + b"y" * 4_000_000


async def send(receiver: SyslogReceiver, content: bytes = FRAMES, timeout_s: float = 5.0) -> None:
    hosts = AllowedHosts.parse(receiver.hosts)
    await deliver(
        Endpoint("localhost", receiver.port, "/"), content, hosts=hosts, trust=receiver.trust, timeout_s=timeout_s
    )


@pytest.mark.parametrize("manner", [Manner.TAKE, Manner.READ_SLOWLY])
async def test_what_was_read_to_the_end_is_delivered(manner: Manner, tmp_path: Path) -> None:
    async with running_syslog(tmp_path) as receiver:
        receiver.manners = [manner]
        await send(receiver)
        await receiver.done.wait()
        assert [len(message) for message in receiver.messages] == SIZES


async def test_four_megabytes(tmp_path: Path) -> None:
    async with running_syslog(tmp_path) as receiver:
        await send(receiver, LARGE)
        await receiver.done.wait()
        assert [len(message) for message in receiver.messages] == [4_000_000]


@pytest.mark.parametrize(
    ("manner", "content"),
    [
        (Manner.CLOSE_MID_FRAME, FRAMES),
        (Manner.CLOSE_MID_FRAME, LARGE),
        (Manner.VANISH, FRAMES),
        (Manner.VANISH, LARGE),
        (Manner.SAY_GOODBYE_FIRST, LARGE),
    ],
    ids=["breaks-small", "breaks-large", "vanishes-small", "vanishes-large", "ends-in-order"],
)
async def test_a_receiver_that_breaks_off_has_taken_nothing(manner: Manner, content: bytes, tmp_path: Path) -> None:
    """Written to the socket is not delivered: a small batch fits into buffers that nobody reads."""
    async with running_syslog(tmp_path) as receiver:
        receiver.manners = [manner]
        with pytest.raises(NotDelivered):
            await send(receiver, content)
        receiver.done.clear()
        await send(receiver)  # it comes back
        await receiver.done.wait()
        assert [len(message) for message in receiver.messages] == SIZES


@pytest.mark.parametrize("content", [FRAMES, LARGE], ids=["small", "large"])
async def test_a_receiver_that_does_not_read_is_given_up(content: bytes, tmp_path: Path) -> None:
    async with running_syslog(tmp_path) as receiver:
        receiver.manners = [Manner.NEVER_READ]
        with pytest.raises(NotDelivered, match="did not take it within"):
            await send(receiver, content, 0.1)


async def test_nobody_there(tmp_path: Path) -> None:
    async with running_syslog(tmp_path) as receiver:
        pass
    with pytest.raises(NotDelivered, match="the connection failed"):
        await send(receiver)


async def test_only_a_certificate_that_holds_for_the_name_is_trusted(tmp_path: Path) -> None:
    async with running_syslog(tmp_path) as receiver:
        receiver.trust = ssl.create_default_context()
        with pytest.raises(NotDelivered, match="certificate is not accepted"):
            await send(receiver)
        assert not receiver.messages


async def test_a_name_that_leads_to_an_unlisted_network_is_not_connected_to(tmp_path: Path) -> None:
    async with running_syslog(tmp_path) as receiver:
        hosts = AllowedHosts.parse(f"localhost:{receiver.port}")
        with pytest.raises(NotDelivered, match="may not connect to"):
            await deliver(
                Endpoint("localhost", receiver.port, "/"), b"x", hosts=hosts, trust=receiver.trust, timeout_s=5.0
            )
        assert receiver.connections == 0


async def test_a_receiver_that_asks_who_sends(tmp_path: Path) -> None:
    async with running_syslog(tmp_path, mutual=True) as receiver:
        with pytest.raises(NotDelivered):
            await send(receiver)
        receiver.trust.load_cert_chain(client_certificate(tmp_path))
        receiver.done.clear()
        await send(receiver)
        await receiver.done.wait()
        assert len(receiver.messages) == 4


def client_certificate(folder: Path) -> Path:
    """A certificate for a client by the authority of ``folder``, with its key."""
    authority = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
    signer = load_pem_private_key((folder / "ca.key").read_bytes(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(signer, hashes.SHA256())
    )
    path = folder / "client.pem"
    path.write_bytes(
        made.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return path


async def test_to_stop_does_not_wait_for_the_receiver(tmp_path: Path) -> None:
    async with running_syslog(tmp_path) as receiver:
        receiver.manners = [Manner.NEVER_READ]
        task = asyncio.create_task(send(receiver, LARGE, 60.0))
        await receiver.waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 2)
