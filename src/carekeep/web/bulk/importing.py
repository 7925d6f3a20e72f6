"""One step of an import: the next part of what was uploaded or fetched is loaded, together with the job's position."""

from dataclasses import replace

from carekeep.fhir import Issue, JsonRefused, parse_json
from carekeep.storage import Prepared
from carekeep.web.bulk.gathering import Gathering
from carekeep.web.bulk.jobs import Chunk, Job, Jobs, State
from carekeep.web.bulk.loading import Batch, Loadable, Refusal, draft_batch
from carekeep.web.bulk.messages import line_of
from carekeep.web.bulk.orders import File, ImportOrder, Progress
from carekeep.web.passage import Passage, what_of

LINES_OF_PART = 250
BYTES_OF_PART = 1024 * 1024
LONGEST_LINE = 16 * 1024 * 1024
_REFUSED = "refused"
_TOO_LONG = Issue("error", "too-long", "", f"The line is longer than {LONGEST_LINE:,} bytes.")


class Cutter:
    """Cuts a stream of bytes into parts of whole lines, in bounded memory.

    A line that is too long is kept as an empty one, so that the numbers of lines stay true; it is told as refused.
    """

    def __init__(self) -> None:
        self._rest = bytearray()
        self._skipping = False
        self._lines: list[bytes] = []
        self._size = 0
        self.lines = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Parts that are full after these bytes."""
        parts: list[bytes] = []
        self._rest += data
        while (end := self._rest.find(b"\n")) >= 0:
            line = bytes(self._rest[:end])
            del self._rest[: end + 1]
            self._add(b"\0" if self._skipping else line)
            self._skipping = False
            if len(self._lines) >= LINES_OF_PART or self._size >= BYTES_OF_PART:
                parts.append(self._part())
        if len(self._rest) > LONGEST_LINE:
            self._rest.clear()
            self._skipping = True
        return parts

    def end(self) -> list[bytes]:
        """What is left at the end of the stream."""
        if self._rest or self._skipping:
            self._add(b"\0" if self._skipping else bytes(self._rest))
        return [self._part()] if self._lines else []

    def _add(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        self.lines += 1

    def _part(self) -> bytes:
        part = b"\n".join(self._lines)
        self._lines, self._size = [], 0
        return part


def input_part(progress: Progress, number: int, part: bytes) -> tuple[Progress, Chunk]:
    """The progress with one more part of an input file, and its chunk."""
    file = progress.files[number]
    files = _with(progress.files, number, replace(file, chunks=file.chunks + 1))
    return replace(progress, files=files), (number, file.chunks, part)


def _with(files: tuple[File, ...], number: int, file: File) -> tuple[File, ...]:
    return (*files[:number], file, *files[number + 1 :])


async def import_step(passage: Passage, jobs: Jobs, job: Job, order: ImportOrder) -> bool:
    """Load the next part. False when there was none left, and the job is done. Raises Conflict, StorageError."""
    progress = job.progress
    inputs = [number for number, file in enumerate(progress.files) if file.kind == "input"]
    while progress.scope < len(inputs) and progress.seq >= progress.files[inputs[progress.scope]].chunks:
        progress = replace(progress, scope=progress.scope + 1, seq=0, looked=0)
    if progress.scope == len(inputs):
        done = jobs.advance(job, progress, State.DONE, dropped=inputs)
        await passage.record(order.action, "permitted", done, reason=f"import finished: {progress.taken} loaded")
        return False
    number = inputs[progress.scope]
    content = await jobs.chunk(job, number, progress.seq)
    lines = (content or b"").split(b"\n")
    file = progress.files[number]
    resources: list[tuple[str, Loadable]] = [
        (f"line {progress.looked + n}", _parsed(line, file.type)) for n, line in enumerate(lines, 1) if line.strip()
    ]
    batch = await draft_batch(passage.services, resources, passage.judge, order.source)
    after, chunks = _after(progress, batch, len(lines), number)
    await _commit(passage, order, batch, jobs.advance(job, after, State.RUNNING, chunks))
    return True


async def _commit(passage: Passage, order: ImportOrder, batch: Batch, advance: Prepared[None]) -> None:
    """Records, position and refusals are one unit: what was loaded is never loaded again."""
    await passage.record(
        order.action,
        "permitted",
        *batch.prepared,
        advance,
        what=tuple(map(what_of, batch.stored)),
        patients=dict.fromkeys(patient for stored in batch.stored for patient in stored.patients),
        reason="records brought in by an import",
    )
    for topic in batch.topics:
        passage.services.generations.changed(topic)


def _after(progress: Progress, batch: Batch, lines: int, number: int) -> tuple[Progress, list[Chunk]]:
    file = progress.files[number]
    gathering = Gathering(progress)
    messages = [_message(refusal) for refusal in batch.refusals]
    gathering.add_lines("error", "OperationOutcome", messages, file.source)
    gathering.notices[_REFUSED] += len(batch.refusals)
    after = replace(
        progress,
        seq=progress.seq + 1,
        looked=progress.looked + lines,
        taken=progress.taken + len(batch.stored),
        skipped=progress.skipped + batch.skipped,
        files=_with(
            tuple(gathering.files), number, replace(file, count=file.count + len(batch.stored) + batch.skipped)
        ),
        notices=tuple(gathering.notices.items()),
    )
    return after, gathering.chunks


def _message(refusal: Refusal) -> bytes:
    """The outcome of one refused line; it says where, and never what stood there."""
    return line_of(
        [Issue(i.severity, i.code, i.expression, f"{refusal.where}: {i.diagnostics}") for i in refusal.issues]
    )


def _parsed(line: bytes, type_: str) -> Loadable:
    if line == b"\0":
        return (_TOO_LONG,)
    try:
        resource = parse_json(line)
    except JsonRefused as error:
        return (error.issue,)
    if type_ and resource.get("resourceType") != type_:
        return (Issue("error", "invalid", "", f"The input was said to hold resources of type {type_}."),)
    return resource
