"""``carekeep import`` goes on where it was interrupted."""

import json
from pathlib import Path
from typing import Any

import pytest

from carekeep.cli.loading import loader
from carekeep.storage import StorageError
from tests.cli.conftest import Run


def write(folder: Path, count: int) -> Path:
    """Observations, one of them broken and one without an id."""
    lines: list[dict[str, Any]] = [
        {"resourceType": "Observation", "id": f"o{n}", "status": "final", "code": {"text": "pulse"}}
        for n in range(count)
    ]
    del lines[1]["id"]
    lines.append({"resourceType": "Observation", "id": "broken"})
    path = folder / "pulse.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def loaded(out: str) -> tuple[int, int, int]:
    report = json.loads(out)
    return sum(report["loaded"].values()), report["unchanged"], report["refused"]


def test_an_import_that_was_interrupted_goes_on(
    run: Run, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.exists()
    path = write(tmp_path, 10)
    monkeypatch.setattr(loader, "_BATCH", 4)
    commits = 0
    commit = loader.Loader._commit  # noqa: SLF001 - to fail in the middle

    async def failing(self: loader.Loader, some: Any) -> None:
        nonlocal commits
        commits += 1
        if commits == 2:
            raise StorageError("the disk is full")
        await commit(self, some)

    with monkeypatch.context() as patch:
        patch.setattr(loader.Loader, "_commit", failing)
        assert run("import", str(path), "--json").code not in {0, 1}
    again = run("import", str(path), "--json")
    assert again.code == 1
    assert loaded(again.out) == (6, 4, 1)
    assert loaded(run("import", str(path), "--json").out) == (0, 10, 1)
