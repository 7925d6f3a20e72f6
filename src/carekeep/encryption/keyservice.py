"""The contract between Carekeep and whatever keeps its root key: a file now, a KMS or an HSM later."""

from typing import Protocol


class KeyService(Protocol):
    """Keeps root keys and epoch keys, and never gives them out.

    A *root* key wraps other keys. An *epoch* key seals what a root key has wrapped once more: when an epoch is
    destroyed, nothing sealed in it opens again, wherever a copy of it is. Epoch keys are never in the database,
    so that no backup of it contains them. The newest root and epoch are used for new things; older ones are
    kept until a rotation has moved everything away from them.
    """

    @property
    def epoch(self) -> int:
        """The number of the newest epoch."""
        ...

    @property
    def retiring(self) -> bool:
        """Whether there are older roots or epochs: a rotation was begun and is not finished."""
        ...

    def wrap(self, name: str, key: bytes, aad: bytes) -> bytes:
        """``key``, wrapped by the newest root for the use ``name``; the result names the root."""
        ...

    def unwrap(self, name: str, wrapped: bytes, aad: bytes) -> bytes:
        """The wrapped key. Raises Tampered; KeyMissing when its root is not held."""
        ...

    def is_newest(self, wrapped: bytes) -> bool:
        """Whether ``wrapped`` was wrapped by the newest root."""
        ...

    def seal_in_epoch(self, blob: bytes, aad: bytes) -> bytes:
        """``blob``, sealed in the newest epoch."""
        ...

    def open_in_epoch(self, epoch: int, sealed: bytes, aad: bytes) -> bytes:
        """What was sealed in ``epoch``. Raises Tampered; KeyMissing when the epoch's key is not held."""
        ...

    def begin_rotation(self) -> None:
        """Make and keep, durably, a new root and a new epoch. Does nothing when a rotation was already begun."""
        ...

    def end_rotation(self, epoch: int) -> None:
        """Destroy, durably, all roots and epochs but the newest; nothing when ``epoch`` is not the newest any more."""
        ...

    def refresh(self) -> None:
        """Take notice of what other processes changed. Cheap when nothing changed: called before each unwrapping."""
        ...
