"""``carekeep demo`` as an outside harness uses it: started as a process, spoken to by the state that it writes."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

PATIENCE_S = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A running demo of six patients: what it wrote into its state file."""
    folder = tmp_path_factory.mktemp("demo")
    state = folder / "state.json"
    arguments = ["demo", "--patients", "6", "--port", str(free_port()), "--folder", str(folder / "home")]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "carekeep", *arguments, "--state", str(state)], stdout=output, stderr=output
        )
    try:
        end = time.monotonic() + PATIENCE_S
        while not state.exists():
            assert process.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < end, (folder / "output").read_text()
            time.sleep(0.05)
        yield json.loads(state.read_bytes())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, (folder / "output").read_text()


@pytest.fixture
def client(demo: dict[str, Any]) -> Iterator[httpx.Client]:
    """A client that trusts the demo's own authority and nothing else."""
    trust = ssl.create_default_context(cafile=demo["ca_certificate"])
    trust.minimum_version = ssl.TLSVersion.TLSv1_3
    with httpx.Client(verify=trust, base_url=demo["base_url"]) as opened:
        yield opened


def bearer(demo: dict[str, Any], login: str) -> dict[str, str]:
    (token,) = [account["token"] for account in demo["accounts"] if account["login"] == login]
    return {"Authorization": f"Bearer {token}"}


def test_every_scene_ends_as_its_story_says(demo: dict[str, Any], client: httpx.Client) -> None:
    for scene in demo["scenes"]:
        answer = client.get(f"/fhir/{scene['reference']}", headers=bearer(demo, scene["who"]["key"]))
        permitted = scene["expected"] == "permitted"
        assert answer.status_code == (200 if permitted else 403), scene["key"]
        assert len(answer.headers["X-Ledger-Entry"]) == 32


def test_break_glass_opens_what_was_denied(demo: dict[str, Any], client: httpx.Client) -> None:
    (scene,) = [scene for scene in demo["scenes"] if scene["expected"] == "break-glass"]
    headers = bearer(demo, scene["who"]["key"])
    reason = {"name": "reason", "valueString": "brought in unconscious, no one to ask"}
    opened = client.post(
        f"/fhir/Patient/{scene['patient_id']}/$break-glass",
        json={"resourceType": "Parameters", "parameter": [reason]},
        headers=headers,
    )
    assert opened.status_code == 200
    in_emergency = {**headers, "X-Purpose-Of-Use": "ETREAT"}
    assert client.get(f"/fhir/{scene['reference']}", headers=in_emergency).status_code == 200


def test_the_state_file_is_for_its_owner_only(demo: dict[str, Any]) -> None:
    for name in ("demo.json", "cast.json", "passphrase"):
        assert (Path(demo["home"]) / name).stat().st_mode & 0o077 == 0


def test_older_tls_is_refused(demo: dict[str, Any]) -> None:
    trust = ssl.create_default_context(cafile=demo["ca_certificate"])
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError), httpx.Client(verify=trust) as old:
        old.get(f"{demo['base_url']}/healthz")
