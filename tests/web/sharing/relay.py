"""A mail relay: a real SMTP server over TLS, in this loop, on a port of its own."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP

from carekeep.encryption.certificates import make_local_authority


@dataclass(slots=True)
class Relay:
    """What it took. ``refuses``: it answers every letter with this instead."""

    folder: Path
    port: int = 0
    letters: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    refuses: str = ""

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.refuses:
            return self.refuses
        self.letters.append((envelope.rcpt_tos, message_from_bytes(envelope.content, EmailMessage, policy=default)))
        return "250 taken"


@asynccontextmanager
async def running_relay(folder: Path, *, starttls: bool = False) -> AsyncIterator[Relay]:
    make_local_authority(folder, ["localhost"], datetime.datetime.now(datetime.UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    relay = Relay(folder)
    loop = asyncio.get_running_loop()

    def session() -> SMTP:
        return SMTP(relay, tls_context=context if starttls else None, require_starttls=starttls, loop=loop)

    server = await loop.create_server(session, "127.0.0.1", 0, ssl=None if starttls else context)
    relay.port = server.sockets[0].getsockname()[1]
    try:
        yield relay
    finally:
        server.close()
