"""C2SP signed-note: a short text with signatures under it, and the keys that check them.

Keys of type 0x01 (Ed25519) are here; those of cosigners, post-quantum ones too, are in ``witnessing``. Signatures of
other keys than those that were asked for are ignored, as the specification asks.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = 0x01
PUBLIC_KEY_SIZE = 32
KEY_ID_SIZE = 4
LARGEST_NOTE = 256 * 1024
MOST_SIGNATURES = 32
LONGEST_KEY_NAME = 512

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteRefused(ValueError):
    """A note, key or checkpoint that is malformed, or signed by nobody we trust."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: the signer's name, the key's id (4 bytes), and what the key made of the text."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {b64encode(self.key_id + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text (ending in a newline) and its signatures, not yet believed."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.signatures))}"


class NoteKey(Protocol):
    """A public key of any kind, with the name that it signs under."""

    @property
    def name(self) -> str:
        """The name on the signature lines."""
        ...

    @property
    def key_id(self) -> bytes:
        """The four bytes by which a signature line says which of the name's keys it is of."""
        ...

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether this key made ``signature`` over a note's text."""
        ...


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with the name it signs under. ``str()`` is the form that is handed around: name+id+key."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if len(self.public) != PUBLIC_KEY_SIZE:
            raise NoteRefused(f"an Ed25519 public key has {PUBLIC_KEY_SIZE} bytes")

    @property
    def key_id(self) -> bytes:
        """The first four bytes of a hash of name, kind and key."""
        return sha256(self.name.encode() + b"\n" + bytes([ED25519]) + self.public).digest()[:KEY_ID_SIZE]

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{b64encode(bytes([ED25519]) + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Read the form of ``str()``. Raises NoteRefused."""
        name, _, rest = text.partition("+")
        key_id, _, encoded = rest.partition("+")
        key = strict_base64(encoded)
        if key[:1] != bytes([ED25519]):
            raise NoteRefused("only Ed25519 verifier keys are known")
        found = cls(name, key[1:])
        if found.key_id.hex() != key_id:
            raise NoteRefused("the verifier key's id does not belong to its name and key: it was copied wrongly")
        return found

    @classmethod
    def of(cls, name: str, private: Ed25519PrivateKey) -> "VerifierKey":
        """The public half of a log's key."""
        return cls(name, private.public_key().public_bytes_raw())

    def verifies(self, text: str, signature: bytes) -> bool:
        """Whether this key made ``signature`` over a note's text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


def sign(text: str, name: str, private: Ed25519PrivateKey) -> Signature:
    """Sign a note's text. The text must be one that :func:`parse_note` would accept."""
    _check_text(text)
    return Signature(name, VerifierKey.of(name, private).key_id, private.sign(text.encode()))


def parse_note(raw: str) -> Note:
    """Take a note apart without believing it. Raises NoteRefused for anything the specification does not allow."""
    if len(raw) > LARGEST_NOTE:
        raise NoteRefused("the note is longer than 256 KiB")
    end = raw.rfind("\n\n")
    if end < 0 or not raw.endswith("\n"):
        raise NoteRefused("the note has no signatures: it is cut short, or is no note")
    text, lines = raw[: end + 1], raw[end + 2 : -1].split("\n")
    _check_text(text)
    if len(lines) > MOST_SIGNATURES:
        raise NoteRefused(f"the note has more than {MOST_SIGNATURES} signatures")
    return Note(text, tuple([parse_signature(line) for line in lines]))


def open_note(raw: str, keys: Sequence[NoteKey]) -> Note:
    """The note with those of its signatures that a known key made. Raises NoteRefused.

    A signature that claims to be by a known key and is not refuses the whole note.
    """
    note = parse_note(raw)
    known = {(key.name, key.key_id): key for key in keys}
    verified = []
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            continue
        if not key.verifies(note.text, signature.signature):
            raise NoteRefused(f"the signature of {key.name} does not fit the text: one of them was changed")
        verified.append(signature)
    if not verified:
        raise NoteRefused("no known key has signed the note")
    return Note(note.text, tuple(verified))


def strict_base64(text: str) -> bytes:
    """Base64 in its one canonical spelling: two texts never mean the same bytes. Raises NoteRefused."""
    try:
        value = b64decode(text.encode("ascii"), validate=True)
    except ValueError as error:
        raise NoteRefused("a base64 value is malformed") from error
    if b64encode(value).decode() != text:
        raise NoteRefused("a base64 value is not in its canonical form")
    return value


def parse_signature(line: str) -> Signature:
    """One signature line, without its newline. Raises NoteRefused."""
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    if dash != "—":
        raise NoteRefused("a signature line does not begin with an em dash and a space")
    check_key_name(name)
    value = strict_base64(encoded)
    if len(value) <= KEY_ID_SIZE:
        raise NoteRefused("a signature is too short")
    return Signature(name, value[:KEY_ID_SIZE], value[KEY_ID_SIZE:])


def check_key_name(name: str) -> None:
    """Raises NoteRefused for what no key may be called."""
    if not name or len(name) > LONGEST_KEY_NAME or "+" in name or any(character.isspace() for character in name):
        raise NoteRefused("a key's name must be non-empty, without spaces and without '+'")
    if _CONTROL.search(name):
        raise NoteRefused("a key's name must not contain control characters")


def _check_text(text: str) -> None:
    if not text.endswith("\n") or _CONTROL.search(text):
        raise NoteRefused("a note's text ends in a newline and has no other control characters")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise NoteRefused("a note's text must be UTF-8") from error
