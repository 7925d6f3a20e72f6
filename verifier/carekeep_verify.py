#!/usr/bin/env python3
"""Check a Carekeep ledger, or one entry of it, with nothing but the ledger's public key.

    python carekeep_verify.py proof --key VKEY my.tlog-proof             one entry ("proof" may be left out)
    python carekeep_verify.py log --key VKEY --state FILE URL-or-folder  everything; next time only what is new
    python carekeep_verify.py consistency --key VKEY OLD NEW PROOF       two checkpoints: does one continue the other?
    python carekeep_verify.py witnessed --policy FILE CHECKPOINT         was it cosigned by enough witnesses?

VKEY is the log's verifier key, name+id+base64, which you have from somebody you trust, not from the server that gave
you the rest. It needs Python 3.9 and the package "cryptography" (48 for witnesses that sign with ML-DSA-44). It shares
no code with Carekeep, on purpose: read it. The formats are public: c2sp.org/ tlog-proof, tlog-tiles, tlog-checkpoint,
tlog-cosignature, tlog-policy and signed-note; and RFC 6962, section 2.1.

What a good answer shows: the holder of the log's key has signed this list of entries. That everybody is shown the same
list is shown by witnesses (--policy), or by comparing checkpoints with others. Exit code 0 if it holds, 1 if not, 2 if
something could not be read.
"""

# ruff: noqa: PLR2004, T201  (sizes stand where they are checked, and printing is what this does)

import argparse
import base64
import datetime
import hashlib
import json
import re
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE = 1 << 20
MAX_BUNDLE = 256 * (2 + 0xFFFF)
NOTE_KEY, ED25519_COSIGNER, MLDSA44_COSIGNER = 1, 4, 6
KEY_SIZES = {NOTE_KEY: 32, ED25519_COSIGNER: 32, MLDSA44_COSIGNER: 1312}
sha256 = hashlib.sha256


class Refused(Exception):
    """It does not hold; the message says at which step."""


class Key(NamedTuple):
    """Who signs (a name), the key's id (4 bytes), its sort (NOTE_KEY and so on) and the public key."""

    name: str
    key_id: bytes
    sort: int
    public: bytes


class Checkpoint(NamedTuple):
    """What the log was at one size: its name, the number of entries, the root over them."""

    origin: str
    size: int
    root: bytes


class Policy(NamedTuple):
    """Which logs and witnesses count (a witness by the policy's own name), and of whom how many make a quorum."""

    logs: "tuple[Key, ...]"
    witnesses: "dict[bytes, Key]"
    groups: "dict[bytes, tuple[int, list[bytes]]]"
    quorum: bytes

    def is_met(self, name: bytes, present: "set[bytes]") -> bool:
        """Whether the witness or group called `name` has witnessed what those `present` have."""
        if name in self.groups:
            least, members = self.groups[name]
            return sum(self.is_met(member, present) for member in members) >= least
        return name == b"none" or name in present


# --- texts: base64, numbers, keys, signed notes ---


def base64_of(text: str, what: str) -> bytes:
    """Decode base64 in its one right spelling."""
    try:
        value = base64.b64decode(text, validate=True)
    except ValueError:
        value = b""
    if not value or base64.b64encode(value).decode() != text:
        raise Refused(f"{what} is not base64")
    return value


def hash_of(text: str, what: str) -> bytes:
    """Decode the base64 of a hash."""
    value = base64_of(text, what)
    if len(value) != 32:
        raise Refused(f"{what} does not have 32 bytes")
    return value


def number_of(text: str, what: str) -> int:
    """Read a decimal number without leading zeroes, of at most 63 bits."""
    if not (text.isascii() and text.isdigit()) or str(int(text[:20])) != text or int(text) >= 1 << 63:
        raise Refused(f"{what} is not a number")
    return int(text)


