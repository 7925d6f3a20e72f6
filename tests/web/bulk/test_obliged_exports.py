"""Minimum necessary in exports: what is left out is in no file, and no filter tells it."""

import pytest

from carekeep.access import PolicyFile
from carekeep.access.policy_text import bundled_policies
from tests.web.bulk.jobs import export
from tests.web.clinic import Clinic, on_sqlite

NAMELESS = tuple(
    PolicyFile(
        file.name, file.text.replace('@id("own.read")', '@id("own.read")\n@obligation("omit Patient.name, *.text")')
    )
    for file in bundled_policies()
)


@on_sqlite
@pytest.mark.parametrize(
    ("query", "patients"),
    [
        ("", 1),
        ("?_type=Patient&_typeFilter=Patient?_id=ada", 1),
        ("?_type=Patient&_typeFilter=Patient?family=Moreau", 0),
        ("?_type=Patient&_typeFilter=Patient?name:missing=true", 0),
    ],
)
async def test_an_export_leaves_out_what_a_read_leaves_out(clinic: Clinic, query: str, patients: int) -> None:
    before = await export(clinic, "Patient/$export", who="ada")
    assert "Moreau" in str(before.resources)
    clinic.system.services.policies.decider.reload(NAMELESS)
    exported = await export(clinic, f"Patient/$export{query}", who="ada")
    found = [each for each in exported.resources if each["resourceType"] == "Patient"]
    assert len(found) == patients
    assert "Moreau" not in str(exported.resources)
    assert all(each["meta"]["tag"][0]["code"] == "SUBSETTED" for each in found)
