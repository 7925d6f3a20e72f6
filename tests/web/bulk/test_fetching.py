"""Inputs that lie elsewhere: fetched from where the settings say, whole or not at all."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from carekeep.encryption.certificates import make_local_authority
from carekeep.web import WebApplication
from carekeep.web.bulk import BulkRunner
from tests.web.bulk.jobs import ASYNC, SITE, path_of
from tests.web.bulk.test_importing import counts, ndjson
from tests.web.clinic import Answer, Clinic, chart, on_sqlite

BODY = ndjson(*chart("cleo", "Sørensen")[1:3])


class Files(BaseHTTPRequestHandler):
    """Some files, some of them in trouble."""

    def do_GET(self) -> None:
        name = self.path.rpartition("/")[2]
        self.send_response({"there": 200, "short": 200, "moved": 302}.get(name, 404))
        self.send_header("Content-Length", str(len(BODY) + (5 if name == "short" else 0)))
        self.send_header("Location", "/exports/there")
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The address of a file server on this machine, with a certificate of its own authority."""
    make_local_authority(folder, ("localhost",), datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    with ThreadingHTTPServer(("127.0.0.1", 0), Files) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://localhost:{server.server_port}/exports/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    folder = tmp_path / "tls"
    with serving(folder) as address:
        monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
        yield address


async def fetched(clinic: Clinic, source: str, *names: str) -> Answer:
    """The status of an import of some files, in a clinic whose settings name ``source``."""
    services = replace(clinic.system.services, import_sources=(source,))
    application = WebApplication(services)
    order = {
        "inputFormat": "application/fhir+ndjson",
        "inputSource": "https://elsewhere.example",
        "input": [{"type": "Observation", "url": f"{source}{name}"} for name in names],
    }
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url=SITE) as client:
        open_clinic = replace(clinic, application=application, client=client)
        answer = await open_clinic.ask("POST", "$import", order, headers=ASYNC)
    assert answer.status == 202, answer.body
    runner = BulkRunner(services, "worker")
    while await runner.turn():
        pass
    return await clinic.ask("GET", path_of(answer.headers["content-location"]))


@on_sqlite
async def test_what_lies_there_is_brought_in(clinic: Clinic, files: str) -> None:
    status = await fetched(clinic, files, "there", "there")
    assert status.status == 200
    assert counts(status.json) == {"loaded": 2, "unchanged": 2, "refused": 0}
    assert [item["inputUrl"] for item in status.json["output"]] == [f"{files}there"] * 2
    assert [item["count"] for item in status.json["output"]] == [2, 2]
    pulse = (await clinic.ask("GET", "Observation/cleo-pulse")).json
    assert pulse["meta"]["source"] == "https://elsewhere.example"


@pytest.mark.parametrize(("name", "says"), [("short", "before its end"), ("moved", "302"), ("missing", "404")])
@on_sqlite
async def test_what_does_not_come_whole_is_told_and_nothing_is_loaded(
    clinic: Clinic, files: str, name: str, says: str
) -> None:
    status = await fetched(clinic, files, "there", name)
    assert status.status == 500
    assert says in status.said
    assert (await clinic.ask("GET", "Observation/cleo-pulse")).status == 404
    assert await clinic.system.database.fetch("SELECT 1 FROM bulk_chunk") == []
