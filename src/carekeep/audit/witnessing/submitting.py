"""The log's side: signing the newest checkpoint for the long run, and asking the witnesses to cosign it.

A witness that does not answer delays finality and nothing else. One that contradicts (it has seen more of the log than
there is, or another past) is an alarm: it is in the ledger, in the log file, and in ``carekeep doctor``.
"""

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from carekeep.audit.checkpoint import Checkpoint, open_checkpoint
from carekeep.audit.entries import Agent, Entry
from carekeep.audit.ledger import Ledger
from carekeep.audit.merkle import consistency_spans
from carekeep.audit.note import MOST_SIGNATURES, Note, NoteRefused, Signature, VerifierKey, parse_note, parse_signature
from carekeep.audit.tile_table import TileTable
from carekeep.audit.witnessing.cosignatures import Cosigner, time_of
from carekeep.audit.witnessing.cosigned import Cosigned, keep_cosigned
from carekeep.audit.witnessing.policy import Policy, TrustedWitness
from carekeep.audit.witnessing.requests import AddCheckpoint, Refusal
from carekeep.audit.witnessing.standings import Standing, Standings
from carekeep.storage import Clock, Database

ALARM = "audit:witness:alarm"
REFRESH_MS = 3_600_000
"""A checkpoint that did not move is cosigned anew: who looks sees that the log still lives and did not shrink."""

SKEW_S = 600
_SIZE_TYPE = "text/x.tlog.size"
_MOST_DIGITS = 19
_TRIES = 3  # the first size that a witness is told may be old, and it may move meanwhile

_log = logging.getLogger("carekeep.witnesses")


class Unreachable(Exception):
    """No answer is to be had. The text says why; it holds nothing of an answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever it is: status, media type, and a body of bounded size."""

    status: int
    content_type: str
    body: bytes


Submit = Callable[[str, bytes], Awaitable[Answer]]
"""POSTs a body to a URL. Raises Unreachable."""


class _Fault(Exception):
    """Why a witness did not cosign."""

    def __init__(self, text: str, *, alarming: bool = False) -> None:
        super().__init__(text)
        self.alarming = alarming


@dataclass(slots=True)
class _Draft:
    """A checkpoint on its way to finality: the note as the log signed it, and what was collected for it."""

    note: Note
    checkpoint: Checkpoint
    signed_ms: int
    lines: dict[str, Signature] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    def cosigned(self) -> Cosigned:
        note = Note(self.note.text, (*self.note.signatures, *self.lines.values()))
        return Cosigned(self.checkpoint.size, self.signed_ms, str(note))


