"""Promise 1: a stolen disk tells nothing.

Everything that can hold text is filled with marks, over HTTP and by the commands. Then every file is searched for them,
in every encoding: database, write-ahead log, the server's log, temporary files, key file, PostgreSQL's data folder.
"""

import asyncio
import base64
import json
import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from carekeep.cli.installation import with_system
from carekeep.encryption import Secret, new_totp_key
from carekeep.encryption.totp import totp_code
from carekeep.fhir import RESOURCE_TYPES, dump_json, search_parameters
from carekeep.identity import Kind
from carekeep.records import drafting, envelope
from carekeep.storage import system_clock
from tests.promises.connection import Broken, Connection, Reply, connected
from tests.promises.installation import Installation
from tests.promises.marking import ACCENTED, BY_HAND, CORE, CORES, HEX_CORE, PATIENT, Marks, Unmarkable
from tests.promises.traces import files_below, forms_of, traces_in
from tests.storage.postgres_server import PostgresServer

VARIANTS = 2
LEAST_MARKS = 25_000
MOST_UNMARKABLE = 8  # types
UNWRITABLE = frozenset({"AuditEvent"})
PASSWORD = Secret(f"{CORE} Passwörd {ACCENTED}")
NAME = f"{CORE} Näme"
DOCTOR = f"{CORE}-doctor"


def server_of(request: pytest.FixtureRequest) -> PostgresServer:
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server


@pytest.fixture
def database_folders(database_url: str, request: pytest.FixtureRequest) -> list[Path]:
    """Where the database keeps what is not in the installation's folder."""
    if database_url.startswith("sqlite"):
        return []
    return [server_of(request).data_folder()]


def flush(database_url: str, request: pytest.FixtureRequest) -> None:
    """Let PostgreSQL write what it has in memory."""
    if not database_url.startswith("sqlite"):
        server_of(request).maintenance.execute("CHECKPOINT")


async def fill(installation: Installation, tokens: dict[str, str], totp_key: Secret) -> int:
    """Put marks wherever a client can; returns how many."""
    marks = Marks()
    async with connected(installation, tokens["engine"]) as engine:
        await keep_resources(engine, marks)
        await search_for_marks(engine)
        await refuse_marks(engine)
        await bring_bundle(engine, marks)
        await sign_in(engine, totp_key)
    async with connected(installation, tokens["doctor"]) as doctor:
        await open_emergency(doctor)
    return marks.made


async def keep_resources(engine: Connection, marks: Marks) -> None:
    """A resource of every type, twice over so that choices are turned over, and one more version of some."""
    unmarkable = set()
    for variant in range(VARIANTS):
        for type_ in sorted(RESOURCE_TYPES - BY_HAND - UNWRITABLE):
            id_ = PATIENT if (type_, variant) == ("Patient", 0) else f"{CORE}-{type_[:20]}-{variant}"
            try:
                body = dump_json(marks.resource(type_, id_, variant))
            except Unmarkable:
                unmarkable.add(type_)
                continue
            reply = await engine.ask("PUT", f"/fhir/{type_}/{id_}", body)
            if reply.status == 422:  # a rule of the server's own, beyond the standard's
                unmarkable.add(type_)
                continue
            assert reply.status == 201, (type_, reply.body)
    assert len(unmarkable) <= MOST_UNMARKABLE, unmarkable
    for kept in (marks.bundle(f"{CORE}-bundle"), marks.linkage(f"{CORE}-linkage")):
        reply = await engine.ask("PUT", f"/fhir/{kept['resourceType']}/{kept['id']}", dump_json(kept))
        assert reply.status == 201, reply.body
    for _ in range(3):
        id_ = f"{CORE}-Observation-1"
        await expect(engine, 200, "PUT", f"/fhir/Observation/{id_}", marks.resource("Observation", id_))
    await expect(engine, 204, "DELETE", f"/fhir/Observation/{CORE}-Observation-0")
    await expect(engine, 410, "GET", f"/fhir/Observation/{CORE}-Observation-0")
    await expect(engine, 200, "GET", f"/fhir/Observation/{CORE}-Observation-1/_history")
    await expect(engine, 404, "GET", f"/fhir/Observation/{CORE}-nothing")


async def expect(connection: Connection, status: int, method: str, path: str, body: Any = None, **more: str) -> Reply:
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    content = dump_json(body) if isinstance(body, dict) else body
    reply = await connection.ask(method, path, content, headers=headers)
    assert reply.status == status, (path, reply.status, reply.body)
    return reply


