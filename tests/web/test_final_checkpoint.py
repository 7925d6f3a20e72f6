"""What is published once witnesses have cosigned: the final checkpoint, the log's keys, and proofs under it."""

from dataclasses import replace
from pathlib import Path

import httpx

from carekeep.audit import open_checkpoint
from carekeep.audit.note import open_note
from carekeep.audit.witnessing import Policy, Witness, Witnesses, Witnessing, hash_of, parse_key
from carekeep.audit.witnessing.submitting import Answer, Unreachable
from carekeep.web import WebApplication
from carekeep.web.exchange.witness import WitnessApplication
from tests.audit.witnessing.parties import a_witness, cosigners
from tests.web.clinic import Clinic, on_sqlite

URL = "https://witness.example"
NAME = "witness.example/w1"


def witnessed(clinic: Clinic, folder: Path) -> tuple[httpx.AsyncClient, Witnessing, Policy]:
    """The clinic's application with one witness that must cosign, a client of it, and the task that asks."""
    services = clinic.system.services
    key = services.ledger_key
    policy = Policy.parse(f"log {key}\nwitness w {cosigners(NAME)[0].key} {URL}\nquorum w\n".encode())
    witnesses = Witnesses.over(services.database, services.keyring, key, policy, clinic.time)
    house = a_witness(folder / "witness", NAME, logs=())
    house.folder.add_log(key, "")
    neighbour = httpx.ASGITransport(WitnessApplication(Witness(house.folder, clinic.time)))
    asking = httpx.AsyncClient(transport=neighbour, base_url=URL)

    async def submit(url: str, body: bytes) -> Answer:
        answer = await asking.post(url, content=body)
        return Answer(answer.status_code, answer.headers["content-type"], answer.content)

    async def fetch(url: str) -> bytes:
        answer = await asking.get(url)
        if answer.status_code != 200:
            raise Unreachable("not there")
        return answer.content

    application = WebApplication(replace(services, witnesses=witnesses))
    client = httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="https://records.example.org")
    return client, witnesses.witnessing(services.ledger, submit, fetch), policy


@on_sqlite
async def test_only_what_the_quorum_cosigned_is_published(clinic: Clinic, tmp_path: Path) -> None:
    await clinic.integrate()
    client, task, policy = witnessed(clinic, tmp_path)
    key = clinic.system.services.ledger_key
    first = (await client.get("/ledger/checkpoint")).text
    assert not policy.judge(first, (key,)).final  # nothing is final yet: the newest, as the log signed it
    await task.turn(watch=True)
    final = (await client.get("/ledger/checkpoint")).text
    assert policy.judge(final, (key,)).final
    keys = [parse_key(line) for line in (await client.get("/ledger/keys")).text.splitlines()]
    assert keys[0] == key
    assert len(open_note(final, keys).signatures) == 2
    await clinic.ask("GET", "Patient/ada", who="physician")
    await clinic.integrate()
    assert (await client.get("/ledger/checkpoint")).text == final
    await task.turn(watch=True)
    newest = open_checkpoint((await client.get("/ledger/checkpoint")).text, key)
    assert newest.size > open_checkpoint(final, key).size
    assert hash_of(key.name) in {path.name for path in (tmp_path / "witness" / "logs").iterdir()}
