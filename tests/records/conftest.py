"""A vault on each database, and the commit that the ledger does in real life."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from carekeep.encryption import Argon2Cost, KeyFile, Keyring, Secret
from carekeep.records import Draft, Stored, Vault
from carekeep.storage import Database

CHEAP = Argon2Cost(memory_kib=64, iterations=1, lanes=1)
Commit = Callable[[Draft], Awaitable[tuple[Stored, ...]]]


@pytest.fixture
async def keyring(database: Database, tmp_path: Path) -> Keyring:
    """Keys made for the test."""
    service = KeyFile.create(tmp_path / "keys", Secret("a passphrase for tests"), cost=CHEAP)
    return await Keyring.open(database, service, create=True)


@pytest.fixture
def vault(database: Database, keyring: Keyring) -> Vault:
    """An empty store."""
    return Vault(database, keyring)


@pytest.fixture
def commit(database: Database) -> Commit:
    """Commits a draft."""

    async def commit_draft(draft: Draft) -> tuple[Stored, ...]:
        prepared = draft.prepared()
        await database.commit(prepared.steps)
        return prepared.value

    return commit_draft


def patient(id_: str, family: str = "Moreau", **more: Any) -> dict[str, Any]:
    """A Patient."""
    return {"resourceType": "Patient", "id": id_, "name": [{"family": family, "given": ["Ada"]}], **more}


def observation(patient_id: str, code: str = "8867-4", value: float = 72.0, day: str = "2026-03-01") -> dict[str, Any]:
    """A heart rate."""
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{patient_id}"},
        "effectiveDateTime": f"{day}T08:00:00Z",
        "valueQuantity": {"value": value, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    }
