"""For any history of a store: an export equals what a search gave at its kick-off, whatever came after."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carekeep.access import SYSTEM_GRANT
from carekeep.identity import Kind
from carekeep.web.bulk import exporting
from tests.web.bulk.jobs import fetch, kick_off, path_of, work
from tests.web.clinic import Clinic, Json, observation, open_clinic

PATIENTS = ("ada", "bob", "cleo")
Change = tuple[str, int, str, int]

# What is done, to which record, of whom, with which value. A record changes its patient, dies and comes back.
changes = st.tuples(
    st.sampled_from(["put", "put", "put", "delete"]), st.integers(0, 5), st.sampled_from(PATIENTS), st.integers(40, 90)
)
histories = st.lists(changes, max_size=12)
QUERIES = {
    "$export": "Observation?_count=100",
    "$export?_typeFilter=Observation%3Fvalue-quantity%3Dge60": "Observation?_count=100&value-quantity=ge60",
    "Patient/$export?_type=Observation": "Observation?_count=100",
    "Patient/$export?organizeOutputBy=Patient": "Observation?_count=100",
}


async def happen(clinic: Clinic, history: list[Change]) -> None:
    for what, number, patient, value in history:
        clinic.time.now_ms += 1
        if what == "put":
            await clinic.put(observation(f"o{number}", patient, value, "2026-03-01"))
        else:
            await clinic.ask("DELETE", f"Observation/o{number}")


async def found_by_search(clinic: Clinic, query: str) -> list[Json]:
    bundle = (await clinic.ask("GET", query)).json
    return sorted((entry["resource"] for entry in bundle.get("entry", [])), key=lambda each: str(each["id"]))


async def compare(folder: Path, before: list[Change], after: list[Change], path: str) -> None:
    async with open_clinic(folder / "home", f"sqlite://{folder}/carekeep.db") as clinic:
        services = clinic.system.services
        engine = await services.accounts.prepare_create(
            Kind.APP, name="The engine", login="engine", grants=frozenset({SYSTEM_GRANT})
        )
        await clinic.record("an account", engine)
        clinic.accounts["engine"] = engine.value
        clinic.tokens["engine"] = await clinic.issue_token("engine")
        await happen(clinic, before)
        url = path_of((await kick_off(clinic, path)).headers["content-location"])
        expected = await found_by_search(clinic, QUERIES[path])
        await happen(clinic, after)
        await work(clinic)
        resources = [each for each in (await fetch(clinic, url)).resources if each["resourceType"] == "Observation"]
        assert sorted(resources, key=lambda each: str(each["id"])) == expected


@pytest.mark.parametrize("path", QUERIES)
@settings(max_examples=8)
@given(before=histories, after=histories)
def test_an_export_is_what_a_search_gave(path: str, before: list[Change], after: list[Change]) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "PAGE", 2)
        patch.setattr(exporting, "STEP", 3)
        asyncio.run(compare(Path(folder), before, after, path))