class Submitting:
    """Brings the log's newest checkpoint to finality, turn by turn. ``key`` and ``private`` are the log's.

    Used by one process at a time; the ``standings`` in the database say how it goes.
    """

    def __init__(
        self,
        ledger: Ledger,
        database: Database,
        standings: Standings,
        policy: Policy,
        submit: Submit,
        key: VerifierKey,
        private: MLDSA44PrivateKey,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._database = database
        self._tiles = TileTable(database)
        self._standings = standings
        self._policy = policy
        self._submit = submit
        self._key = key
        self._cosigner = Cosigner(key.name, private)
        self._clock = clock
        self._draft: _Draft | None = None
        self._witnesses = witnesses_by_url(policy)

    async def turn(self) -> None:
        """Sign the newest checkpoint if it is new, and ask every witness that is due. Raises StorageError."""
        draft = await self._current()
        if draft is None:
            return
        asked = [self._ask(draft, url) for url in self._witnesses if url not in draft.done]
        for answered in asyncio.as_completed(asked):
            lines = await answered
            draft.lines |= lines
            if lines and self._policy.is_quorum(draft.lines):
                await keep_cosigned(self._database, draft.cosigned())

    async def _current(self) -> _Draft | None:
        """The draft of the newest checkpoint; begun if there is none of it, or if it is an hour old."""
        head = await self._tiles.head()
        if head is None or head.size == 0:
            return None
        now = self._clock()
        note = parse_note(head.checkpoint)
        if self._draft and self._draft.note.text == note.text and now - self._draft.signed_ms < REFRESH_MS:
            return self._draft
        checkpoint = open_checkpoint(head.checkpoint, self._key)
        at_s = now // 1000
        signed = Note(note.text, (*note.signatures, self._cosigner.cosign(note.text, at_s)))
        self._draft = _Draft(signed, checkpoint, at_s * 1000)
        if self._policy.is_quorum(()):
            await keep_cosigned(self._database, self._draft.cosigned())
        return self._draft

    async def _ask(self, draft: _Draft, url: str) -> Mapping[str, Signature]:
        """Ask the witness at a URL, if it is due; what it cosigned, by the names of the policy."""
        before = await self._standings.of(url)
        if self._clock() < before.next_ms:
            return {}
        try:
            lines = await self._cosignatures(draft, url, before.size)
        except (_Fault, Unreachable) as fault:
            await self._fell_ill(before, fault)
            return {}
        draft.done.add(url)
        if before.fault:
            _log.warning("The witness at %s cosigns again.", url)
        await self._standings.keep(before.well(draft.checkpoint.size, self._clock()))
        return lines

    async def _cosignatures(self, draft: _Draft, url: str, old: int) -> Mapping[str, Signature]:
        """Submit, from the size that the witness has. Raises _Fault, Unreachable."""
        size = draft.checkpoint.size
        old = min(old, size)
        for _ in range(_TRIES):
            path = await self._tiles.roots(consistency_spans(old, size), size)
            request = AddCheckpoint(old, tuple(path), str(draft.note))
            answer = await self._submit(f"{url}/add-checkpoint", str(request).encode())
            if answer.status != Refusal.CONFLICT.value:
                return self._accepted(draft, url, answer)
            known = _size_in(answer)
            if known is None or known == old:
                raise _Fault("it cosigned another root for the same size of our log", alarming=True)
            if known > size:
                await self._compare_with_head(known)
            old = min(known, size)
        raise _Fault("its size moves with every request")

    async def _compare_with_head(self, known: int) -> None:
        head = await self._tiles.head()
        if head is None or known > head.size:
            raise _Fault(
                f"it cosigned {known} entries of our log and we have {head.size if head else 0}: our database was put "
                "back to an older state, or somebody else signs with our key",
                alarming=True,
            )
        raise _Fault("it has a newer checkpoint already")

    def _accepted(self, draft: _Draft, url: str, answer: Answer) -> Mapping[str, Signature]:
        """The cosignatures in an answer that are of the witness's keys, of this checkpoint and of now."""
        if answer.status != _OK:
            text = _REFUSALS.get(answer.status, f"it answers {answer.status}")
            raise _Fault(text, alarming=answer.status in _ALARMING)
        try:
            lines = [parse_signature(line) for line in answer.body.decode().splitlines()[:MOST_SIGNATURES]]
        except (NoteRefused, UnicodeDecodeError):
            raise _Fault("its answer is not cosignature lines") from None
        found = {}
        now_s = self._clock() // 1000
        for witness in self._witnesses[url]:
            for line in lines:
                if (line.name, line.key_id) != (witness.key.name, witness.key.key_id):
                    continue  # of keys that we do not know nothing is believed
                if not witness.key.verifies(draft.note.text, line.signature):
                    raise _Fault("a cosignature of its key does not fit the checkpoint")
                if abs((time_of(line.signature) or 0) - now_s) > SKEW_S:
                    raise _Fault("the time of its cosignature is not now: an old answer, or a clock that is wrong")
                found[witness.name] = line
        if not found:
            raise _Fault("its answer has no cosignature by a key of the policy")
        return found

    async def _fell_ill(self, before: Standing, fault: Exception) -> None:
        alarming = isinstance(fault, _Fault) and fault.alarming
        after = before.ill(str(fault), self._clock(), alarming=alarming)
        if after.fault != before.fault:
            _log.log(logging.CRITICAL if alarming else logging.WARNING, "The witness at %s: %s.", before.url, fault)
        if alarming and not before.alarming:
            await self._ledger.record(an_alarm(f"the witness at {before.url}: {fault}", self._clock()))
        await self._standings.keep(after)


def witnesses_by_url(policy: Policy) -> Mapping[str, tuple[TrustedWitness, ...]]:
    """The witnesses that can be asked: one witness with two keys is one URL, and asked once."""
    urls = dict.fromkeys(each.url.rstrip("/") for each in policy.witnesses if each.url)
    return {url: tuple(each for each in policy.witnesses if each.url.rstrip("/") == url) for url in urls}


def an_alarm(reason: str, now_ms: int) -> Entry:
    """The entry of something that contradicts a log."""
    return Entry(
        action=ALARM,
        agent=Agent(account="", role="server"),
        purpose="",
        outcome="failed",
        reason=reason,
        request_id=uuid.uuid4().hex,
        at_ms=now_ms,
    )


def _size_in(answer: Answer) -> int | None:
    text = answer.body.decode("latin-1").strip()
    typed = answer.content_type.partition(";")[0].strip() == _SIZE_TYPE
    return int(text) if typed and text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS else None


_OK = 200
_REFUSALS = {
    Refusal.UNKNOWN_LOG.value: "it does not know our log: its operator must add the key",
    Refusal.NOT_SIGNED.value: "it knows our log by another key",
    Refusal.INCONSISTENT.value: "it says that our log does not continue what it cosigned before",
}
_ALARMING = frozenset({Refusal.INCONSISTENT.value})
