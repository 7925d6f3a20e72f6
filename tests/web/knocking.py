"""Requests that no well-behaved client sends, handed straight to the application."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from carekeep.fhir import validate
from carekeep.storage import Database
from tests.web.clinic import Clinic, Json

Header = tuple[bytes, bytes]
JSON_BODY: Header = (b"content-type", b"application/fhir+json")
FORM_BODY: Header = (b"content-type", b"application/x-www-form-urlencoded")
COUNTED = ("record", "record_version", "tag", "patient_key", "account", "access_token", "break_glass")


@dataclass(frozen=True, slots=True)
class Reply:
    """What the application sent; ``all_headers`` where one may stand more than once."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    all_headers: tuple[Header, ...] = ()

    @property
    def json(self) -> Json:
        parsed: Json = json.loads(self.body)
        return parsed


async def knock(
    clinic: Clinic,
    method: str,
    path: bytes,
    query: bytes = b"",
    *,
    body: Sequence[bytes] = (b"",),
    headers: Iterable[Header] = (),
    who: str | None = "engine",
) -> Reply:
    """One request as the server would hand it on: ``path`` is percent-encoded, ``body`` comes in chunks."""
    given = list(headers)
    if not any(name == b"host" for name, _ in given):
        given.append((b"host", b"records.example.org"))
    if who is not None:
        given.append((b"authorization", f"Bearer {clinic.tokens[who]}".encode()))
    chunks = list(body)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": unquote_to_bytes(path).decode("utf-8", "replace"),
        "raw_path": path,
        "root_path": "",
        "query_string": query,
        "headers": given,
        "client": ("127.0.0.1", 40000),
        "server": ("127.0.0.1", 8443),
    }
    await clinic.application(scope, receive, send)
    start, *rest = sent
    body_sent = b"".join(part.get("body", b"") for part in rest)
    return Reply(start["status"], dict(start["headers"]), body_sent, tuple(start["headers"]))


async def kept(database: Database) -> dict[str, int]:
    """How many rows there are of everything that a request could leave behind, but for the ledger."""
    counts = {}
    for table in COUNTED:
        row = await database.fetch_one(f"SELECT count(*) FROM {table}")  # noqa: S608
        assert row is not None
        counts[table] = int(row[0])
    return counts


def check_refusal(reply: Reply) -> None:
    """It is a 4xx, and a valid OperationOutcome that says what is wrong."""
    assert 400 <= reply.status < 500, (reply.status, reply.body)
    assert reply.headers[b"content-type"] == b"application/fhir+json; charset=utf-8"
    outcome = reply.json
    assert outcome["resourceType"] == "OperationOutcome"
    assert validate(outcome) == ()
    assert all(len(issue["diagnostics"]) > 10 for issue in outcome["issue"])
