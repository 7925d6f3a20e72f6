"""Reading a log line by line, in bounded memory; what cannot be read is named by its line and passed over."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from carekeep.audit.foreign import atna_log, fhir_log
from carekeep.audit.foreign.csv_log import CsvReader, Mapping
from carekeep.audit.foreign.foreign import LARGEST_LINE, Foreign, LineRefused, LogRefused, Refusal
from carekeep.fhir import JsonLimits, JsonRefused, dump_json, parse_json

FORMATS = ("fhir", "atna", "csv")
LARGEST_BUNDLE = 16 * 2**20
_LIMITS = JsonLimits(size=LARGEST_LINE)
_BUNDLE = JsonLimits(size=LARGEST_BUNDLE)

Lines = Iterator[tuple[int, bytes | None]]


def read_log(file: BinaryIO, format_: str, mapping: Mapping | None = None) -> Iterator[Foreign | Refusal]:
    """The events of a log, and the lines that are none. Raises LogRefused where none could be read."""
    if format_ == "fhir":
        return _fhir(file)
    if format_ == "atna":
        return _atna(_lines(file))
    if format_ == "csv" and mapping is not None:
        return _csv(_lines(file), mapping)
    raise LogRefused("a CSV log needs a mapping" if format_ == "csv" else f"formats are {', '.join(FORMATS)}")


def _lines(file: BinaryIO) -> Lines:
    """(number, line); None for a line that is longer than what is read."""
    number = 0
    while line := file.readline(LARGEST_LINE + 1):
        number += 1
        whole: bytes | None = line.rstrip(b"\r\n")
        if len(line) > LARGEST_LINE:
            whole = None
            while not line.endswith(b"\n") and (line := file.readline(LARGEST_LINE)):
                pass
        if whole is None or whole.strip():
            yield number, whole


def _fhir(file: BinaryIO) -> Iterator[Foreign | Refusal]:
    """A file whose first line is not a whole object is one Bundle."""
    start = file.read(LARGEST_LINE)
    head = start.lstrip()
    rest = _Chained(start, file)
    if head.startswith(b"{") and (b'"Bundle"' in head[:2000] or head.split(b"\n", 1)[0].strip() == b"{"):
        yield from _bundle(rest.read(LARGEST_BUNDLE + 1))
        return
    for number, line in _lines(rest):  # type: ignore[arg-type]  # what of a file is used
        yield _try(number, lambda number=number, line=line: _event(number, line))  # type: ignore[misc]


def _event(number: int, line: bytes | None) -> Foreign:
    if line is None:
        raise LineRefused("it is too long")
    try:
        return fhir_log.foreign_of(parse_json(line, _LIMITS), number, line)
    except JsonRefused:
        raise LineRefused("it is no JSON object that FHIR allows") from None


def _bundle(body: bytes) -> Iterator[Foreign | Refusal]:
    """The entries of a Bundle, numbered from 1; a single AuditEvent is one."""
    try:
        given = parse_json(body, _BUNDLE)
    except JsonRefused as refused:
        raise LogRefused(str(refused)) from None
    entries = given.get("entry", []) if given.get("resourceType") == "Bundle" else [{"resource": given}]
    for number, entry in enumerate(entries if isinstance(entries, list) else (), start=1):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        raw = dump_json(resource) if isinstance(resource, dict) else b""
        yield _try(number, lambda r=resource, n=number, w=raw: fhir_log.foreign_of(r, n, w))  # type: ignore[misc]


def _atna(lines: Lines) -> Iterator[Foreign | Refusal]:
    """Messages from their first tag to their last, over one line or several; headers before them are passed over."""
    kept, first = bytearray(), 0
    for number, line in lines:
        if line is None:
            kept.clear()
            yield Refusal(number, "it is too long")
            continue
        at = 0
        while at < len(line):
            if not kept:
                doctype = line.find(b"<!", at)
                begin = line.find(atna_log.BEGIN, at)
                if doctype >= 0 and (begin < 0 or doctype < begin):
                    yield Refusal(number, "it has a document type, an entity or an instruction")
                if begin < 0:
                    break
                at, first = begin, number
            end = line.find(atna_log.END, at)
            stop = len(line) if end < 0 else end + len(atna_log.END)
            kept += line[at:stop] + (b"\n" if end < 0 else b"")
            at = stop
            if len(kept) > LARGEST_LINE:
                yield Refusal(first, "it is too long")
                kept.clear()
            elif end >= 0:
                raw = bytes(kept)
                kept.clear()
                yield _try(first, lambda raw=raw, first=first: atna_log.foreign_of(raw, first))  # type: ignore[misc]
    if kept:
        yield Refusal(first, "it has no end")


def _csv(lines: Lines, mapping: Mapping) -> Iterator[Foreign | Refusal]:
    _, head = next(lines, (1, None))
    if head is None:
        raise LogRefused("the log has no first line that names its columns")
    try:
        reader = CsvReader(head.decode(), mapping)
    except (UnicodeDecodeError, LineRefused):
        raise LogRefused("the log's first line cannot be read") from None
    for number, line in lines:
        yield _try(number, lambda number=number, line=line: _row(reader, number, line))  # type: ignore[misc]


def _row(reader: CsvReader, number: int, line: bytes | None) -> Foreign:
    if line is None:
        raise LineRefused("it is too long")
    try:
        return reader.foreign_of(line.decode(), number, line)
    except UnicodeDecodeError:
        raise LineRefused("it is no UTF-8") from None


def _try(number: int, work: Callable[[], Foreign]) -> Foreign | Refusal:
    try:
        return work()
    except LineRefused as refused:
        return Refusal(number, str(refused))


class _Chained:
    """A file whose beginning was read already."""

    def __init__(self, start: bytes, file: BinaryIO) -> None:
        self._start = start
        self._file = file

    def read(self, size: int) -> bytes:
        start, self._start = self._start[:size], self._start[size:]
        return start + self._file.read(size - len(start)) if size > len(start) else start

    def readline(self, size: int) -> bytes:
        if not self._start:
            return self._file.readline(size)
        end = self._start.find(b"\n", 0, size) + 1 or size
        line, self._start = self._start[:end], self._start[end:]
        if not line.endswith(b"\n") and len(line) < size:
            line += self._file.readline(size - len(line))
        return line
