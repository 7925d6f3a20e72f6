"""Where records come from: files and folders, read one resource at a time.

Bundles of Synthea are taken as they come: entries refer to each other by ``urn:uuid``, and get ids that are derived
from those, so that loading a file twice finds its own records again.
"""

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from carekeep.fhir import Issue, JsonRefused, parse_json
from carekeep.web.bulk import Loadable

_MAX_LINE = 16 * 1024 * 1024  # bytes of one NDJSON line
_MAX_FILE = 512 * 1024 * 1024  # bytes of one JSON file
_URN = re.compile(r"urn:uuid:([0-9a-fA-F-]{36})")


class UnreadableSource(Exception):
    """A file cannot be used at all; the text says which and why."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file: ``size`` in bytes is what progress is measured in."""

    path: Path
    size: int

    def resources(self, progress: Callable[[int], None]) -> Iterator[tuple[str, Loadable]]:
        """``(where, resource)`` pairs, or what is wrong at that place; ``progress`` is told the bytes read."""
        if self.path.suffix in {".ndjson", ".jsonl"}:
            yield from self._lines(progress)
        else:
            yield from self._document()
            progress(self.size)

    def _lines(self, progress: Callable[[int], None]) -> Iterator[tuple[str, Loadable]]:
        with self.path.open("rb") as file:
            number = 0
            while line := file.readline(_MAX_LINE + 1):
                number += 1
                progress(len(line))
                if line.strip():
                    yield f"{self.path.name}:{number}", _parsed(line)

    def _document(self) -> Iterator[tuple[str, Loadable]]:
        parsed = _parsed(self.path.read_bytes())
        if isinstance(parsed, tuple) or parsed.get("resourceType") != "Bundle":
            yield self.path.name, parsed
            return
        entries = parsed.get("entry", [])
        ids = _ids_of(entries)
        for number, entry in enumerate(entries if isinstance(entries, list) else []):
            where = f"{self.path.name}: Bundle.entry[{number}]"
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if not isinstance(resource, dict):
                yield where, (Issue("error", "structure", f"Bundle.entry[{number}]", "The entry has no resource."),)
                continue
            full_url = entry.get("fullUrl")
            if full_url in ids:
                resource["id"] = ids[full_url].partition("/")[2]
            yield where, _rewritten(resource, ids)


def open_sources(paths: list[Path]) -> list[Source]:
    """The files behind paths; folders stand for the JSON and NDJSON files in them.

    Raises UnreadableSource.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if file.suffix in {".json", ".ndjson", ".jsonl"})
            if not inside:
                raise UnreadableSource(f"{path} holds no .json or .ndjson files.")
            files.extend(inside)
        elif path.is_file():
            files.append(path)
        else:
            raise UnreadableSource(f"{path} does not exist.")
    sources = [Source(file, file.stat().st_size) for file in files]
    for source in sources:
        if source.path.suffix == ".json" and source.size > _MAX_FILE:
            raise UnreadableSource(f"{source.path} is larger than 512 MiB; give it as NDJSON.")
    return sources


def _parsed(text: bytes) -> Loadable:
    try:
        return parse_json(text)
    except JsonRefused as error:
        return (error.issue,)


def _ids_of(entries: Any) -> dict[str, str]:
    """What each ``fullUrl`` of the Bundle's entries is to be called: ``Type/id``."""
    ids: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or not isinstance(entry.get("resource"), dict):
            continue
        full_url, resource = entry.get("fullUrl"), entry["resource"]
        type_, given = resource.get("resourceType"), resource.get("id")
        if not isinstance(full_url, str) or not isinstance(type_, str):
            continue
        found = _URN.fullmatch(full_url)
        id_ = (
            given
            if isinstance(given, str)
            else found[1].lower()
            if found
            else str(uuid.uuid5(uuid.NAMESPACE_URL, full_url))
        )
        ids[full_url] = f"{type_}/{id_}"
    return ids


def _rewritten(value: Any, ids: dict[str, str]) -> Any:
    """The resource with references to entries of the same Bundle made relative."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "reference" and isinstance(inner, str):
                value[key] = ids.get(inner, inner)
            elif isinstance(inner, dict | list):
                _rewritten(inner, ids)
    elif isinstance(value, list):
        for inner in value:
            _rewritten(inner, ids)
    return value
