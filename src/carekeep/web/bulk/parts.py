"""What a chunk of a file holds.

An export's chunk points at record versions, so that no copy of a record is made: when a patient is forgotten, or a row
does not verify, the export knows as much as the store does, and no more.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from carekeep.records import Pointer

_HEAD = struct.Struct(">H")
_POINTER = struct.Struct(">QQQ")


@dataclass(frozen=True, slots=True)
class Part:
    """Some records of a file in their order. ``header``: with them the block of this patient begins."""

    header: str | None
    pointers: tuple[Pointer, ...]


def write_part(header: str | None, pointers: Sequence[Pointer]) -> bytes:
    """A part as bytes: the header's length and text, then 24 bytes for each version."""
    text = (header or "").encode()
    return b"".join((_HEAD.pack(len(text)), text, *(_POINTER.pack(*pointer) for pointer in pointers)))


def read_part(content: bytes) -> Part:
    """The part that ``write_part`` wrote."""
    start = _HEAD.size + _HEAD.unpack_from(content)[0]
    header = content[_HEAD.size : start].decode()
    pointers = tuple(Pointer(*numbers) for numbers in _POINTER.iter_unpack(content[start:]))
    return Part(header or None, pointers)
