"""What a bulk job is asked to do and how far it is: plain data, written as JSON before it is sealed."""

from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

FileKind = Literal["output", "deleted", "error", "input"]


@dataclass(frozen=True, slots=True)
class Asker:
    """For whom a job works: the account, as it was signed in (``identity.Session.facts``), and why it asked.

    ``account`` and ``session`` are hexadecimal.
    """

    account: str
    session: str
    facts: dict[str, Any] = field(repr=False)
    address: str | None
    purpose: str


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """An export as it was asked for.

    ``moment_ms`` is the transaction time. ``types`` None: all. ``filters`` are searches, each ``Type?query``; those of
    one type are alternatives. ``since_ms`` and ``until_ms`` bound when a record was changed, both exclusive.
    ``in_compartments``: only records of patients; ``patients`` (ids; None: of all) says of whom. ``own``: a patient
    takes away their own records. ``by_patient``: files are organized by patient. ``ignored`` are parameters that a
    lenient request had passed over.
    """

    asker: Asker
    action: str
    request: str
    moment_ms: int
    types: tuple[str, ...] | None = None
    filters: tuple[str, ...] = field(default=(), repr=False)
    since_ms: int | None = None
    until_ms: int | None = None
    in_compartments: bool = False
    patients: tuple[str, ...] | None = field(default=None, repr=False)
    own: bool = False
    by_patient: bool = False
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """An import as it was asked for: from ``inputs`` (type and URL), or, without any, from what was uploaded.

    ``source`` becomes ``meta.source`` of what has none.
    """

    asker: Asker
    action: str
    request: str
    moment_ms: int
    inputs: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    source: str | None = None


Order = ExportOrder | ImportOrder


@dataclass(frozen=True, slots=True)
class File:
    """One file of a job: ``chunks`` parts with ``count`` resources (or lines). ``source`` is what an input is of."""

    kind: FileKind
    type: str
    count: int = 0
    chunks: int = 0
    source: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is; the next step starts from here, in whatever process.

    An export is at record number ``seq`` of ``scope`` (0: of everything); ``block`` is the patient whose block was
    begun in it. An import is at part ``seq`` of file ``scope``, and has fetched ``fetched`` of its inputs.
    ``looked`` counts records or lines, ``notices`` what the client should be told of.
    """

    expires_ms: int
    scope: int = 0
    seq: int = 0
    block: str | None = field(default=None, repr=False)
    fetched: int = 0
    looked: int = 0
    taken: int = 0
    skipped: int = 0
    files: tuple[File, ...] = ()
    notices: tuple[tuple[str, int], ...] = ()
    failure: str | None = None
    forbidden: bool = False


def write(value: Order | Progress) -> bytes:
    """The JSON of an order or of progress."""
    return orjson.dumps(value)


def read_order(text: bytes) -> Order:
    """The order that ``write`` wrote."""
    content: dict[str, Any] = orjson.loads(text)
    content["asker"] = Asker(**content["asker"])
    if "inputs" in content:
        content["inputs"] = tuple((type_, url) for type_, url in content["inputs"])
        return ImportOrder(**content)
    for name in ("types", "filters", "patients", "ignored"):
        content[name] = None if content[name] is None else tuple(content[name])
    return ExportOrder(**content)


def read_progress(text: bytes) -> Progress:
    """The progress that ``write`` wrote."""
    content: dict[str, Any] = orjson.loads(text)
    content["files"] = tuple(File(**file) for file in content["files"])
    content["notices"] = tuple((name, count) for name, count in content["notices"])
    return Progress(**content)
