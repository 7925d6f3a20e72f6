"""What one step of an export has found, on its way into files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from carekeep.records import Pointer
from carekeep.web.bulk.jobs import Chunk
from carekeep.web.bulk.orders import File, FileKind, Progress
from carekeep.web.bulk.parts import write_part

LARGEST_FILE = 100_000  # resources; then another file of the same type begins


class Gathering:
    """Collects versions by file. In files organized by patient, a block is never split between files."""

    def __init__(self, progress: Progress) -> None:
        self.files = list(progress.files)
        self.chunks = list[Chunk]()
        self.notices: Counter[str] = Counter(dict(progress.notices))
        self.taken = progress.taken
        self._pending: dict[tuple[FileKind, str], list[Pointer]] = {}
        self._header: str | None = None

    def take(self, kind: FileKind, type_: str, pointer: Pointer) -> None:
        """One more version for the file of a kind and type ("" for one that is organized by patient)."""
        self._pending.setdefault((kind, type_), []).append(pointer)
        self.taken += kind == "output"

    def begin_block(self, patient: str) -> None:
        """What is taken for type "" from here on is in the block of this patient."""
        self._flush("output", "")
        self._header = patient

    def finished(self) -> None:
        """Write what is still pending into chunks."""
        for kind, type_ in list(self._pending):
            self._flush(kind, type_)

    def add_lines(self, kind: FileKind, type_: str, lines: Sequence[bytes], source: str = "") -> None:
        """Lines as they are, for a file of messages."""
        if lines:
            number = self._file(kind, type_, source, may_begin=True)
            self._write(number, b"".join(line + b"\n" for line in lines), len(lines))

    def _flush(self, kind: FileKind, type_: str) -> None:
        pointers = self._pending.pop((kind, type_), [])
        if pointers:
            header, self._header = (self._header, None) if not type_ else (None, self._header)
            number = self._file(kind, type_, "", may_begin=bool(type_) or header is not None)
            self._write(number, write_part(header, pointers), len(pointers))

    def _file(self, kind: FileKind, type_: str, source: str, *, may_begin: bool) -> int:
        """The file to go on with: the last of its kind, or a new one when that is full and a new one may begin."""
        for number in range(len(self.files) - 1, -1, -1):
            file = self.files[number]
            if (file.kind, file.type, file.source) == (kind, type_, source):
                if file.count < LARGEST_FILE or not may_begin:
                    return number
                break
        self.files.append(File(kind, type_, source=source))
        return len(self.files) - 1

    def _write(self, number: int, content: bytes, count: int) -> None:
        file = self.files[number]
        self.chunks.append((number, file.chunks, content))
        self.files[number] = replace(file, count=file.count + count, chunks=file.chunks + 1)
