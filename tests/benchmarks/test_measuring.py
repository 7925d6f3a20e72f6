"""One measurement for real: server, clients, table, file."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_quick_read_is_measured(tmp_path: Path) -> None:
    output = tmp_path / "latest.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "read", "--output", str(output)]
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "Carekeep, an app" in finished.stdout
    assert "Carekeep, an app" in finished.stderr  # progress
    told = json.loads(output.read_text("utf-8"))
    assert told["machine"]["quick"] is True
    assert told["machine"]["cores"] >= 1
    values = {figure["name"]: figure["value"] for figure in told["figures"]}
    assert {"bare", "open", "Carekeep, an app", "Carekeep, a clinician in care"} <= values.keys()
    assert values["Carekeep, best"] > 0
    assert values["of bare, best to best"] < 100