def read_key(vkey: str, sorts: "tuple[int, ...]" = (NOTE_KEY,)) -> Key:
    """Take a verifier key, name+id+base64, apart."""
    name, _, rest = vkey.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    key = base64_of(encoded, "the verifier key")
    if key[0] not in sorts or len(key) != 1 + KEY_SIZES[key[0]]:
        raise Refused("the verifier key is of another sort than is used here")
    if not 0 < len(name.encode()) < 256 or sha256(name.encode() + b"\n" + key).digest()[:4].hex() != key_id:
        raise Refused("the verifier key is damaged: its id does not fit")
    return Key(name, bytes.fromhex(key_id), key[0], key[1:])


def signed_by(key: Key, text: str, signature: bytes) -> int:
    """Check one signature over a note's text; the time it tells in seconds, 0 without one."""
    stamp, rest = int.from_bytes(signature[:8], "big"), signature[8:]
    if key.sort == NOTE_KEY:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
        return 0
    if stamp >= 1 << 63:
        raise Refused(f"the time in the signature of {key.name} is out of bounds")
    if key.sort == ED25519_COSIGNER:
        message = f"cosignature/v1\ntime {stamp}\n{text}".encode()
        Ed25519PublicKey.from_public_bytes(key.public).verify(rest, message)
        return stamp
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey  # noqa: PLC0415 - not in old ones
    except ImportError:
        raise Refused("ML-DSA-44 signatures need a newer version of the package cryptography") from None
    at = read_checkpoint(text)
    names = [len(name).to_bytes(1, "big") + name for name in (key.name.encode(), at.origin.encode())]
    tree = bytes(8) + at.size.to_bytes(8, "big") + at.root
    message = b"subtree/v1\n\0" + names[0] + signature[:8] + names[1] + tree
    MLDSA44PublicKey.from_public_bytes(key.public).verify(rest, message)
    return stamp


