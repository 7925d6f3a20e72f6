"""A device from its enrolment to its end, by the commands of both sides, with a real server between them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from carekeep.cli import device_posture, devices
from carekeep.cli.device_posture import is_disk_encrypted
from carekeep.identity import Kind
from carekeep.identity.posture import Posture
from carekeep.settings import SettingsError, load_settings, write_settings
from tests.cli.conftest import Ran, Run
from tests.promises.installation import Installation, new_installation

GOOD = Posture(disk_encrypted=True, screen_lock=True, os="debian", os_version="12.4")


@pytest.fixture
def served(tmp_path: Path, database_url: str) -> Iterator[Installation]:
    """A real server, with the account of a clinician."""
    installation = new_installation(tmp_path, database_url)
    installation.open_account(Kind.PRACTITIONER, "mwong", fhir_user="Practitioner/p")
    with installation.serving():
        yield installation


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_device_from_its_enrolment_to_its_end(
    served: Installation, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key_file = tmp_path / "device" / "key.json"
    ca = str(served.settings.certificate.parent / "ca.pem")
    code = run("device", "enrol-code", "mwong")
    assert code.out.startswith("ckd_")

    def enrol() -> Ran:
        words = ("--server", served.settings.base_url, "--ca", ca, "--code", code.out.strip(), "--name", "Laptop")
        return run("device", "enrol", *words, "--key-file", str(key_file))

    def report() -> Ran:
        return run("device", "report", "--key-file", str(key_file), "--json")

    enrolled = enrol()
    assert enrolled.code == 0, enrolled.err
    assert key_file.stat().st_mode & 0o077 == 0
    assert enrol().code == 3
    moved = key_file.rename(tmp_path / "moved")
    assert "not good" in enrol().err  # the code was used
    moved.rename(key_file)

    monkeypatch.setattr(devices, "posture_here", lambda: GOOD)
    assert (report().code, json.loads(report().out)["failing"]) == (0, [])
    monkeypatch.setattr(devices, "posture_here", lambda: Posture(None, None, "", ""))
    assert report().code == 1
    (listed,) = json.loads(run("device", "list", "--json").out)
    assert (listed["name"], listed["state"], listed["managed"]) == ("Laptop", "enrolled", False)
    assert run("device", "manage", listed["id"][:8], "--serial", "SN-1").code == 0
    assert run("device", "lost", listed["id"]).code == 0
    assert report().code == 3
    assert run("device", "retire", listed["id"]).code == 3
    assert json.loads(run("ledger", "verify", "--json").out) == {"sound": True, "findings": []}

    key_file.chmod(0o644)
    assert "chmod 600" in report().err


def test_a_dry_run_shows_what_would_be_sent(run: Run) -> None:
    ran = run("device", "report", "--dry-run")
    assert ran.code == 0
    assert set(json.loads(ran.out)) == {"disk_encrypted", "screen_lock", "os", "os_version"}


def test_a_server_that_nobody_vouches_for_is_not_told_anything(run: Run, tmp_path: Path) -> None:
    words = ("--server", "http://127.0.0.1:9", "--code", "ckd_x", "--key-file", str(tmp_path / "key.json"))
    assert run("device", "enrol", *words).code == 3


def machine(root: Path, mounts: str, devices_: dict[str, tuple[str, tuple[str, ...]]]) -> Path:
    """A machine's /proc and /sys. ``devices_``: number -> uuid of the device mapper, and numbers of those below it."""
    (root / "proc" / "self").mkdir(parents=True)
    (root / "proc" / "self" / "mountinfo").write_text(mounts)
    block = root / "sys" / "dev" / "block"
    for number, (uuid, below) in devices_.items():
        (block / number / "slaves").mkdir(parents=True)
        if uuid:
            (block / number / "dm").mkdir()
            (block / number / "dm" / "uuid").write_text(uuid)
        for each in below:
            (block / number / "slaves" / each).symlink_to(block / each)
    return root


ROOT_ON = "22 1 {} / / rw - ext4 /dev/mapper/root rw\n23 22 0:5 / /proc rw - proc proc rw\n"


@pytest.mark.parametrize(
    ("mounts", "devices_", "encrypted"),
    [
        (ROOT_ON.format("253:0"), {"253:0": ("CRYPT-LUKS2-0123-root", ("8:1",)), "8:1": ("", ())}, True),
        (
            ROOT_ON.format("253:1"),
            {"253:1": ("LVM-abc", ("253:0",)), "253:0": ("CRYPT-LUKS2-0123-root", ("8:1",)), "8:1": ("", ())},
            True,
        ),
        (
            ROOT_ON.format("9:0"),
            {"9:0": ("", ("253:0", "8:2")), "253:0": ("CRYPT-LUKS2-1", ("8:1",)), "8:1": ("", ()), "8:2": ("", ())},
            False,
        ),
        (ROOT_ON.format("8:1"), {"8:1": ("", ())}, False),
        (ROOT_ON.format("8:1"), {}, None),
        ("22 1 0:30 / / rw - overlay overlay rw\n", {}, None),
        ("", {}, None),
        ("nonsense\n", {}, None),
    ],
    ids=["luks", "lvm-on-luks", "half-of-a-raid", "plain", "no-sys", "overlay", "empty", "nonsense"],
)
def test_whether_the_disk_is_encrypted(
    tmp_path: Path, mounts: str, devices_: dict[str, tuple[str, tuple[str, ...]]], encrypted: bool | None
) -> None:
    assert is_disk_encrypted(machine(tmp_path, mounts, devices_)) is encrypted


@pytest.mark.parametrize(("said", "locks"), [("true", True), ("false", False), ("", None)])
def test_whether_the_screen_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, locks: bool | None
) -> None:
    program = tmp_path / "gsettings"
    program.write_text(f"#!/bin/sh\necho {said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert device_posture.posture_here().screen_lock is locks


def test_minimums_are_settings(home: Path) -> None:
    path = home / "carekeep.toml"
    before = path.read_text()
    path.write_text(before + '[device_posture]\nreport_hours = 8\nminimum_os = { debian = "12" }\n')
    settings = load_settings(home)
    assert (settings.device_posture.report_hours, dict(settings.device_posture.minimum_os)) == (8, {"debian": "12"})
    write_settings(settings)
    assert load_settings(home) == settings
    for wrong in ('report_hours = "8"', "reprot_hours = 8", 'minimum_os = "12"'):
        path.write_text(f"{before}[device_posture]\n{wrong}\n")
        with pytest.raises(SettingsError, match="device_posture"):
            load_settings(home)
    path.write_text(f"device_posture = 1\n{before}")
    with pytest.raises(SettingsError, match="table"):
        load_settings(home)
