"""Somebody who trusts nobody: checks a log from its published files, with the standalone verifier's code and their own.

Nothing of Carekeep is imported here.
"""

import importlib.util
import struct
from base64 import b64decode
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path

_SPEC = importlib.util.spec_from_file_location(
    "carekeep_verify", Path(__file__).parents[2] / "verifier" / "carekeep_verify.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
verifier = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(verifier)

WIDTH = 256
Fetch = Callable[[str], Awaitable[bytes]]


class Refused(AssertionError):
    """The log is not what its checkpoint says."""


async def check_log(fetch: Fetch, key: str) -> int:
    """Fetch all entries and tiles of level 0, and compare them with the signed root; the size of the log."""
    note = (await fetch("checkpoint")).decode()
    origin, size_line, root_line = verifier.check_signature(note, verifier.read_key(key)).split("\n")[:3]
    size = int(size_line)
    hashes: list[bytes] = []
    for number in range(-(-size // WIDTH)):
        width = min(WIDTH, size - number * WIDTH)
        name = f"{number:03d}" + ("" if width == WIDTH else f".p/{width}")
        leaves = leaves_of(await fetch(f"tile/entries/{name}"))
        found = [sha256(b"\x00" + leaf).digest() for leaf in leaves]
        if len(found) != width or b"".join(found) != await fetch(f"tile/0/{name}"):
            raise Refused(f"{origin}: tile {number} is not what its entries are")
        hashes += found
    if root_over(hashes) != b64decode(root_line):
        raise Refused(f"{origin}: the root over all entries is not the signed one")
    return size


def leaves_of(bundle: bytes) -> list[bytes]:
    """The entries of a bundle (C2SP tlog-tiles: each after its length in 16 bits)."""
    leaves = []
    while bundle:
        (length,) = struct.unpack(">H", bundle[:2])
        leaves.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return leaves


def root_over(hashes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is written there."""
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    return sha256(b"\x01" + root_over(hashes[:split]) + root_over(hashes[split:])).digest()
