"""A witness over HTTP: each answer as C2SP tlog-witness asks for it, and what others fetch."""

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from carekeep.audit.note import open_note
from carekeep.audit.witnessing import LARGEST_REQUEST, SplitView, Witness, hash_of
from carekeep.web.exchange.witness import WitnessApplication
from tests.audit.witnessing.parties import HONEST, ORIGIN, Log, a_witness, cosigners, with_lines

NAME = "witness.example/w1"
FORK = Log(fork_at=3)
TEXT = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    """A witness that has 7 entries of the honest log."""
    made = a_witness(tmp_path)
    made.add_checkpoint(HONEST.request(0, 7))
    return made


@pytest.fixture
async def client(witness: Witness) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(WitnessApplication(witness))
    async with httpx.AsyncClient(transport=transport, base_url="https://witness.example") as opened:
        yield opened


@pytest.mark.parametrize(
    ("body", "status", "content_type", "answer"),
    [
        (HONEST.request(5, 9), 409, SIZE, b"7\n"),
        (HONEST.request(0, 9), 409, SIZE, b"7\n"),
        (FORK.request(7, 7), 409, SIZE, b"7\n"),
        (FORK.request(7, 9), 422, TEXT, b"the consistency proof does not lead to both roots\n"),
        (Log(origin="unknown.example").request(0, 9), 404, TEXT, b"this witness does not know the log\n"),
        (Log(keyname="other").request(7, 9), 403, TEXT, b"no known key has signed the note\n"),
        (b"", 400, TEXT, b"it does not begin with an old size\n"),
        (b"x" * (LARGEST_REQUEST + 1), 413, TEXT, b"The body may be at most %d bytes.\n" % LARGEST_REQUEST),
    ],
    ids=["old size", "asking", "two roots", "bad proof", "unknown log", "unknown key", "empty", "huge"],
)
async def test_refusals(client: httpx.AsyncClient, body: bytes, status: int, content_type: str, answer: bytes) -> None:
    found = await client.post("/add-checkpoint", content=body)
    assert (found.status_code, found.headers["content-type"], found.content) == (status, content_type, answer)


async def test_a_cosigned_checkpoint_is_given_to_whoever_asks(client: httpx.AsyncClient) -> None:
    answer = await client.post("/add-checkpoint", content=HONEST.request(7, 9))
    assert (answer.status_code, answer.headers["content-type"]) == (200, TEXT)
    keys = [each.key for each in cosigners(NAME)]
    assert len(open_note(with_lines(HONEST.note(9), answer.text), keys).signatures) == 2
    copy = await client.get(f"/{hash_of(ORIGIN)}/checkpoint")
    assert len(open_note(copy.text, [*HONEST.keys, *keys]).signatures) == 3
    assert (await client.get(f"/{hash_of('unknown')}/checkpoint")).status_code == 404
    assert (await client.get("/keys")).text == "".join(f"{key}\n" for key in keys)


async def test_proofs_are_given_to_whoever_asks(client: httpx.AsyncClient) -> None:
    await client.post("/add-checkpoint", content=FORK.request(7, 9))
    name = (await client.get("/split-views")).text.strip()
    SplitView.parse((await client.get(f"/split-views/{name}")).text).check(HONEST.keys)
    assert (await client.get("/split-views/" + "0" * 64)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/add-checkpoint", 404),
        ("PUT", "/add-checkpoint", 404),
        ("POST", "/keys", 404),
        ("GET", "/", 404),
        ("GET", "/witness.key", 404),
        ("GET", "/../witness.key", 404),
        ("GET", "/%2e%2e/checkpoint", 404),
        ("GET", "/split-views/..", 404),
        ("GET", f"/{'0' * 63}g/checkpoint", 404),
        ("GET", "/" + "a" * 2000, 414),
        ("GET", "/healthz", 200),
    ],
    ids=["get", "put", "post", "root", "key", "parent", "encoded", "dots", "no hash", "long", "healthz"],
)
async def test_nothing_else_is_served(client: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    answer = await client.request(method, path)
    assert answer.status_code == status
    assert b"ed25519" not in answer.content


async def test_a_broken_witness_says_so(client: httpx.AsyncClient, witness: Witness) -> None:
    (witness.folder.path / "witness.key").unlink()
    answer = await client.post("/add-checkpoint", content=HONEST.request(7, 9))
    assert answer.status_code == 500
    assert "carekeep witness init" in answer.text


async def test_a_body_that_does_not_come_is_not_waited_for(witness: Witness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carekeep.web.exchange.witness._BODY_S", 0)
    sent = []

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        return {}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message.get("status"))

    scope = {"type": "http", "method": "POST", "path": "/add-checkpoint", "query_string": b"", "headers": []}
    await WitnessApplication(witness)(scope, receive, send)
    assert sent == [408, None]


async def test_too_many_at_once_come_again(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("carekeep.web.exchange.witness._MOST_AT_ONCE", 0)
    assert (await client.post("/add-checkpoint", content=HONEST.request(7, 9))).status_code == 503
