"""The life of an installation, by its commands: made, filled, looked after, verified, proven."""

import json
from pathlib import Path

import orjson
import pytest

from carekeep.simulation import Hospital
from tests.cli.conftest import Run
from tests.cli.moments import NOW


def test_init_makes_what_serve_needs(run: Run, tmp_path: Path) -> None:
    passphrase = tmp_path / "given"
    passphrase.write_text("correct horse battery staple")
    ran = run("init", "--passphrase-file", str(passphrase))
    home = tmp_path / "home"
    assert ran.code == 0
    for name in ("carekeep.toml", "carekeep.keys", "carekeep.db", "tls/ca.pem", "tls/server.key"):
        assert (home / name).exists()
    for name in (".", "carekeep.keys", "tls/server.key", "tls/ca.key"):
        assert (home / name).stat().st_mode & 0o077 == 0
    again = run("init", "--passphrase-file", str(passphrase))
    assert again.code == 3
    assert "already" in again.err


@pytest.mark.usefixtures("home")
def test_accounts_are_added_with_an_invitation_listed_disabled_and_never_shown_with_secrets(run: Run) -> None:
    added = run("user", "add", "mwong", "--kind", "auditor", "--name", "M. Wong")
    assert added.code == 0
    assert added.out.startswith("https://auth.localhost:8443/invitation#cki_")
    assert run("user", "add", "MWONG", "--kind", "auditor", "--name", "Other").code == 3
    invited = run("user", "invite", "mwong")
    assert (invited.code, invited.out == added.out) == (0, False)
    assert run("user", "disable", "mwong").code == 0
    assert run("user", "invite", "mwong").code == 3
    listed = run("user", "list", "--json")
    (account,) = json.loads(listed.out)
    assert (account["login"], account["state"]) == ("mwong", "disabled")
    assert "cki_" not in listed.out + run("ledger", "show", "--json").out
    assert run("user", "enable", "mwong").code == 0
    assert run("user", "leave", "mwong").code == 0
    assert run("user", "disable", "nobody").code == 3
    verified = run("ledger", "verify", "--json")
    assert json.loads(verified.out) == {"sound": True, "findings": []}


@pytest.mark.usefixtures("home")
def test_apps_get_tokens_and_people_do_not(run: Run) -> None:
    run("user", "add", "engine", "--kind", "app", "--name", "Engine", "--system")
    issued = run("user", "token", "engine")
    assert issued.code == 0
    assert issued.out.startswith("ck_")
    run("user", "add", "mwong", "--kind", "auditor", "--name", "M. Wong")
    assert run("user", "token", "mwong").code == 3


def ndjson(folder: Path, patients: int) -> Path:
    """A folder as bulk exports make it: a file for each type."""
    folder.mkdir()
    hospital = Hospital(seed=5, patients=patients, now=NOW)
    for chart in hospital.people():
        for resource in chart.resources:
            with (folder / f"{resource['resourceType']}.ndjson").open("ab") as file:
                file.write(orjson.dumps(resource) + b"\n")
    return folder


@pytest.mark.usefixtures("home")
def test_import_loads_reports_refusals_and_can_be_repeated(run: Run, tmp_path: Path) -> None:
    folder = ndjson(tmp_path / "bulk", 2)
    broken = folder / "Broken.ndjson"
    broken.write_bytes(b'{"resourceType": "Observation", "status": "nonsense"}\n{not json\n')
    first = run("import", str(folder), "--json")
    report = json.loads(first.out)
    assert first.code == 1
    assert report["refused"] == 2
    assert report["loaded"]["Patient"] == 2
    assert {refusal["where"] for refusal in report["refusals"]} == {"Broken.ndjson:1", "Broken.ndjson:2"}
    broken.unlink()
    assert run("import", str(folder)).code == 0
    verified = run("ledger", "verify")
    assert verified.code == 0, verified.out


@pytest.mark.usefixtures("home")
def test_the_ledger_is_shown_verified_and_proven(run: Run, tmp_path: Path) -> None:
    run("import", str(ndjson(tmp_path / "bulk", 1)))
    entries = json.loads(run("ledger", "show", "--last", "3", "--json").out)
    assert {entry["action"] for entry in entries} >= {"import", "audit:ledger:read"}
    proof = tmp_path / "entry.tlog-proof"
    assert run("ledger", "prove", entries[-1]["entry"], "--output", str(proof)).code == 0
    assert proof.read_text().startswith("c2sp.org/tlog-proof@v1\n")
    assert run("ledger", "key").out.startswith("localhost/carekeep+")
    assert run("ledger", "prove", "00" * 16).code == 3
    assert run("ledger", "prove", "xyz").code == 2


@pytest.mark.usefixtures("home")
def test_a_forgotten_patient_and_rotated_keys_still_verify(run: Run, tmp_path: Path) -> None:
    run("import", str(ndjson(tmp_path / "bulk", 2)))
    patient = next(Hospital(seed=5, patients=2, now=NOW).people()).patient_id
    looked = run("keys", "destroy", patient, "--reason", "asked for", "--dry-run")
    assert looked.code == 0
    assert json.loads(run("keys", "status", "--json").out) == {"patient_keys": 2, "destroyed": 0, "epochs_in_use": 1}
    assert run("keys", "destroy", patient, "--reason", "asked for", typed="another id\n").code == 3
    assert run("keys", "destroy", patient, "--reason", "asked for", typed=f"{patient}\n").code == 0
    assert run("keys", "destroy", patient, "--reason", "again", "--yes").code == 3
    assert run("keys", "rotate").code == 0
    status = json.loads(run("keys", "status", "--json").out)
    assert (status["patient_keys"], status["destroyed"]) == (1, 1)
    verified = run("ledger", "verify", "--json")
    assert json.loads(verified.out) == {"sound": True, "findings": []}


def test_doctor_finds_what_is_wrong(run: Run, home: Path) -> None:
    (home / "tls" / "server.key").chmod(0o644)
    (home / "tls" / "server.pem").unlink()
    ran = run("doctor", "--json")
    found = json.loads(ran.out)
    assert ran.code == 1
    problems = " ".join(each["what"] for each in found if each["state"] == "problem")
    assert "server.key" in problems
    assert "server.pem" in problems
    assert all(each["fix"] and each["why"] for each in found if each["state"] != "ok")


@pytest.mark.usefixtures("home")
def test_doctor_is_content_with_a_new_installation(run: Run) -> None:
    ran = run("doctor")
    assert ran.code == 0, ran.out
    assert "PROBLEM" not in ran.out
