"""Our published logs are read by the tools of others: the transparency log package of the Go project.

Debian has both: apt-get install golang-go golang-golang-x-mod-dev. Nothing is fetched.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.audit.published_logs import KEY, leaf, publish
from tests.audit.witnesses import cosigner

GO = shutil.which("go")
PACKAGES = Path("/usr/share/gocode")
PROGRAM = Path(__file__).parent / "others" / "check_log.go"


@pytest.fixture(scope="module")
def check_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program, built without the network."""
    if GO is None or not (PACKAGES / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("Go and its x/mod are packages of the system (Debian: golang-go, golang-golang-x-mod-dev)")
    folder = tmp_path_factory.mktemp("go")
    settings = {"GO111MODULE": "off", "GOPATH": str(PACKAGES), "GOCACHE": str(folder / "cache"), "GOFLAGS": "-p=1"}
    subprocess.run([GO, "build", "-o", folder / "check_log", PROGRAM], env={**os.environ, **settings}, check=True)
    return folder / "check_log"


def says(check_log: Path, log: Path) -> str:
    return subprocess.run([check_log, log, str(KEY)], capture_output=True, text=True, check=False).stdout.strip()


def test_the_go_projects_own_package_accepts_our_logs(check_log: Path, tmp_path: Path) -> None:
    for size in (1, 2, 256, 257, 700, 66_000):
        log = publish(tmp_path / str(size), size)
        (log.folder / "checkpoint").write_text(log.note + cosigner("w.example/1", "ml-dsa-44").line(log.note))
        assert says(check_log, log.folder) == f"ACCEPTED {size}"


def test_and_refuses_a_changed_one(check_log: Path, tmp_path: Path) -> None:
    log = publish(tmp_path / "log", 700)
    bundle = log.folder / "tile/entries/001"
    bundle.write_bytes(bundle.read_bytes().replace(leaf(300), b"entry 3OO"))
    assert says(check_log, log.folder).startswith("NOT ACCEPTED")
