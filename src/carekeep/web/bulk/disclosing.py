"""Files on their way out: opened part by part, decided on again, and in the ledger before they leave."""

from collections.abc import AsyncIterator, Iterable, Sequence

from carekeep.access import Action, Decision, Target
from carekeep.fhir import dump_json, format_instant
from carekeep.records import Pointer, Stored, Walker
from carekeep.web.bulk.jobs import Job, Jobs
from carekeep.web.bulk.parts import read_part
from carekeep.web.obligations import abide
from carekeep.web.passage import Passage, what_of
from carekeep.web.problems import problem

AT_ONCE = 500  # records in one piece of the answer, and in one entry of the ledger
_RELATIVE, _URL = b'"url":"Binary/', b'"url":"'

Piece = list[str | Pointer]
"""Headers (ids of patients) and versions, in the order of the file."""


class Disclosure:
    """One download of one file of a job."""

    def __init__(self, passage: Passage, jobs: Jobs, walker: Walker, job: Job, number: int) -> None:
        self._passage = passage
        self._jobs = jobs
        self._walker = walker
        self._job = job
        self._number = number
        self._verdicts: dict[Target, Decision] = {}
        self._header: str | None = None

    async def pieces(self) -> AsyncIterator[bytes]:
        """The file's lines in bounded pieces. The entry of each is durable before it is given.

        Raises Problem (404) when the job is deleted meanwhile.
        """
        file = self._job.progress.files[self._number]
        if file.kind == "error":
            await self._record((), "messages of the job")
            for number in range(file.chunks):
                yield await self._content(number)
            return
        first = True
        async for piece in self._merged(file.chunks):
            lines = await self._opened(piece)
            if lines or first:
                yield b"".join(lines)
            first = False
        if first:
            await self._record((), "an empty file")

    async def _merged(self, chunks: int) -> AsyncIterator[Piece]:
        """What the chunks hold, cut into pieces of about the same size."""
        piece: Piece = []
        for number in range(chunks):
            part = read_part(await self._content(number))
            if part.header is not None:
                piece.append(part.header)
            for pointer in part.pointers:
                piece.append(pointer)
                if len(piece) >= AT_ONCE:
                    yield piece
                    piece = []
        if piece:
            yield piece

    async def _content(self, number: int) -> bytes:
        content = await self._jobs.chunk(self._job, self._number, number)
        if content is None:
            raise problem(404, "not-found", "The job was deleted.")
        return content

    async def _opened(self, piece: Piece) -> list[bytes]:
        """The lines of a piece, after its entry in the ledger."""
        pointers = [item for item in piece if not isinstance(item, str)]
        seen = dict(await self._permitted(pointers))
        await self._record(seen.values(), "a part of an exported file")
        lines: list[bytes] = []
        for item in piece:
            if isinstance(item, str):
                self._header = item
            elif (stored := seen.get(item)) is not None:
                lines += self._begun_block()
                lines.append(_line(stored, self._passage.services.fhir_url))
        return lines

    def _begun_block(self) -> list[bytes]:
        """The header that waits, now that its block has a line: who was forgotten since is not named either."""
        header, self._header = self._header, None
        return [] if header is None else [_header(header)]

    async def _permitted(self, pointers: Sequence[Pointer]) -> list[tuple[Pointer, Stored]]:
        """What of the piece still opens, and may still be read: the policies are asked again at each download."""
        found = await self._walker.open(pointers)
        decided = [(pointer, stored, await self._decision(stored)) for pointer, stored in found]
        return [(pointer, abide(decision, stored)) for pointer, stored, decision in decided if decision.permitted]

    async def _decision(self, stored: Stored) -> Decision:
        target = self._passage.target_of(stored)
        verdict = self._verdicts.get(target)
        if verdict is None:
            verdict = await self._passage.judge(Action.READ, target)
            if target.content is None:  # else no other record is alike, and it would only be held in memory
                self._verdicts[target] = verdict
        return verdict

    async def _record(self, stored: Iterable[Stored], reason: str) -> None:
        stored = tuple(stored)
        await self._passage.record(
            self._job.order.action,
            "permitted",
            what=tuple(map(what_of, stored)),
            patients=dict.fromkeys(patient for each in stored for patient in each.patients),
            query=f"file {self._number} of job {self._job.id.hex()}",
            reason=reason,
        )


def _header(patient: str) -> bytes:
    """The line that begins a patient's block (3.0.0, output file organization)."""
    reference = {"name": "header", "valueReference": {"reference": f"Patient/{patient}"}}
    return dump_json({"resourceType": "Parameters", "parameter": [reference]}) + b"\n"


def _line(stored: Stored, fhir_url: str) -> bytes:
    if stored.deleted:
        return _deletion(stored) + b"\n"
    if _RELATIVE in stored.body:  # 3.0.0, attachments: a url must be absolute
        return stored.body.replace(_RELATIVE, _URL + fhir_url.encode() + b"/Binary/") + b"\n"
    return stored.body + b"\n"


def _deletion(stored: Stored) -> bytes:
    """A transaction that deletes what was deleted here (3.0.0, ``deleted``)."""
    return dump_json(
        {
            "resourceType": "Bundle",
            "meta": {"lastUpdated": format_instant(stored.last_updated_ms)},
            "type": "transaction",
            "entry": [{"request": {"method": "DELETE", "url": stored.reference}}],
        }
    )
