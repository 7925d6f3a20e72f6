#!/usr/bin/env python3
"""Check that an entry is in a Carekeep ledger, with nothing but the ledger's public key.

    python carekeep_verify.py --key VKEY proof.tlog-proof
    python carekeep_verify.py --key VKEY --entry FILE proof.tlog-proof

VKEY is the log's verifier key, name+id+base64, which you have from somebody you trust, not from the server that gave
you the proof. The proof file carries the (encrypted) entry; --entry takes its bytes from another file.

This file needs Python 3.9 and the package "cryptography". It shares no code with Carekeep, on purpose: read it. The
formats are public: c2sp.org/tlog-proof, c2sp.org/tlog-checkpoint, c2sp.org/signed-note, and RFC 6962, section 2.1.

What a good proof shows: the holder of the log's key has signed a list of entries in which this one has this place.
To see that the log shows everybody the same list, compare checkpoints with others: one size, one root.
"""

# ruff: noqa: PLR2004, T201  (sizes stand where they are checked, and printing is what this does)

import argparse
import base64
import hashlib
import sys
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_FILE = 1 << 20


class Refused(Exception):
    """The proof does not hold; the message says at which step."""


class Key(NamedTuple):
    """The log's name, its key's id (4 bytes) and its Ed25519 public key (32 bytes)."""

    name: str
    key_id: bytes
    public: bytes


def sha256(data: bytes) -> bytes:
    """Return the SHA-256 of some bytes."""
    return hashlib.sha256(data).digest()


def base64_of(text: str, what: str) -> bytes:
    """Decode base64 in its one right spelling."""
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        value = b""
    if not value or base64.b64encode(value).decode() != text:
        raise Refused(f"{what} is not base64")
    return value


def number_of(text: str, what: str) -> int:
    """Read a decimal number without leading zeroes, of at most 63 bits."""
    if not (text.isascii() and text.isdigit()) or str(int(text[:20])) != text or int(text) >= 1 << 63:
        raise Refused(f"{what} is not a number")
    return int(text)


def read_key(vkey: str) -> Key:
    """Take a verifier key, name+id+base64, apart."""
    name, _, rest = vkey.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    key = base64_of(encoded, "the verifier key")
    if len(key) != 33 or key[0] != 1:
        raise Refused("the verifier key is not an Ed25519 key")
    if sha256(name.encode() + b"\n" + key)[:4].hex() != key_id:
        raise Refused("the verifier key is damaged: its id does not fit")
    return Key(name, bytes.fromhex(key_id), key[1:])


def check_signature(note: str, key: Key) -> str:
    """Return the text of a signed note after checking that the key has signed it."""
    body, blank, signatures = note.rpartition("\n\n")
    if not blank or not signatures.endswith("\n"):
        raise Refused("the checkpoint has no signatures")
    text = body + "\n"
    for line in signatures[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014":
            raise Refused("a signature line is malformed")
        value = base64_of(parts[2], "a signature")
        if (parts[1], value[:4]) != (key.name, key.key_id):
            continue  # somebody else's, a witness perhaps
        try:
            Ed25519PublicKey.from_public_bytes(key.public).verify(value[4:], text.encode())
        except InvalidSignature:
            raise Refused("the checkpoint's signature is wrong") from None
        return text
    raise Refused(f"the checkpoint is not signed by {key.name}")


def climb(index: int, size: int, node: bytes, path: list[bytes]) -> bytes:
    """Compute the root of a tree of `size` leaves from leaf `index` and its audit path (RFC 6962, 2.1.1, backwards)."""
    if size == 1:
        if path:
            raise Refused("the proof is too long")
        return node
    if not path:
        raise Refused("the proof is too short")
    left = 1
    while left * 2 < size:
        left *= 2
    if index < left:
        return sha256(b"\x01" + climb(index, left, node, path[:-1]) + path[-1])
    return sha256(b"\x01" + path[-1] + climb(index - left, size - left, node, path[:-1]))


def verify(proof: str, vkey: str, entry: "bytes | None" = None) -> str:
    """Check a proof; return a sentence that says what it shows. Raises Refused."""
    key = read_key(vkey)
    head, blank, note = proof.partition("\n\n")
    lines = head.split("\n")
    if lines.pop(0) != "c2sp.org/tlog-proof@v1" or not blank:
        raise Refused("this is not a tlog-proof file")
    if lines and lines[0].startswith("extra "):
        extra = base64_of(lines.pop(0)[6:], "the extra line")
        entry = extra if entry is None else entry
    if entry is None:
        raise Refused("the proof does not carry its entry: give it with --entry")
    if not lines or not lines[0].startswith("index "):
        raise Refused("the proof has no index")
    index = number_of(lines.pop(0)[6:], "the index")
    path = [base64_of(line, "a hash of the proof") for line in lines]
    if len(path) > 64 or any(len(node) != 32 for node in path):
        raise Refused("the proof's hashes are malformed")

    body = check_signature(note, key).split("\n")
    if len(body) < 4 or body[0] != key.name:
        raise Refused("the checkpoint is of another log")
    size = number_of(body[1], "the tree size")
    if index >= size:
        raise Refused("the index lies outside the tree")
    if climb(index, size, sha256(b"\x00" + entry), path) != base64_of(body[2], "the root"):
        raise Refused("the entry is not what the log has at this place")
    return f"entry {index} of {key.name} is in the log of {size} entries (root {body[2]})"


def read(path: str) -> bytes:
    """Read a file, unless it is too long to be what we want."""
    with Path(path).open("rb") as file:
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise Refused(f"{path} is too long")
    return data


def main() -> int:
    """Run the command line; 0 if the proof holds, 1 if it does not, 2 if it could not be read."""
    parser = argparse.ArgumentParser(description="Check that an entry is in a Carekeep ledger.")
    parser.add_argument("--key", required=True, metavar="VKEY", help="the log's verifier key: name+id+base64")
    parser.add_argument("--entry", metavar="FILE", help="the entry's bytes, instead of those in the proof")
    parser.add_argument("proof", help="the .tlog-proof file")
    options = parser.parse_args()
    try:
        entry = read(options.entry) if options.entry else None
        print("OK:", verify(read(options.proof).decode(), options.key, entry))
    except Refused as error:
        print("NOT PROVEN:", error)
        return 1
    except (OSError, UnicodeDecodeError) as error:
        print("cannot read:", error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
