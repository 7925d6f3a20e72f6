"""A bulk client in the tests: kicks off, lets the clinic work, reads what comes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carekeep.web.bulk import BulkRunner
from carekeep.web.bulk.exporting import SETTLE_MS
from tests.web.clinic import Answer, Clinic, Json

SITE = "https://records.example.org"
ASYNC = {"prefer": "respond-async"}
NDJSON = {"content-type": "application/fhir+ndjson", **ASYNC}


@dataclass(frozen=True, slots=True)
class Exported:
    """A finished export: its manifest, and the lines of its files."""

    url: str
    manifest: Json
    files: dict[str, list[Json]]

    @property
    def resources(self) -> list[Json]:
        """Everything that was exported."""
        return [resource for item in self.manifest["output"] for resource in self.files[item["url"]]]

    @property
    def references(self) -> set[str]:
        return {f"{each['resourceType']}/{each['id']}" for each in self.resources}


def path_of(url: str) -> str:
    """The path of one of our URLs."""
    return url.removeprefix(SITE)


async def work(clinic: Clinic, *, settle: bool = True, holder: str = "worker") -> None:
    """Let every job run to its end."""
    if settle:
        clinic.time.now_ms += SETTLE_MS
    runner = BulkRunner(clinic.system.services, holder)
    while await runner.turn():
        pass


async def kick_off(
    clinic: Clinic, path: str, *, who: str = "engine", method: str = "GET", body: Any = None, headers: Any = None
) -> Answer:
    return await clinic.ask(method, path, body, who=who, headers={**ASYNC, **(headers or {})})


async def export(clinic: Clinic, path: str = "$export", *, who: str = "engine", **more: Any) -> Exported:
    """An export from its kick-off to its last file."""
    answer = await kick_off(clinic, path, who=who, **more)
    assert answer.status == 202, answer.body
    url = path_of(answer.headers["content-location"])
    await work(clinic)
    return await fetch(clinic, url, who=who)


async def fetch(clinic: Clinic, url: str, *, who: str = "engine") -> Exported:
    """The manifest and the files of an export that is done."""
    status = await clinic.ask("GET", url, who=who)
    assert status.status == 200, status.body
    manifest = status.json
    items = [*manifest["output"], *manifest.get("deleted", ()), *manifest["error"]]
    files = {item["url"]: await lines(clinic, item["url"], who=who) for item in items}
    return Exported(url, manifest, files)


async def lines(clinic: Clinic, url: str, *, who: str = "engine") -> list[Json]:
    answer = await clinic.ask("GET", path_of(url), who=who)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/fhir+ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


async def bring_in(clinic: Clinic, body: bytes, *, who: str = "engine", headers: Mapping[str, str] = NDJSON) -> Json:
    """An import from its kick-off to its report."""
    answer = await clinic.ask("POST", "$import", body, who=who, headers=headers)
    assert answer.status == 202, answer.body
    url = path_of(answer.headers["content-location"])
    await work(clinic)
    status = await clinic.ask("GET", url, who=who)
    assert status.status == 200, status.body
    return status.json


def without_meta(resource: Json) -> Json:
    """A resource without what the server writes itself."""
    meta = {name: value for name, value in resource.get("meta", {}).items() if name not in {"versionId", "lastUpdated"}}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return {**rest, "meta": meta} if meta else rest
