"""Clients that work until the server dies, and write down what they were told."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.promises.connection import Connection, Reply, connected
from tests.promises.installation import PATIENCE_S, Installation

Json = dict[str, Any]
PATIENTS = 6
RECORDS = 12
# How often each is done, as in the mixed load of the benchmarks.
MIX = {"read": 30, "create": 25, "update": 25, "transaction": 10, "search": 5, "denied": 5}


@dataclass(frozen=True, slots=True)
class Told:
    """One answer whose head was received: ``made`` are the versions that it acknowledges, with their content.

    ``body`` of a version is None where the connection broke before it was whole.
    """

    what: str
    request_id: str
    status: int
    entry: str
    made: tuple[tuple[str, int, Json | None], ...] = ()
    read: tuple[str, int] | None = None


class Countdown:
    """``over`` is set when so many answers have come."""

    def __init__(self, answers: int) -> None:
        self.over = asyncio.Event()
        self._left = answers
        self.count(0)

    def count(self, answers: int) -> None:
        self._left -= answers
        if self._left <= 0:
            self.over.set()


class Client:
    """One person's program: one connection, one thing after the other, everything by seed."""

    def __init__(self, name: str, tokens: dict[str, str], seed: int) -> None:
        self.name = name
        self.told: list[Told] = []
        self._tokens = tokens
        self._random = random.Random(seed)  # noqa: S311 - chance that must repeat
        self._number = 0

    async def work(self, installation: Installation, countdown: Countdown) -> None:
        """Until the server is gone."""
        with suppress(OSError):  # Broken is one, and so is a server that dies before the connection is there
            async with (
                connected(installation, self._tokens["engine"]) as engine,
                connected(installation, self._tokens["stranger"]) as stranger,
            ):
                while True:
                    await self._step(engine, stranger)
                    countdown.count(1)

    async def _step(self, engine: Connection, stranger: Connection) -> None:
        what = self._random.choices(list(MIX), list(MIX.values()))[0]
        self._number += 1
        request_id = f"{self.name}-{self._number}"
        method, path, body = self._request(what)
        connection = stranger if what == "denied" else engine
        reply = await connection.ask(method, f"/fhir/{path}".rstrip("/"), body, headers={"x-request-id": request_id})
        self.told.append(told(what, request_id, reply))

    def _request(self, what: str) -> tuple[str, str, Json | None]:
        """Method, path and body of one of MIX."""
        match what:
            case "read":
                return "GET", self._record(), None
            case "create":
                return "POST", "Observation", self._observation(None)
            case "update":
                return self._update()
            case "transaction":
                return "POST", "", self._bundle()
            case "search":
                return "GET", f"Observation?patient=p{self._random.randrange(PATIENTS)}&_count=5", None
        return "GET", "Patient/p0", None

    def _record(self) -> str:
        return f"Observation/{self.name}-{self._random.randrange(RECORDS)}"

    def _update(self) -> tuple[str, str, Json]:
        path = self._record()
        return "PUT", path, self._observation(path.partition("/")[2])

    def _bundle(self) -> Json:
        create = {"request": {"method": "POST", "url": "Observation"}, "resource": self._observation(None)}
        path = self._record()
        update = {"request": {"method": "PUT", "url": path}, "resource": self._observation(path.partition("/")[2])}
        return {"resourceType": "Bundle", "type": "transaction", "entry": [create, update]}

    def _observation(self, id_: str | None) -> Json:
        """One that was never written before, about one of the patients."""
        return {
            "resourceType": "Observation",
            **({"id": id_} if id_ else {}),
            "status": "final",
            "code": {"text": f"{self.name} {self._number} {self._random.random()}"},
            "subject": {"reference": f"Patient/p{self._random.randrange(PATIENTS)}"},
        }


def told(what: str, request_id: str, reply: Reply) -> Told:
    """What an answer says was done."""
    entry = reply.headers.get("x-ledger-entry", "")
    made: list[tuple[str, int, Json | None]] = []
    read = None
    if what in {"create", "update"} and reply.status in {200, 201}:
        made = [(*version_in(reply.headers["location"]), reply.json)]
    elif what == "transaction" and reply.status == 200 and reply.body is not None:
        made = [(*version_in(each["response"]["location"]), each["resource"]) for each in reply.json["entry"]]
    elif what == "read" and reply.status == 200 and reply.json is not None:
        read = (f"Observation/{reply.json['id']}", int(reply.json["meta"]["versionId"]))
    return Told(what, request_id, reply.status, entry, tuple(made), read)


def version_in(location: str) -> tuple[str, int]:
    """``Type/id`` and version of a Location."""
    type_, id_, _, version = location.rsplit("/", 4)[1:]
    return f"{type_}/{id_}", int(version)


async def load_until_killed(
    installation: Installation, clients: list[Client], answers: int, *, and_then_s: float = 0.0
) -> None:
    """All clients at once; kill -9 so many answers later, and so many seconds after that."""
    countdown = Countdown(answers)
    working = [asyncio.create_task(client.work(installation, countdown)) for client in clients]
    async with asyncio.timeout(PATIENCE_S):
        await countdown.over.wait()
    await asyncio.sleep(and_then_s)
    installation.kill()
    await asyncio.gather(*working)
