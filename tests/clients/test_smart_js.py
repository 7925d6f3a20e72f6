"""SMART's JavaScript client in a real browser: an app that is started by itself, and one from an open chart."""

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Page, expect, sync_playwright

from carekeep.encryption import Secret, totp_code
from tests.clients.apps import add_app, trusting
from tests.clients.test_node import NODE, NPM, PATIENCE_S
from tests.running import Demo

HERE = Path(__file__).parent / "smart"
GUIDE = Path(__file__).parents[2] / "docs" / "smart.md"
CHROMIUM = Path("/usr/bin/chromium")
PACKAGE = "fhirclient@2.6.3"
INTEGRITY = "CirZixcwWelbkIXxpxlNQx5+ZdJirl6F1s4y4yvA1X7hHAkr9n99aVHaMi0wX+97nATjKQ65X6NB5as/wZoJzg=="  # SHA-512
PAGE_PATIENCE_MS = 30_000
SCOPES = "launch openid fhirUser offline_access patient/Patient.r patient/Observation.rs"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The client as its makers built it for browsers."""
    return _client(tmp_path_factory.mktemp("package"))


@pytest.fixture(scope="session")
def pages(script: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The origin of an app's pages."""
    folder = tmp_path_factory.mktemp("smart")
    for file in HERE.glob("*.html"):
        shutil.copy(file, folder)
    (folder / "fhir-client.js").write_bytes(script)
    with serving(folder) as origin:
        yield origin


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The origin at which the files of a folder are."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def _client(folder: Path) -> bytes:
    """The built file of the package: its many dependencies are for building it, so it alone is fetched, and checked."""
    ran = subprocess.run(
        [NODE, NPM, "pack", PACKAGE, "--ignore-scripts", "--silent"],
        cwd=folder,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if ran.returncode != 0:
        pytest.skip("npm's registry is out of reach, so SMART's JavaScript client cannot be fetched")
    (archive,) = folder.glob("*.tgz")
    assert base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() == INTEGRITY
    with tarfile.open(archive) as package:
        built = package.extractfile("package/build/fhir-client.pure.min.js")
        assert built is not None
        return built.read()


@pytest.fixture
def page(server: Demo) -> Iterator[Page]:
    """A browser without a past, which trusts the server's key."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed here (Debian: apt-get install chromium)")
    certificate = x509.load_pem_x509_certificate((Path(server.state["home"]) / "tls" / "server.pem").read_bytes())
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    digest = base64.b64encode(hashlib.sha256(key).digest()).decode()
    arguments = [
        f"--ignore-certificate-errors-spki-list={digest}",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, headless=True, args=arguments)
        context = browser.new_context()
        context.set_default_timeout(PAGE_PATIENCE_MS)
        expect.set_options(timeout=PAGE_PATIENCE_MS)
        yield context.new_page()
        browser.close()


def signed_in(page: Page, server: Demo, login: str) -> None:
    """Sign in by password and code, on the page that is open."""
    (who,) = [each for each in server.state["accounts"] if each["login"] == login]
    page.get_by_label("Login").fill(login)
    page.get_by_role("textbox", name="Password").fill(who["password"])
    key = Secret(base64.b32decode(who["totp_key"]))
    page.get_by_label("Code").fill(totp_code(key, int(time.time() * 1000)))
    page.get_by_role("button", name="Sign in", exact=True).click()


def allowed(page: Page, app: str) -> dict[str, Any]:
    """Allow the app what it asks for; gives what it did with that."""
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Allow “{app}”?")
    page.get_by_role("button", name="Allow", exact=True).click()
    return outcome(page)


def outcome(page: Page) -> dict[str, Any]:
    """What the app wrote on its page."""
    result = page.locator("#result")
    expect(result).not_to_be_empty()
    found: dict[str, Any] = json.loads(result.inner_text())
    return found


def patient_of(server: Demo, login: str) -> str:
    (who,) = [each for each in server.state["accounts"] if each["login"] == login]
    return str(who["fhir_user"]).removeprefix("Patient/")


def started(server: Demo, pages: str, client: str) -> str:
    """The address at which a person starts the app by itself."""
    return f"{pages}/launch.html?{urlencode({'iss': server.fhir_url, 'client_id': client})}"


def pocket_chart(server: Demo) -> str:
    (app,) = [each for each in server.state["apps"] if each["name"] == "Pocket Chart"]
    return str(app["client_id"])


def test_a_patient_starts_an_app_and_signs_in_by_password_and_code(server: Demo, pages: str, page: Page) -> None:
    page.goto(started(server, pages, pocket_chart(server)))
    signed_in(page, server, "patient")
    told = allowed(page, "Pocket Chart")
    me = patient_of(server, "patient")
    assert told.pop("observations") > 0
    assert told == {
        "patient": me,
        "again": me,
        "user": f"Patient/{me}",
        "scope": "fhirUser launch/patient offline_access openid patient/Observation.rs patient/Patient.r",
        "type": "Bearer",
        "expires": 600,
        "rotated": True,
        "listed": 403,
        "unknown": 401,
    }

    page.goto(started(server, pages, pocket_chart(server)))  # once more, signed in as they are
    page.get_by_role("button", name="Do not allow", exact=True).click()
    assert "not allowed" in outcome(page)["failed"]


def test_a_patient_starts_an_app_and_signs_in_by_passkey(server: Demo, pages: str, page: Page) -> None:
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "automaticPresenceSimulation": True,
    }
    options |= {"hasUserVerification": True, "isUserVerified": True}
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    page.goto(f"{server.state['auth_url']}/account")
    signed_in(page, server, "daughter")
    page.get_by_label("Name of the new passkey").fill("my laptop")
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_text("my laptop", exact=True).wait_for()
    page.get_by_role("button", name="Sign out", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")

    page.goto(started(server, pages, pocket_chart(server)))
    page.get_by_role("button", name="Sign in with a passkey").click()
    told = allowed(page, "Pocket Chart")
    assert told["patient"] == patient_of(server, "daughter"), told


def test_a_clinician_starts_an_app_from_an_open_chart(server: Demo, pages: str, page: Page) -> None:
    words = ("--redirect-uri", f"{pages}/index.html", "--launch-uri", f"{pages}/launch.html", "--scopes", SCOPES)
    client = add_app(server, "Growth Charts", *words)
    patient = patient_of(server, "patient")
    with trusting(server) as http:
        body = {"client_id": client, "patient": patient}
        launch = http.post(f"{server.state['base_url']}/oauth/launch", json=body, headers=server.bearer("physician"))
        assert launch.status_code == 201, launch.text
        denied = http.post(f"{server.state['base_url']}/oauth/launch", json=body, headers=server.bearer("emergency"))
        assert denied.status_code == 403
    assert f"iss={quote(server.fhir_url, safe='')}" in launch.json()["url"]
    page.goto(f"{launch.json()['url']}&client_id={client}")  # which an app of its own would know
    signed_in(page, server, "physician")
    told = allowed(page, "Growth Charts")
    assert (told["patient"], told["rotated"], told["listed"]) == (patient, True, 403), told
    assert told["user"].startswith("Practitioner/")
    assert "launch/patient" not in told["scope"].split()


def test_the_app_of_the_guide_works_as_it_is_written(server: Demo, script: bytes, page: Page, tmp_path: Path) -> None:
    """``docs/smart.md``, step by step; only the ports are others."""
    guide = GUIDE.read_text(encoding="utf-8")
    (scopes,) = set(re.findall(r"My first app.*\n.*--scopes \"(.*)\"", guide))
    client = add_app(server, "My first app", "--redirect-uri", "http://127.0.0.1:8765/", "--scopes", scopes)
    (written,) = re.findall(r"```html\n(.*?)```", guide, re.DOTALL)
    shown = written.replace("CLIENT_ID", client).replace("https://localhost:8443", server.state["base_url"])
    (tmp_path / "index.html").write_text(shown, encoding="utf-8")
    (tmp_path / "fhir-client.pure.min.js").write_bytes(script)
    with serving(tmp_path) as origin:
        page.goto(origin)
        signed_in(page, server, "nurse")  # who has the patient in care, and chooses them
        name = next(each["patient_name"] for each in server.state["scenes"] if each["key"] == "nurse")
        page.get_by_label("Name").fill(name.split()[-1])
        page.get_by_role("button", name="Search").click()
        page.locator(f"button[value='{patient_of(server, 'patient')}']").click()
        page.get_by_role("button", name="Allow", exact=True).click()
        expect(page.locator("#out")).to_contain_text(name.split()[-1])
        assert len(page.locator("#out").inner_text().splitlines()) > 1
