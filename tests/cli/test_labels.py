"""``carekeep labels``: rules are shown and checked, and what is stored is labelled anew."""

import json
from importlib import resources
from pathlib import Path

from tests.cli.conftest import Run

BUNDLED = (resources.files("carekeep.access.labelling") / "rules.toml").read_text("utf-8")
ASTHMA = """
[[category.rule]]
sensitivity = "SICKLE"
system = "icd-10"
begins = ["J45"]
source = "for this test"
"""


def test_rules_change_and_records_follow(run: Run, home: Path, tmp_path: Path) -> None:
    condition = {
        "resourceType": "Condition",
        "id": "c",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J45.909"}]},
    }
    records = tmp_path / "records.ndjson"
    records.write_text(json.dumps(condition) + "\n" + json.dumps(condition | {"id": "d"}) + "\n")
    assert run("import", str(records)).code == 0

    rules = tmp_path / "labels.toml"
    rules.write_text(BUNDLED + ASTHMA)
    assert run("labels", "check", str(rules)).code == 0
    (home / "labels.toml").write_text(rules.read_text())
    told = json.loads(run("labels", "show", "--json").out)
    assert told["rules"][-1] == {
        "category": "genetic",
        "label": "SICKLE",
        "system": "icd-10",
        "codes": [],
        "begins": ["J45"],
        "source": "for this test",
    }
    assert "2 would get other labels" in run("labels", "apply", "--dry-run").out
    assert json.loads(run("labels", "apply", "--json").out) == {"looked_at": 2, "changed": 2, "unreadable": 0}
    assert "2 unchanged" in run("import", str(records)).out
    assert run("ledger", "verify").code == 0


def test_rules_that_cannot_be_meant_change_nothing(run: Run, home: Path, tmp_path: Path) -> None:
    rules = tmp_path / "labels.toml"
    rules.write_text(BUNDLED.replace('confidentiality = "R"', 'confidentiality = "secret"'))
    refused = run("labels", "check", str(rules))
    assert refused.code == 1
    assert "substance-use" in refused.err
    (home / "labels.toml").write_text(rules.read_text())
    assert run("labels", "apply").code == 3
    assert "labels.toml" in run("import", str(rules)).err