async def search_for_marks(engine: Connection) -> None:
    """Every search parameter of a few types, by GET and by POST; whatever comes of it, it was said."""
    form = {"content-type": "application/x-www-form-urlencoded"}
    for type_ in ("Patient", "Observation", "Encounter", "MedicationRequest"):
        for name, parameter in search_parameters(type_).items():
            value = {
                "reference": f"Patient/{PATIENT}",
                "token": f"urn:{CORE}|{CORE}",
                "quantity": f"1|urn:{CORE}|{CORE}",
                "uri": f"urn:{CORE}",
            }.get(parameter.type, f"{CORE} {ACCENTED}")
            query = f"{name}={quote(value)}"
            for reply in (
                await engine.ask("GET", f"/fhir/{type_}?{query}"),
                await engine.ask("POST", f"/fhir/{type_}/_search", query.encode(), headers=form),
            ):
                assert reply.status in {200, 400}, (query, reply.body)
    await expect(engine, 200, "GET", f"/fhir/Observation?patient={PATIENT}&_sort=-date&_total=accurate")


async def refuse_marks(engine: Connection) -> None:
    """Requests that are refused, with marks in every part of them."""
    marked = f"{CORE}{ACCENTED}"
    agent = {"user_agent": CORE, "x_request_id": CORE, "cookie": f"a={CORE}", "referer": f"https://x.org/{CORE}"}
    await expect(engine, 400, "POST", "/fhir/Patient", f'{{"resourceType": "{marked}"'.encode(), **agent)
    await expect(engine, 400, "POST", "/fhir/Patient", f'{{"{marked}": 1, "{marked}": 2}}'.encode())
    await expect(engine, 422, "POST", "/fhir/Patient", {"resourceType": "Patient", "birthDate": marked, CORE: marked})
    await expect(engine, 404, "GET", f"/fhir/{CORE}/{CORE}", **agent)
    await expect(engine, 404, "GET", f"/{CORE}?{CORE}={CORE}")
    await expect(engine, 400, "GET", f"/fhir/Patient?{CORE}={CORE}")
    await expect(engine, 400, "GET", f"/fhir/Patient/{PATIENT}", x_purpose_of_use=CORE)
    await expect(engine, 400, "PUT", f"/fhir/Patient/{PATIENT}", {"resourceType": "Patient"}, if_match=CORE)
    await expect(engine, 406, "GET", f"/fhir/Patient/{PATIENT}", accept=f"text/{CORE}")
    await expect(engine, 415, "POST", "/fhir/Patient", marked.encode(), content_type=f"text/{CORE}")
    await expect(engine, 401, "GET", f"/fhir/Patient/{PATIENT}", authorization=f"Bearer {CORE}")
    await expect(engine, 400, "POST", "/fhir", f'{{"resourceType": "Bundle", "type": "{CORE}"}}'.encode())


async def bring_bundle(engine: Connection, marks: Marks) -> None:
    """A transaction and a batch."""
    entries = [
        {"request": {"method": "POST", "url": type_}, "resource": marks.resource(type_, "x")}
        for type_ in ("Condition", "Procedure", "Encounter")
    ]
    entries.append({"request": {"method": "GET", "url": f"Patient?name={CORE}"}})
    for kind in ("transaction", "batch"):
        await expect(engine, 200, "POST", "/fhir", {"resourceType": "Bundle", "type": kind, "entry": entries})


async def open_emergency(doctor: Connection) -> None:
    """Break-glass, with a marked reason; and a denial before it."""
    await expect(doctor, 403, "GET", f"/fhir/Patient/{PATIENT}")
    reason = {"name": "reason", "valueString": f"Unconscious: {CORE} {ACCENTED}"}
    body = {"resourceType": "Parameters", "parameter": [reason]}
    await expect(doctor, 200, "POST", f"/fhir/Patient/{PATIENT}/$break-glass", body)
    await expect(doctor, 200, "GET", f"/fhir/Patient/{PATIENT}", x_purpose_of_use="ETREAT")


async def sign_in(connection: Connection, totp_key: Secret) -> None:
    """With the right password and a wrong one."""
    given = {"login": DOCTOR, "password": PASSWORD.reveal().decode(), "totp": totp_code(totp_key, system_clock())}
    await expect(connection, 200, "POST", "/auth/sign-in", json.dumps(given).encode())
    given["password"] = f"{CORE} but wrong {ACCENTED}"
    await expect(connection, 401, "POST", "/auth/sign-in", json.dumps(given).encode())
    await expect(connection, 400, "POST", "/auth/sign-in", f'{{"login": "{CORE}", "password": "{ACCENTED}'.encode())


def bring_files(installation: Installation, source: Path) -> None:
    """``carekeep import`` of marked files, some of which it refuses. What it prints tells nothing either."""
    source.mkdir()
    marks = Marks()
    lines = [dump_json(marks.resource("Observation", f"{CORE}-file-{number}")) for number in range(20)]
    lines.append(f'{{"resourceType": "Patient", "birthDate": "{CORE}"}}'.encode())
    lines.append(f'{{"resourceType": "{CORE}"}}'.encode())
    lines.append(f'{{"resourceType": "{CORE}'.encode())
    (source / "records.ndjson").write_bytes(b"\n".join(lines))
    (source / "document.json").write_bytes(dump_json(marks.bundle(f"{CORE}-document")))
    run = installation.run("import", str(source), "--json")
    shutil.rmtree(source)  # the operator's file, not ours
    assert run.returncode == 1, run.stderr
    assert json.loads(run.stdout)["refused"] == 3
    assert CORE.encode() not in run.stdout + run.stderr


