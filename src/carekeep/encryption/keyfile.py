"""The key service that is a file: root and epoch keys, sealed with a passphrase (see ``keyfile_format``).

The file has mode 0600 and is only ever replaced as a whole, durably: a crash leaves the old file or the new one. A
process that has opened it can read it again when another process has rotated the keys, without the passphrase; a file
with another salt or other costs is another passphrase's, and is refused.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from carekeep.encryption.argon2 import RFC_9106_SECOND, SALT_LENGTH, Argon2Cost
from carekeep.encryption.cipher import Cipher, associated_data
from carekeep.encryption.derivation import derive
from carekeep.encryption.durable import create_file, replace_file
from carekeep.encryption.errors import KeyFileError, KeyMissing, UnknownSuite
from carekeep.encryption.keyfile_format import Header, Seal, read_key_file
from carekeep.encryption.keyset import ROOT_ID_LENGTH, KeySet
from carekeep.encryption.secret import Hidden, Secret

_WRAPPED = b"\x02"  # suite byte of a wrapped key: the id of a root key, then a sealed blob


class KeyFile(Hidden):
    """A ``KeyService`` kept in a file. Made by ``create`` or ``open``; other processes may have the same file open."""

    def __init__(
        self, path: Path, seal: Seal, keys: KeySet, stamp: tuple[int, ...], random: Callable[[int], bytes]
    ) -> None:
        self._path = path
        self._seal = seal
        self._random = random
        self._take(keys, stamp)

    @classmethod
    def create(
        cls,
        path: Path,
        passphrase: Secret,
        *,
        cost: Argon2Cost = RFC_9106_SECOND,
        random: Callable[[int], bytes] = os.urandom,
    ) -> "KeyFile":
        """A new file with new keys. Raises KeyFileError when there is a file already: keys are never overwritten.

        ``cost`` is lowered in tests only.
        """
        seal = Seal(Header(cost, random(SALT_LENGTH)), passphrase, random)
        keys = KeySet.new(random)
        try:
            create_file(path, seal.write(keys))
        except FileExistsError:
            raise KeyFileError(f"{path} exists already. Its keys would be lost; choose another path.") from None
        except OSError as error:
            raise KeyFileError(f"The key file {path} cannot be written: {error.strerror}.") from None
        return cls(path, seal, keys, _stamp(path), random)

    @classmethod
    def open(cls, path: Path, passphrase: Secret, *, random: Callable[[int], bytes] = os.urandom) -> "KeyFile":
        """Opens a file; takes about 0.1 s and 64 MiB. Raises WrongPassphrase, KeyFileError."""
        stamp = _stamp(path)
        header, sealed = read_key_file(path)
        seal = Seal(header, passphrase, random)
        return cls(path, seal, seal.read(path, header, sealed), stamp, random)

    @property
    def epoch(self) -> int:
        """See KeyService."""
        return self._keys.epoch

    @property
    def retiring(self) -> bool:
        """See KeyService."""
        return self._keys.retiring

    def wrap(self, name: str, key: bytes, aad: bytes) -> bytes:
        """See KeyService."""
        root_id = self._keys.root_id
        return _WRAPPED + root_id + self._wrapper(root_id, name).seal(key, associated_data(root_id, aad))

    def unwrap(self, name: str, wrapped: bytes, aad: bytes) -> bytes:
        """See KeyService."""
        if wrapped[:1] != _WRAPPED:
            raise UnknownSuite("A wrapped key is of an unknown suite: it was changed, or written by a newer version.")
        root_id = wrapped[1 : 1 + ROOT_ID_LENGTH]
        return self._wrapper(root_id, name).open(wrapped[1 + ROOT_ID_LENGTH :], associated_data(root_id, aad))

    def is_newest(self, wrapped: bytes) -> bool:
        """See KeyService."""
        return wrapped[1 : 1 + ROOT_ID_LENGTH] == self._keys.root_id

    def seal_in_epoch(self, blob: bytes, aad: bytes) -> bytes:
        """See KeyService."""
        return self._epochs[self.epoch].seal(blob, aad)

    def open_in_epoch(self, epoch: int, sealed: bytes, aad: bytes) -> bytes:
        """See KeyService."""
        cipher = self._epochs.get(epoch)
        if cipher is None:
            raise KeyMissing(f"The key file {self._path} does not hold the key of epoch {epoch}.")
        return cipher.open(sealed, aad)

    def begin_rotation(self) -> None:
        """See KeyService."""
        self._update(lambda keys: keys.rotated(self._random))

    def end_rotation(self, epoch: int) -> None:
        """See KeyService. What a disk keeps of the old file is sealed under the passphrase."""
        self._update(lambda keys: keys.retired(epoch))

    def refresh(self) -> None:
        """See KeyService. Raises KeyFileError when the file is gone or has another passphrase now."""
        stamp = _stamp(self._path)
        if stamp != self._stamp:
            self._take(self._seal.read(self._path, *read_key_file(self._path)), stamp)

    def _take(self, keys: KeySet, stamp: tuple[int, ...]) -> None:
        self._keys = keys
        self._stamp = stamp
        self._roots = dict(keys.roots)
        self._epochs = {number: Cipher(key, self._random) for number, key in keys.epochs}
        self._wrappers: dict[tuple[bytes, str], Cipher] = {}

    def _wrapper(self, root_id: bytes, name: str) -> Cipher:
        cipher = self._wrappers.get((root_id, name))
        if cipher is None:
            root = self._roots.get(root_id)
            if root is None:
                raise KeyMissing(
                    f"The key file {self._path} does not hold root key {root_id.hex()}: "
                    "it belongs to another database, or is an old copy."
                )
            cipher = self._wrappers[root_id, name] = Cipher(derive(root, "wrap", name), self._random)
        return cipher

    def _update(self, change: Callable[[KeySet], KeySet]) -> None:
        with _locked(self._path.parent):
            before = self._seal.read(self._path, *read_key_file(self._path))
            after = change(before)
            if after != before:
                try:
                    replace_file(self._path, self._seal.write(after))
                except OSError as error:
                    raise KeyFileError(f"The key file {self._path} cannot be written: {error.strerror}.") from None
            self._take(after, _stamp(self._path))


def _stamp(path: Path) -> tuple[int, ...]:
    # A replaced file has another inode; the times catch a file that was written over by hand.
    try:
        status = path.stat()
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}.") from None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process at a time changes the key files of a folder: two rotations must not overwrite each other's keys."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
