"""A witness: cosigns a log's checkpoints as long as each continues the one before; keeps proof when one cannot."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from carekeep.audit.note import Note, NoteKey, Signature
from carekeep.audit.witnessing.folder import WitnessFolder
from carekeep.audit.witnessing.requests import AddCheckpoint, Declined, Refusal, Submission, admit, compare, origin_of
from carekeep.storage import Clock

_log = logging.getLogger("carekeep.witness")


@dataclass(frozen=True, slots=True)
class Witness:
    """The witness of one folder. ``clock`` is milliseconds since 1970.

    ``persisted`` is called between the moment when a checkpoint is durable and its cosigning; tests stop there.
    """

    folder: WitnessFolder
    clock: Clock
    persisted: Callable[[], None] = lambda: None

    def add_checkpoint(self, body: bytes) -> tuple[Signature, ...]:
        """C2SP tlog-witness, ``add-checkpoint``: our cosignatures, by every key that we have.

        Blocks on the disk: to be called in a thread. What cannot be believed costs no lock and no write. Raises
        Declined, WitnessBroken, OSError.
        """
        request = AddCheckpoint.parse(body)
        origin = origin_of(request)
        submission = admit(request, self._keys_of(origin))
        with self.folder.locked(origin):
            latest = self.folder.latest(origin)
            try:
                compare(submission, latest)
            except Declined as declined:
                self._keep_evidence(declined)
                raise
            # Durable before it is cosigned: who has our cosignature can rely on it that we remember.
            self.folder.keep_latest(origin, str(submission.note))
            self.persisted()
            return self._cosign(origin, submission)

    def _cosign(self, origin: str, submission: Submission) -> tuple[Signature, ...]:
        text, at_s = submission.note.text, self.clock() // 1000
        lines = tuple([cosigner.cosign(text, at_s) for cosigner in self.folder.cosigners()])
        self.folder.keep_cosigned(origin, str(Note(text, (*submission.note.signatures, *lines))))
        return lines

    def _keys_of(self, origin: str) -> tuple[NoteKey, ...]:
        keys = tuple([log.key for log in self.folder.logs() if log.key.name == origin])
        if not keys:
            raise Declined(Refusal.UNKNOWN_LOG, "this witness does not know the log")
        return keys

    def _keep_evidence(self, declined: Declined) -> None:
        evidence = declined.evidence
        if evidence is not None and self.folder.keep_split_view(evidence):
            _log.critical(
                "The log %s showed two pasts. The proof is kept: see `carekeep witness status`.", evidence.origin
            )