@pytest.fixture
def filled(installation: Installation, tmp_path: Path) -> Installation:
    """Full of marks, and killed while it worked; the write-ahead log is still there."""
    totp_key = new_totp_key()
    tokens = {
        "engine": installation.open_account(Kind.APP, f"{CORE}-engine", name=NAME),
        "doctor": installation.open_account(
            Kind.PRACTITIONER,
            DOCTOR,
            name=NAME,
            fhir_user=f"Practitioner/{DOCTOR}",
            password=PASSWORD,
            totp_key=totp_key,
        ),
    }
    installation.start()
    assert asyncio.run(fill(installation, tokens, totp_key)) > LEAST_MARKS
    bring_files(installation, tmp_path / "source")
    with pytest.raises(Broken):
        asyncio.run(be_killed(installation, tokens["engine"]))
    return installation


async def be_killed(installation: Installation, token: str) -> None:
    """Kill the server between a request and its answer."""
    async with connected(installation, token) as connection:
        asking = asyncio.create_task(bring_bundle(connection, Marks()))
        await asyncio.sleep(0)
        installation.kill()
        await asking


def test_no_file_tells_anything(
    filled: Installation, database_url: str, database_folders: list[Path], request: pytest.FixtureRequest
) -> None:
    folders = [filled.folder, *database_folders]
    flush(database_url, request)
    assert not traces_in(folders, CORES), "after kill -9"
    read_back(filled)
    with filled.serving():
        pass
    flush(database_url, request)
    assert not traces_in(folders, CORES), "after a proper stop"
    assert (filled.logs / "server.log").stat().st_size > 0


def read_back(installation: Installation) -> None:
    """The marks are really kept: whoever has the keys reads them."""

    async def work(system: Any) -> bytes:
        kept: bytes = (await system.services.vault.read("Patient", PATIENT)).body
        return kept

    body = with_system(installation.home, work).decode()
    assert body.count(CORE) > 25
    assert ACCENTED in body


def test_files_were_searched(installation: Installation, database_folders: list[Path]) -> None:
    """Among them are those that matter."""
    installation.start()
    names = {path.name for folder in [installation.folder, *database_folders] for path in files_below(folder)}
    assert {"carekeep.keys", "carekeep.toml", "server.log"} <= names
    if database_folders:
        assert {"PG_VERSION", "log"} <= names
        assert list(database_folders[0].glob("pg_wal/[0-9A-F]*"))
    else:
        assert {"carekeep.db", "carekeep.db-wal", "carekeep.db-shm"} <= names
    installation.stop()


@pytest.mark.parametrize("text", CORES)
def test_a_trace_in_any_form_is_found(tmp_path: Path, text: str) -> None:
    """The scanner can see: each form, planted by itself, upper or lower case, at any alignment."""
    for number, (form, needle) in enumerate(forms_of(text).items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        planted = needle if form.startswith("base64") else needle.upper()
        (folder / "disk").write_bytes(os.urandom(1000 + number) + planted + os.urandom(1000))
        assert traces_in([folder], [text]), form
        (folder / "disk").write_bytes(os.urandom(3000))
        assert not traces_in([folder], [text])


@pytest.mark.parametrize("before", range(3))
def test_base64_is_found_at_every_alignment(tmp_path: Path, before: int) -> None:
    (tmp_path / "disk").write_bytes(base64.b64encode(b"?" * before + f'"{CORE}"'.encode()))
    assert traces_in([tmp_path], [CORE])
    assert not traces_in([tmp_path], [HEX_CORE])


def test_a_record_that_is_kept_in_the_open_is_found(
    installation: Installation,
    database_url: str,
    database_folders: list[Path],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proof can fail: with sealing broken, the disk tells."""

    def seal_badly(stored: envelope.Stored, place: envelope.Place, cipher: Any) -> bytes:
        return envelope.seal(stored, place, cipher) + stored.body

    async def work(system: Any) -> None:
        draft = system.services.vault.draft()
        await draft.create(Marks().resource("Patient", PATIENT), PATIENT)
        prepared = draft.prepared()
        await system.database.commit(prepared.steps)

    monkeypatch.setattr(drafting, "seal", seal_badly)
    with_system(installation.home, work)
    flush(database_url, request)
    found = traces_in([installation.folder, *database_folders], CORES)
    assert {trace.form.partition(" ")[0] for trace in found} >= {"utf-8"}