def check_signatures(note: str, keys: "list[Key]") -> "tuple[str, dict[Key, int]]":
    """Return the text of a signed note, and which of the keys have signed it and when. A wrong signature refuses it."""
    body, blank, lines = note.rpartition("\n\n")
    if not blank or not lines.endswith("\n") or re.search(r"[\0-\x09\x0b-\x1f]", note):
        raise Refused("the checkpoint has no signatures, or is no text")
    text, known, found = body + "\n", {(key.name, key.key_id): key for key in keys}, {}
    for line in lines[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014" or not parts[1] or "+" in parts[1]:
            raise Refused("a signature line is malformed")
        value = base64_of(parts[2], "a signature")
        key = known.get((parts[1], value[:4]))
        if key is not None:  # else somebody else's
            try:
                found[key] = signed_by(key, text, value[4:])
            except InvalidSignature:
                raise Refused(f"the signature of {key.name} under the checkpoint is wrong") from None
    return text, found


def check_signature(note: str, key: Key) -> str:
    """Return the text of a signed note after checking that the key has signed it."""
    text, found = check_signatures(note, [key])
    if key not in found:
        raise Refused(f"the checkpoint is not signed by {key.name}")
    return text


def read_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint's body: origin, size, root, and perhaps more lines."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] or not all(lines[:-1]) or len(lines[0].encode()) > 255:
        raise Refused("this is not a checkpoint")
    found = Checkpoint(lines[0], number_of(lines[1], "the tree size"), hash_of(lines[2], "the root"))
    if not found.size and found.root != sha256(b"").digest():
        raise Refused("the root of an empty log is another")
    return found


def open_checkpoint(note: str, key: Key) -> Checkpoint:
    """Return the checkpoint in a note, if it is of the key's log and signed by the key."""
    found = read_checkpoint(check_signature(note, key))
    if found.origin != key.name:
        raise Refused(f"the checkpoint is of another log, {found.origin}")
    return found


# --- trees (RFC 6962, section 2.1) ---


def node(left: bytes, right: bytes) -> bytes:
    """Hash two subtrees into the one above them."""
    return sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """Return the largest power of two below `size`: where a tree is divided."""
    return 1 << ((size - 1).bit_length() - 1)


def root_of(level: "list[bytes]") -> bytes:
    """Compute the root over hashes of leaves, or of complete subtrees of one height and one smaller at their end."""
    while len(level) > 1:
        above = [sha256(b"\x01" + left + right).digest() for left, right in zip(level[::2], level[1::2])]  # noqa: B905
        level = above + level[-1:] if len(level) % 2 else above
    return level[0] if level else sha256(b"").digest()


def climb(index: int, size: int, leaf: bytes, path: "list[bytes]") -> bytes:
    """Compute the root of a tree of `size` leaves from leaf `index` and its audit path (2.1.1, backwards)."""
    if size == 1 or not path:
        if path or size > 1:
            raise Refused("the proof has another length than its tree has")
        return leaf
    left = split(size)
    if index < left:
        return node(climb(index, left, leaf, path[:-1]), path[-1])
    return node(path[-1], climb(index - left, size - left, leaf, path[:-1]))


def both_roots(old: int, new: int, whole: "bytes | None", path: "list[bytes]") -> "tuple[bytes, bytes]":
    """Compute the roots of trees of `old` and `new` leaves from a consistency proof (2.1.2, backwards).

    `whole` is the old root while the old tree is a subtree of its own; `path` is used up from its end.
    """
    if not path and (old != new or whole is None):
        raise Refused("the proof is too short")
    if old == new:
        only = path.pop() if whole is None else whole
        return only, only
    left, last = split(new), path.pop()
    if old <= left:
        one, other = both_roots(old, left, whole, path)
        return one, node(other, last)
    one, other = both_roots(old - left, new - left, None, path)
    return node(last, one), node(last, other)


def check_consistency(old: Checkpoint, new: Checkpoint, path: "list[bytes]") -> str:
    """Check that the log at `new` continues the log at `old`; what that shows."""
    if old.size > new.size:
        raise Refused(f"it was rolled back: {old.size} entries were signed, and now {new.size}")
    if old.size in (0, new.size):
        if path or (old.size and old.root != new.root):
            raise Refused(f"split view: {old.size} entries are signed with two roots" if old.size else "it is too long")
    elif both_roots(old.size, new.size, old.root, path) != (old.root, new.root) or path:
        raise Refused(f"the {new.size} entries do not begin with the {old.size} that were signed: a split view")
    return f"{new.origin}: {new.size} entries continue {old.size}"


class Edge:
    """All that must be remembered of a tree to go on: of each level the hashes that do not fill a tile yet."""

    def __init__(self, levels: "list[list[bytes]]") -> None:
        self.levels = levels

    def add(self, hashes: "list[bytes]") -> "Iterator[tuple[int, list[bytes]]]":
        """Add leaves, at most as many as fill a tile; gives each tile that is full then: its level and hashes."""
        for level in range(64):
            if level == len(self.levels):
                self.levels.append([])
            tile = self.levels[level]
            tile += hashes
            if len(tile) < 256:
                return
            yield level, tile
            hashes, self.levels[level] = [root_of(tile)], []

    def root(self) -> bytes:
        """Compute the root of the whole tree."""
        below: list[bytes] = []
        for tile in self.levels:
            below = [root_of(tile + below)] if tile + below else []
        return root_of(below)


# --- what the commands do ---


def verify(proof: str, key: "Key | str", entry: "bytes | None" = None, policy: "Policy | None" = None) -> str:
    """Check a proof; return a sentence that says what it shows. Raises Refused."""
    key = read_key(key) if isinstance(key, str) else key
    head, blank, note = proof.partition("\n\n")
    lines = head.split("\n")
    if lines.pop(0) != "c2sp.org/tlog-proof@v1" or not blank:
        raise Refused("this is not a tlog-proof file")
    if lines and lines[0].startswith("extra "):
        extra = base64_of(lines.pop(0)[6:], "the extra line")
        entry = extra if entry is None else entry
    if entry is None:
        raise Refused("the proof does not carry its entry: give it with --entry")
    if not lines or not lines[0].startswith("index ") or len(lines) > 65:
        raise Refused("the proof has no index, or is too long")
    index = number_of(lines.pop(0)[6:], "the index")
    path = [hash_of(line, "a hash of the proof") for line in lines]
    signed = open_checkpoint(note, key)
    if index >= signed.size:
        raise Refused("the index lies outside the tree")
    if climb(index, signed.size, sha256(b"\x00" + entry).digest(), path) != signed.root:
        raise Refused("the entry is not what the log has at this place")
    says = f"entry {index} of {key.name} is in the log of {signed.size} entries (root {note_root(signed)})"
    return says if policy is None else f"{says}; {witnessed(note, policy, key)}"


def note_root(at: Checkpoint) -> str:
    """Write a root as checkpoints write it."""
    return base64.b64encode(at.root).decode()


def read_policy(data: bytes) -> Policy:
    """Read a tlog-policy file. Raises Refused with the line."""
    if re.search(rb"[\0-\x08\x0b-\x1f\x7f]", data):
        raise Refused("the policy has control characters")
    logs: list[Key] = []
    witnesses: dict[bytes, Key] = {}
    groups: dict[bytes, tuple[int, list[bytes]]] = {}
    quorums: list[bytes] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        words = [word for word in re.split(rb"[ \t]+", line) if word]
        if not words or words[0].startswith(b"#"):
            continue
        sort, rest, known = words[0], words[1:], {b"none", *witnesses, *groups}
        try:
            if sort == b"log" and len(rest) in (1, 2):
                logs.append(read_key(rest[0].decode(), (NOTE_KEY, MLDSA44_COSIGNER)))
            elif sort == b"witness" and len(rest) in (2, 3) and rest[0] not in known:
                witnesses[rest[0]] = read_key(rest[1].decode(), (ED25519_COSIGNER, MLDSA44_COSIGNER))
            elif sort == b"group" and len(rest) > 2 and rest[0] not in known:
                groups[rest[0]] = read_group(rest[1], rest[2:], known - {b"none"}, groups)
            elif sort == b"quorum" and len(rest) == 1 and rest[0] in known and not quorums:
                quorums.append(rest[0])
            else:
                raise_malformed()
        except (Refused, UnicodeDecodeError) as error:
            raise Refused(f"the policy's line {number}: {error}") from None
    publics = [[key.public for key in keys] for keys in (logs, witnesses.values())]
    if not quorums or any(len(set(each)) < len(each) for each in publics):
        raise Refused("the policy has no quorum, or a key twice")
    return Policy(tuple(logs), witnesses, groups, quorums[0])


def raise_malformed() -> None:
    """Refuse a line of a policy."""
    raise Refused("it is malformed, or names something that is unknown or named twice")


def read_group(
    threshold: bytes, members: "list[bytes]", known: "set[bytes]", groups: "dict[bytes, tuple[int, list[bytes]]]"
) -> "tuple[int, list[bytes]]":
    """Read what makes a group: how many of whom. A name is a member once at most, in all groups together."""
    fixed = {b"all": len(members), b"any": 1}
    least = fixed[threshold] if threshold in fixed else number_of(threshold.decode(), "the threshold")
    used = {member for _, others in groups.values() for member in others}
    if len(set(members)) < len(members) or used & set(members) or not set(members) <= known:
        raise Refused("a member is unknown, or was a member before")
    if not 1 <= least <= len(members):
        raise Refused("the threshold cannot be reached, or is none")
    return least, members


def witnessed(note: str, policy: Policy, key: "Key | None" = None) -> str:
    """Check that a log (of the policy, or with this key) has signed a checkpoint, and that witnesses are a quorum."""
    logs = list(policy.logs) if key is None else [key]
    text, found = check_signatures(note, [*logs, *policy.witnesses.values()])
    at = read_checkpoint(text)
    if not any(log in found and log.name == at.origin for log in logs):
        raise Refused("no log that counts has signed the checkpoint")
    present = {name: found[each] for name, each in policy.witnesses.items() if each in found}
    if not policy.is_met(policy.quorum, set(present)):
        raise Refused(f"{len(present)} of {len(policy.witnesses)} witnesses have cosigned: that is no quorum")
    told = [f"{name.decode(errors='replace')} at {when(stamp)}" for name, stamp in present.items()]
    return f"{at.origin}: {at.size} entries, cosigned by " + (", ".join(told) or "nobody, as the policy allows")


def when(stamp: int) -> str:
    """Write a time."""
    try:
        return datetime.datetime.fromtimestamp(stamp, datetime.timezone.utc).isoformat() if stamp else "no stated time"  # noqa: UP017
    except (ValueError, OverflowError, OSError):
        return f"second {stamp}"


class Source:
    """A log's published files: in a folder, or over HTTP (nothing is believed of either)."""

    def __init__(self, place: str) -> None:
        self.place = place.rstrip("/")
        self.is_url = self.place.startswith(("https://", "http://"))

    def file(self, path: str, limit: int = MAX_BUNDLE) -> bytes:
        """Read a file, at most `limit` bytes. Raises OSError if it is not there."""
        if not self.is_url:
            return read(str(Path(self.place, *path.split("/"))), limit)
        asked = urllib.request.Request(f"{self.place}/{path}", headers={"Accept-Encoding": "identity"})  # noqa: S310
        with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310 - http or https, see above
            data: bytes = answer.read(limit + 1)
        if len(data) > limit:
            raise Refused(f"{path} is too long")
        return data

    def tile(self, level: str, number: int, width: int) -> "tuple[bytes, str]":
        """Read a tile or an entry bundle, and say its path; a partial one may be there in full only, by now."""
        digits = str(number).zfill(-(-len(str(number)) // 3) * 3)
        groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
        path = f"tile/{level}/" + "".join(f"x{group}/" for group in groups[:-1]) + groups[-1]
        if width < 256:
            try:
                return self.file(f"{path}.p/{width}"), f"{path}.p/{width}"
            except OSError:
                pass
        return self.file(path), path

    def hashes(self, level: int, number: int, width: int) -> bytes:
        """Read the first `width` hashes of a tile."""
        data, path = self.tile(str(level), number, width)
        if len(data) not in (width * 32, 256 * 32):
            raise Refused(f"{path} has {len(data)} bytes instead of {width * 32}: it was cut or changed")
        return data[: width * 32]

    def leaves(self, number: int, width: int) -> "list[bytes]":
        """Read an entry bundle, and hash each of its first `width` entries."""
        data, path = self.tile("entries", number, width)
        hashes: list[bytes] = []
        at, end, cuts = 0, len(data), width < 256 and not path.endswith(f".p/{width}")
        while at + 1 < end and len(hashes) < width:
            after = at + 2 + (data[at] << 8 | data[at + 1])
            hashes.append(sha256(b"\x00" + data[at + 2 : after]).digest())
            at = after
        if len(hashes) != width or at > end or (at < end and not cuts):
            raise Refused(f"{path} does not hold {width} entries: it was cut or changed")
        return hashes

    def consistency(self, old: int, new: int) -> "list[bytes]":
        """Make the proof that `new` leaves continue `old` ones, from tiles that nobody has checked yet."""
        path = []
        for first_leaf, end in spans(old, 0, new, whole=True):
            roots, start = [], first_leaf
            while start < end:  # complete subtrees, largest first
                height = (end - start).bit_length() - 1
                level, count = height // 8, 1 << height % 8
                number, first = divmod(start >> 8 * level, 256)
                width = min(256, (new >> 8 * level) - number * 256)
                tile = self.hashes(level, number, width)
                roots.append(root_of([tile[at : at + 32] for at in range(first * 32, (first + count) * 32, 32)]))
                start += 1 << height
            while len(roots) > 1:
                roots[-2:] = [node(*roots[-2:])]
            path += roots
        return path


def spans(old: int, start: int, end: int, *, whole: bool) -> "list[tuple[int, int]]":
    """List the subtrees that a consistency proof consists of (SUBPROOF in RFC 6962, 2.1.2); `old` counts from 0."""
    if old in (0, end):
        return [] if whole else [(start, end)]
    middle = start + split(end - start)
    if old <= middle:
        return [*spans(old, start, middle, whole=whole), (middle, end)]
    return [*spans(old, middle, end, whole=False), (start, middle)]


class Seen(NamedTuple):
    """What a state file remembers: the checkpoint as it was signed, its contents, the edge of its tree."""

    note: str
    at: Checkpoint
    edge: "list[list[bytes]]"


def read_state(path: Path, key: Key) -> "Seen | None":
    """Read a state file; it is believed no more than its checkpoint's signature says."""
    if not path.exists():
        return None
    try:
        state = json.loads(path.read_text("utf-8"))
        edge = [[hash_of(text, "a hash of the state") for text in level] for level in state["edge"]]
        seen = Seen(state["checkpoint"], open_checkpoint(state["checkpoint"], key), edge)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused(f"{path} is no state of this program") from None
    sizes = sum(len(level) << 8 * height for height, level in enumerate(edge))
    if sizes != seen.at.size or Edge([*edge]).root() != seen.at.root:
        raise Refused(f"{path} was changed: it does not lead to the checkpoint in it")
    return seen


def write_state(path: Path, note: str, edge: Edge) -> None:
    """Remember where the check came to; all of it or nothing."""
    levels = [[base64.b64encode(each).decode() for each in level] for level in edge.levels]
    staged = path.with_name(path.name + ".new")
    staged.write_text(json.dumps({"checkpoint": note, "edge": levels}), encoding="utf-8")
    staged.replace(path)


class Walk:
    """Goes through the entries of a log from where `edge` ends; `faults` are places and what is wrong with them."""

    def __init__(self, source: Source, at: Checkpoint, edge: "list[list[bytes]]") -> None:
        self.source, self.at = source, at
        self.start = sum(len(level) << 8 * height for height, level in enumerate(edge))
        self.begin = edge
        self.faults: list[tuple[str, str]] = []
        self.entries: list[tuple[int, int]] = []  # which differ from their tiles: the tile, the hash in it

    def run(self) -> Edge:
        """Hash every entry and compare all tiles on the way; the edge at the end."""
        edge = Edge([[*level] for level in self.begin])
        meter, due = sys.stderr.isatty(), time.monotonic() + 1
        for number, width, skip in self.tiles():
            hashes = self.source.leaves(number, width)
            if skip and hashes[:skip] != edge.levels[0]:
                self.faults.append((f"entries {number * 256} to {number * 256 + skip - 1}", "not those of last time"))
            tile = self.source.hashes(0, number, width)
            if b"".join(hashes) != tile:
                differ = [at for at in range(width) if tile[at * 32 : at * 32 + 32] != hashes[at]]
                self.entries += [(number, at) for at in differ]
            for level, full in edge.add(hashes[skip:]):
                if level:
                    self.compare(level, number >> 8 * level, full)
            if meter and time.monotonic() > due:
                print(f"\r{number * 256} of {self.at.size}", end="", file=sys.stderr)
                due += 1
        self.judge(self.finish(edge))
        return edge

    def finish(self, edge: Edge) -> bool:
        """Compare the tiles that are not full; whether the root is the signed one."""
        for level, partial in enumerate(edge.levels):
            if level and partial:
                self.compare(level, self.at.size >> 8 * (level + 1), partial)
        return edge.root() == self.at.root

    def tiles(self) -> "Iterator[tuple[int, int, int]]":
        """Give each tile of level 0 that is not done: its number, its width, how many of its hashes are done."""
        for number in range(self.start // 256, -(-self.at.size // 256)):
            yield number, min(256, self.at.size - number * 256), max(0, self.start - number * 256)

    def compare(self, level: int, number: int, hashes: "list[bytes]") -> None:
        """Compare a tile above level 0 with what the entries below it lead to."""
        tile = self.source.hashes(level, number, len(hashes))
        for at, each in enumerate(hashes):
            if tile[at * 32 : at * 32 + 32] != each:
                self.faults.append((f"tile {level}/{number}", f"its hash {at} is not the root of the tile below it"))

    def judge(self, holds: bool) -> None:  # noqa: FBT001
        """Say what is wrong where entries differ from tiles: the signed root tells which of the two was changed."""
        tiles_hold = False
        if self.entries and not holds:
            first, self.faults = self.faults, []
            edge = Edge([[*level] for level in self.begin])
            for number, width, skip in self.tiles():
                tile = self.source.hashes(0, number, width)
                for level, full in edge.add([tile[at : at + 32] for at in range(skip * 32, width * 32, 32)]):
                    if level:
                        self.compare(level, number >> 8 * level, full)
            tiles_hold = self.finish(edge)
            # With sound tiles, what did not fit above them came from the entries.
            self.faults = [each for each in first if each[0].startswith("entries") or not tiles_hold]
        for number, at in self.entries[:100]:
            entry, tile_hash = f"entry {number * 256 + at}", f"tile 0/{number}, hash {at}"
            if tiles_hold:
                self.faults.append((entry, "it is not the one that was signed"))
            elif holds:
                self.faults.append((tile_hash, "it was changed: the entry is the one that was signed"))
            else:
                self.faults.append((f"{entry} or {tile_hash}", "they differ, and neither leads to the signed root"))
        if not holds and not self.entries:
            since = f" since entry {self.start}" if self.start else ""
            self.faults.append(("root", f"the entries{since} do not lead to it: some were changed or dropped"))


def check_log(options: argparse.Namespace, key: Key) -> "dict[str, Any]":
    """Check all of a log, or what is new since the state was written, and remember where it came to."""
    source, state = Source(options.source), Path(options.state) if options.state else None
    note = source.file("checkpoint", MAX_FILE).decode()
    at = open_checkpoint(note, key)
    says = "" if options.policy is None else "; " + witnessed(note, options.policy, key)
    seen = read_state(state, key) if state else None
    edge: list[list[bytes]] = []
    if seen is not None and state is not None:
        try:
            path = source.consistency(seen.at.size, at.size) if 0 < seen.at.size < at.size else []
            says = f"; {check_consistency(seen.at, at, path)}{says}"
        except Refused:
            # Two signed checkpoints that contradict each other are the evidence: keep both.
            state.with_name(state.name + ".evidence").write_text(note, encoding="utf-8")
            raise
        edge = [] if options.again else seen.edge
    walk, started = Walk(source, at, edge), time.monotonic()
    done = walk.run()
    seconds = time.monotonic() - started
    if not walk.faults and state:
        write_state(state, note, done)
    count = at.size - walk.start
    speed = int(count / seconds) if count else 0
    text = f"{at.origin}: all {at.size} entries are as signed ({count} read, {speed} a second){says}"
    faults = [{"where": where, "what": what} for where, what in walk.faults]
    return {"ok": not faults, "says": text, "faults": faults, "size": at.size, "checked": count, "per_second": speed}


def compare_checkpoints(options: argparse.Namespace, key: Key) -> str:
    """Check that one checkpoint continues another, by a proof from a file or from a log's tiles."""
    notes = []
    for name in (options.old, options.new):
        text = read(name).decode()
        notes.append(json.loads(text)["checkpoint"] if text.startswith("{") else text)
    old, new = (open_checkpoint(note, key) for note in notes)
    path: list[bytes] = []
    if 0 < old.size < new.size:
        if options.proof is None:
            raise Refused("a proof is needed: a file from /ledger/consistency, or the log's URL or folder")
        source = Source(options.proof)
        if source.is_url or Path(options.proof).is_dir():
            path = source.consistency(old.size, new.size)
        else:
            path = [hash_of(str(each), "a hash") for each in json.loads(read(options.proof))["consistency"]][:65]
    return check_consistency(old, new, path)


def read(path: str, limit: int = MAX_FILE) -> bytes:
    """Read a file, unless it is too long to be what we want."""
    with Path(path).open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Refused(f"{path} is too long")
    return data


def run(options: argparse.Namespace) -> "dict[str, Any]":
    """Carry out a command. Raises Refused."""
    options.policy = read_policy(read(options.policy)) if options.policy else None
    logs: tuple[Key, ...] = options.policy.logs if options.policy else ()
    if options.command == "witnessed":
        if options.policy is None:
            raise Refused("--policy says which witnesses count")
        key = read_key(options.key) if options.key else None
        return {"ok": True, "says": witnessed(read(options.file).decode(), options.policy, key)}
    if not options.key and not (len(logs) == 1 and logs[0].sort == NOTE_KEY):
        raise Refused("--key is needed: the log's verifier key")
    key = read_key(options.key) if options.key else logs[0]
    if options.command == "log":
        return check_log(options, key)
    if options.command == "consistency":
        return {"ok": True, "says": compare_checkpoints(options, key)}
    entry = read(options.entry) if options.entry else None
    return {"ok": True, "says": verify(read(options.file).decode(), key, entry, options.policy)}


def main(given: "list[str]") -> int:
    """Run the command line; 0 if it holds, 1 if it does not, 2 if something could not be read."""
    parser = argparse.ArgumentParser(description="Check a Carekeep ledger, or one entry of it.")
    commands = parser.add_subparsers(dest="command", required=True)
    made = {}
    for name, about in (
        ("proof", "check that an entry is in the log"),
        ("log", "check every entry and tile of a log"),
        ("consistency", "check that a checkpoint continues an older one"),
        ("witnessed", "check that enough witnesses have cosigned a checkpoint"),
    ):
        made[name] = commands.add_parser(name, help=about)
        made[name].add_argument("--key", metavar="VKEY", help="the log's verifier key: name+id+base64")
        made[name].add_argument("--policy", metavar="FILE", help="a tlog-policy: which witnesses must have cosigned")
        made[name].add_argument("--json", action="store_true", help="answer with JSON")
    made["proof"].add_argument("--entry", metavar="FILE", help="the entry's bytes, instead of those in the proof")
    made["proof"].add_argument("file", help="the .tlog-proof file")
    made["log"].add_argument("--state", metavar="FILE", help="remembers what was checked, and only goes on from there")
    made["log"].add_argument("--again", action="store_true", help="read everything again, not only what is new")
    made["log"].add_argument("source", help="where checkpoint and tiles are: a URL or a folder")
    made["consistency"].add_argument("old", help="the older checkpoint, or a state file")
    made["consistency"].add_argument("new", help="the newer one")
    made["consistency"].add_argument("proof", nargs="?", help="a proof, or the log's URL or folder")
    made["witnessed"].add_argument("file", help="the checkpoint")
    options = parser.parse_args(given if given[:1] and given[0] in {*made, "-h", "--help"} else ["proof", *given])
    try:
        answer = run(options)
    except Refused as error:
        answer = {"ok": False, "says": str(error), "faults": []}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        print("cannot read:", error, file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(answer))
    elif answer["ok"]:
        print("OK:", answer["says"])
    else:
        faults = answer["faults"]
        print("NOT PROVEN:", "; ".join(f"{each['where']}: {each['what']}" for each in faults) or answer["says"])
    return 0 if answer["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
