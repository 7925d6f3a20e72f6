"""``carekeep demo`` as an outside harness uses it: started as a process, spoken to by the state that it writes."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.running import Demo, running_demo


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A running demo of six patients."""
    with running_demo(tmp_path_factory.mktemp("demo")) as running:
        yield running


@pytest.fixture
def client(demo: Demo) -> Iterator[httpx.Client]:
    """A client that trusts the demo's own authority and nothing else."""
    trust = ssl.create_default_context(cafile=demo.ca_certificate)
    trust.minimum_version = ssl.TLSVersion.TLSv1_3
    with httpx.Client(verify=trust, base_url=demo.state["base_url"]) as opened:
        yield opened


def test_every_scene_ends_as_its_story_says(demo: Demo, client: httpx.Client) -> None:
    for scene in demo.state["scenes"]:
        answer = client.get(f"/fhir/{scene['reference']}", headers=demo.bearer(scene["who"]["key"]))
        permitted = scene["expected"] == "permitted"
        assert answer.status_code == (200 if permitted else 403), scene["key"]
        assert len(answer.headers["X-Ledger-Entry"]) == 32


def test_break_glass_opens_what_was_denied(demo: Demo, client: httpx.Client) -> None:
    (scene,) = [scene for scene in demo.state["scenes"] if scene["expected"] == "break-glass"]
    headers = demo.bearer(scene["who"]["key"])
    reason = {"name": "reason", "valueString": "brought in unconscious, no one to ask"}
    opened = client.post(
        f"/fhir/Patient/{scene['patient_id']}/$break-glass",
        json={"resourceType": "Parameters", "parameter": [reason]},
        headers=headers,
    )
    assert opened.status_code == 200
    in_emergency = {**headers, "X-Purpose-Of-Use": "ETREAT"}
    assert client.get(f"/fhir/{scene['reference']}", headers=in_emergency).status_code == 200


def test_the_state_file_is_for_its_owner_only(demo: Demo) -> None:
    for name in ("demo.json", "cast.json", "passphrase"):
        assert (Path(demo.state["home"]) / name).stat().st_mode & 0o077 == 0


def test_older_tls_is_refused(demo: Demo) -> None:
    trust = ssl.create_default_context(cafile=demo.ca_certificate)
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(httpx.ConnectError), httpx.Client(verify=trust) as old:
        old.get(f"{demo.state['base_url']}/healthz")


def test_the_state_names_the_apps_and_a_code_is_to_be_had(demo: Demo) -> None:
    chart, feed = demo.state["apps"]
    assert (chart["name"], chart["key_file"], feed["account"]) == ("Pocket Chart", None, "registry")
    words = [sys.executable, "-m", "carekeep", "demo", "--folder", demo.state["home"], "--code"]
    code = subprocess.run([*words, "nurse"], capture_output=True, text=True, check=True).stdout.strip()
    assert (len(code), code.isdecimal()) == (6, True)
    unknown = subprocess.run([*words, "nobody"], capture_output=True, text=True, check=False)
    assert (unknown.returncode, "physician" in unknown.stderr) == (3, True)
