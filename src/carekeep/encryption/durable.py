"""Files that are there as a whole, or not at all, whatever happens."""

import os
import secrets
from pathlib import Path


def create_file(path: Path, content: bytes) -> None:
    """A new file, mode 0600, durable on return. Raises FileExistsError and leaves what is there alone."""
    staged = _stage(path, content)
    try:
        os.link(staged, path)  # unlike rename, link never replaces
    finally:
        staged.unlink()
    _sync_folder(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Puts ``content`` in the place of a file, mode 0600, durable on return. A crash leaves the old or the new file."""
    staged = _stage(path, content)
    try:
        staged.replace(path)
    except OSError:
        staged.unlink()
        raise
    _sync_folder(path.parent)


def _stage(path: Path, content: bytes) -> Path:
    staged = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        staged.unlink()
        raise
    return staged


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
