"""How the ledger reaches the receivers that ``[siem.NAME]`` names: syslog over TLS, and signed webhooks.

The host in the settings is the only one that is reached. A webhook is signed like every notification of this server
(``web.subscriptions.signing``), so a receiver verifies it by the key below ``/.well-known``.
"""

import os
import ssl
from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit

from carekeep import __version__
from carekeep.audit import Followed
from carekeep.audit.export import (
    FORMATS,
    Destination,
    NotTaken,
    Origin,
    Pseudonym,
    Send,
    Shipper,
    SiemSettings,
    framed,
    syslog_message,
    told_of,
)
from carekeep.audit.export.siem_settings import SYSLOG
from carekeep.encryption import Tagger
from carekeep.storage import Clock
from carekeep.web.outgoing import AllowedHosts, Endpoint, EndpointRefused
from carekeep.web.outgoing.tls_stream import NotDelivered, deliver
from carekeep.web.services import Services
from carekeep.web.subscriptions.rest_hook import Undelivered, post
from carekeep.web.subscriptions.signing import SigningKey, signed_headers

TIMEOUT_S = 30.0
_JSON = "application/json"


def siem_shippers(settings: SiemSettings, services: Services) -> list[Shipper]:
    """The tasks that deliver, one for each receiver. Raises OSError for files that cannot be used."""
    return [shipper_to(destination, services) for destination in settings.all]


def shipper_to(destination: Destination, services: Services) -> Shipper:
    """The task that delivers to one receiver. Raises OSError for files that cannot be used."""
    trust = ssl.create_default_context(cafile=destination.ca)
    if destination.certificate is not None:
        trust.load_cert_chain(destination.certificate, destination.key)
    hosts = AllowedHosts.parse(f"{destination.host}:{destination.port} {destination.networks}")
    send: Send
    if destination.kind == SYSLOG:
        send = syslog_to(destination, hosts, trust)
    else:
        send = webhook_to(destination, hosts, trust, services.keyring.notification_key, services.clock)
    origin, pseudonym = origin_of(services), pseudonyms(services.keyring.index)
    render = partial(_render, destination, origin, pseudonym)
    return Shipper(services.database, services.ledger, destination, render, send)


def pseudonyms(tagger: Tagger) -> Pseudonym:
    """Pseudonyms under the key of the index; see ``told``."""
    return lambda kind, id_: tagger.digest("siem", kind, id_).hex()


def origin_of(services: Services) -> Origin:
    """Who tells."""
    return Origin(urlsplit(services.fhir_url).hostname or "localhost", __version__)


def syslog_to(destination: Destination, hosts: AllowedHosts, trust: ssl.SSLContext) -> Send:
    """Syslog over TLS: a connection for each batch, whose end says that the batch was read."""
    endpoint = Endpoint(destination.host, destination.port, "/")

    async def send(messages: Sequence[bytes]) -> None:
        content = b"".join(map(framed, messages))
        try:
            await deliver(endpoint, content, hosts=hosts, trust=trust, timeout_s=TIMEOUT_S)
        except NotDelivered as error:
            raise NotTaken(str(error)) from None

    return send


def webhook_to(
    destination: Destination, hosts: AllowedHosts, trust: ssl.SSLContext, key: SigningKey, clock: Clock
) -> Send:
    """A signed POST of a JSON array for each batch, taken when the answer is a 2xx."""

    async def send(messages: Sequence[bytes]) -> None:
        body = b"[" + b",".join(messages) + b"]"
        try:
            endpoint = hosts.endpoint(destination.url)
            nonce = os.urandom(16).hex()
            signed = signed_headers(key, endpoint.uri, _JSON, body, created_s=clock() // 1000, nonce=nonce)
            headers = [("Content-Type", _JSON), *signed]
            await post(endpoint, headers, body, hosts=hosts, trust=trust, timeout_s=TIMEOUT_S)
        except (EndpointRefused, Undelivered) as error:
            raise NotTaken(str(error).rstrip(".")) from None

    return send


def _render(destination: Destination, origin: Origin, pseudonym: Pseudonym, followed: Followed) -> bytes:
    told = told_of(followed, pseudonym)
    content = FORMATS[destination.format](told, origin)
    return syslog_message(told, origin, destination.format, content) if destination.kind == SYSLOG else content
