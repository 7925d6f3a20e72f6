"""A real receiver of notifications: HTTPS on this machine, remembering what came, answering as it is told."""

import datetime
import json
import queue
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from carekeep.encryption.certificates import make_local_authority

Json = dict[str, Any]
PATH = "/notify?from=carekeep"


@dataclass(frozen=True, slots=True)
class Received:
    """One request: header names in lower case, and the body."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def bundle(self) -> Json:
        parsed: Json = json.loads(self.body)
        return parsed

    @property
    def kind(self) -> str:
        return str(status_value(self.bundle, "type"))

    @property
    def numbers(self) -> list[int]:
        return event_numbers(self.bundle)


def status_value(bundle: Json, name: str) -> Any:
    """The value of a parameter of the notification's status."""
    parameters = bundle["entry"][0]["resource"]["parameter"]
    (row,) = [each for each in parameters if each["name"] == name]
    return next(value for key, value in row.items() if key.startswith("value"))


def event_numbers(bundle: Json) -> list[int]:
    parameters = bundle["entry"][0]["resource"]["parameter"]
    events = [each["part"] for each in parameters if each["name"] == "notification-event"]
    return [int(part["valueString"]) for parts in events for part in parts if part["name"] == "event-number"]


@dataclass(slots=True)
class Receiver:
    """``answers`` are statuses for the next requests (200 when there are none left); ``location`` is for redirects."""

    port: int
    trust: ssl.SSLContext
    authority: Path
    received: list[Received] = field(default_factory=list)
    arrived: "queue.Queue[Received]" = field(default_factory=queue.Queue)
    answers: list[int] = field(default_factory=list)
    location: str = ""

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}{PATH}"

    @property
    def hosts(self) -> str:
        return f"localhost:{self.port} 127.0.0.0/8 ::1/128"

    def of(self, kind: str) -> list[Received]:
        return [each for each in self.received if each.kind == kind]


@contextmanager
def running_receiver(folder: Path, port: int = 0) -> Iterator[Receiver]:
    """A receiver with a certificate for localhost by an authority of its own."""
    if not (folder / "ca.pem").exists():
        make_local_authority(folder, ["localhost"], datetime.datetime.now(datetime.UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    server = ThreadingHTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    trust = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    receiver = Receiver(server.server_address[1], trust, folder / "ca.pem")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = receiver.answers.pop(0) if receiver.answers else 200
            self.send_response(status)
            if receiver.location:
                self.send_header("location", receiver.location)
            self.send_header("content-length", "0")
            self.end_headers()
            received = Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            receiver.received.append(received)
            receiver.arrived.put(received)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server.RequestHandlerClass = Handler
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients may break off
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
