"""What a SMART Health Link is here: a label, an end, and files that only whoever has the link can read.

HL7 SMART Health Cards and Links 1.0.0. The key of the files is in the link and nowhere else: who makes a link encrypts
first and hands over ciphertext, so this server cannot read what it keeps, and cannot be made to.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field

import orjson

MOST_FILES = 5
LARGEST_FILE = 4 * 1024 * 1024  # characters of one JWE
MOST_USES = 1_000
MOST_CONTENTS = 500
WRONG_PASSCODES = 5
"""So many, in the whole life of a link, end it."""

DAY_MS = 24 * 3600 * 1000
SHORTEST_MS = 60_000
LONGEST_MS = 366 * DAY_MS
LONGEST_LABEL = 80
LONGEST_URL = 128

FLAGS = frozenset({"", "L", "P", "U", "LP", "LU"})
"""Long-term, with a passcode, a single file by GET; never P with U (1.0.0, link payload)."""

CONTENT_TYPES = frozenset({"application/fhir+json", "application/smart-health-card", "application/smart-api-access"})

_PASSCODE = (6, 64)
_JWE = re.compile(r"([\w-]{10,1000})\.\.([\w-]{16})\.([\w-]*)\.([\w-]{22})", re.ASCII)


class LinkRefused(ValueError):
    """A link cannot be made or changed like this. The message says what to change, and repeats nothing."""


@dataclass(frozen=True, slots=True)
class SharedFile:
    """One encrypted file: a JWE in its compact form. ``nonce`` is its initialization vector as it stands there."""

    content_type: str
    jwe: str = field(repr=False)
    updated_ms: int = 0

    @property
    def nonce(self) -> str:
        """What may never come twice under one key."""
        return self.jwe.split(".", 3)[2]


@dataclass(frozen=True, slots=True)
class LinkOrder:
    """What somebody wants to share. ``uses`` None: as often as its time lasts; ``exp`` in milliseconds since 1970.

    ``contents``: references of what the files hold ("Type/id", with "/_history/n"), as the ledger saw it leave for the
    one who made them.
    """

    patient: str = field(repr=False)
    label: str = field(repr=False)
    flags: str
    expires_ms: int
    files: tuple[SharedFile, ...]
    passcode: str | None = field(default=None, repr=False)
    uses: int | None = None
    contents: tuple[str, ...] = field(default=(), repr=False)

    def check(self, now_ms: int) -> None:
        """Raises LinkRefused."""
        if len(self.label) > LONGEST_LABEL or not self.label.isprintable():
            raise LinkRefused(f"A label has at most {LONGEST_LABEL} printable characters.")
        if self.flags not in FLAGS:
            raise LinkRefused(
                "The flags are L, P, U, LP or LU, or none; a passcode and a direct file exclude each other."
            )
        if not SHORTEST_MS <= self.expires_ms - now_ms <= LONGEST_MS:
            raise LinkRefused("A link ends between a minute and 366 days from now.")
        if self.uses is not None and not 1 <= self.uses <= MOST_USES:
            raise LinkRefused(f"A link can be opened 1 to {MOST_USES} times, or as often as its time lasts.")
        if ("P" in self.flags) != (self.passcode is not None):
            raise LinkRefused("The flag P and a passcode go together.")
        if self.passcode is not None and not _PASSCODE[0] <= len(self.passcode) <= _PASSCODE[1]:
            raise LinkRefused(f"A passcode has {_PASSCODE[0]} to {_PASSCODE[1]} characters.")
        if len(self.contents) > MOST_CONTENTS:
            raise LinkRefused(f"A link is of at most {MOST_CONTENTS} records.")
        check_files(self.files, self.flags)


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is kept. ``id`` (hex) names it to its owner; the 256 bits of its URL stand as ``hash`` only.

    ``account``: the id (hex) of who made it. ``opened`` and ``wrong`` count openings and wrong passcodes.
    """

    id: str
    hash: bytes = field(repr=False)
    patient: str = field(repr=False)
    account: str
    label: str = field(repr=False)
    flags: str
    created_ms: int
    expires_ms: int
    revision: int
    uses: int | None
    passcode: bytes | None = field(repr=False)
    contents: tuple[str, ...] = field(repr=False)
    opened: int = 0
    wrong: int = 0

    def is_open(self, now_ms: int) -> bool:
        """Whether it still leads to its files."""
        return self.state(now_ms) == "open"

    def state(self, now_ms: int) -> str:
        """In a word for its owner."""
        if self.expires_ms <= now_ms:
            return "expired"
        if self.wrong >= WRONG_PASSCODES:
            return "ended by wrong passcodes"
        return "used up" if self.uses is not None and self.opened >= self.uses else "open"


def check_files(files: tuple[SharedFile, ...], flags: str) -> None:
    """Whether these can be the files of a link. Raises LinkRefused."""
    if not 1 <= len(files) <= MOST_FILES:
        raise LinkRefused(f"A link has 1 to {MOST_FILES} files.")
    if "U" in flags and len(files) > 1:
        raise LinkRefused("A link with the flag U has one file.")
    for file in files:
        _check_file(file)
    if len({file.nonce for file in files}) < len(files):
        raise LinkRefused("Two files were encrypted with the same initialization vector. Encrypt each with a new one.")


def _check_file(file: SharedFile) -> None:
    if file.content_type not in CONTENT_TYPES:
        raise LinkRefused(f"A file's content type is one of: {', '.join(sorted(CONTENT_TYPES))}.")
    if len(file.jwe) > LARGEST_FILE:
        raise LinkRefused(f"A file has at most {LARGEST_FILE:,} characters of ciphertext.")
    found = _JWE.fullmatch(file.jwe)
    header = _header(found[1]) if found else None
    if header is None or header.get("alg") != "dir" or header.get("enc") != "A256GCM":
        raise LinkRefused("A file must be a compact JWE of alg dir and enc A256GCM: encrypt it before you send it.")
    if header.get("zip", "DEF") != "DEF" or header.get("cty", file.content_type) != file.content_type:
        raise LinkRefused("The header of a file may say zip DEF, and cty as the file's content type.")


def _header(text: str) -> dict[str, object] | None:
    try:
        header = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return None
    return header if isinstance(header, dict) else None
