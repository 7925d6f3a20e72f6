"""C2SP tlog-policy: which logs and witnesses are trusted, and how many of the latter make a checkpoint final."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from carekeep.audit.checkpoint import Checkpoint, parse_checkpoint
from carekeep.audit.note import NoteKey, NoteRefused, VerifierKey, open_note
from carekeep.audit.witnessing.cosignatures import MLDSA44_COSIGNATURE, CosignerKey, parse_key, public_bytes, time_of

LARGEST_POLICY = 1 << 20
MOST_LINES = 4096
NONE = "none"

_FORBIDDEN = re.compile(rb"[^\t\n\x20-\x7e\x80-\xff]")
_BLANKS = re.compile(r"[ \t]+")
_NUMBER = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)


class PolicyRefused(ValueError):
    """The policy cannot be used. The text says which line of it, and what is wrong there."""


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log's key (its name is the log's origin), and where the log is published, if that is said."""

    key: NoteKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class TrustedWitness:
    """A witness by the name that this policy gives it, its key, and where checkpoints are submitted."""

    name: str
    key: CosignerKey
    url: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group has witnessed what at least ``threshold`` of its members (witnesses and groups) have."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A checkpoint that a trusted log signed, the witnesses that cosigned it, and whether they are a quorum."""

    checkpoint: Checkpoint
    witnesses: tuple[str, ...]
    final: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """What a policy file says. The default asks for no witness."""

    logs: tuple[TrustedLog, ...] = ()
    witnesses: tuple[TrustedWitness, ...] = ()
    groups: tuple[Group, ...] = ()
    quorum: str = NONE

    @classmethod
    def parse(cls, content: bytes) -> "Policy":
        """Read a policy file. Raises PolicyRefused."""
        if len(content) > LARGEST_POLICY or content.count(b"\n") > MOST_LINES:
            raise PolicyRefused("a policy has at most 1 MiB and 4096 lines")
        found = _FORBIDDEN.search(content)
        if found is not None:
            number = content.count(b"\n", 0, found.start()) + 1
            raise PolicyRefused(f"line {number}: control characters other than tab and newline are not allowed")
        reading = _Reading()
        # Bytes above 0x7f are opaque: what is not UTF-8 still keeps its own name.
        for number, line in enumerate(content.decode("utf-8", "surrogateescape").split("\n"), start=1):
            words = [word for word in _BLANKS.split(line) if word]
            if words and not words[0].startswith("#"):
                reading.take(number, words)
        if reading.quorum is None:
            raise PolicyRefused("there is no quorum line")
        return cls(tuple(reading.logs), tuple(reading.witnesses), tuple(reading.groups), reading.quorum)

    def is_quorum(self, witnesses: Collection[str]) -> bool:
        """Whether these witnesses (by their names here) make a checkpoint final."""
        if self.quorum == NONE:
            return True
        done = set(witnesses) & {witness.name for witness in self.witnesses}
        for group in self.groups:  # members stand before their groups
            if sum(member in done for member in group.members) >= group.threshold:
                done.add(group.name)
        return self.quorum in done

    def judge(self, raw: str, logs: Collection[NoteKey] = ()) -> Judged:
        """What this policy says of a signed checkpoint. ``logs`` are keys to trust instead of the policy's logs.

        Cosignatures by unknown keys count for nothing; one that claims a known key and is not of it refuses the whole.
        Raises NoteRefused.
        """
        keys = tuple(logs) or tuple(log.key for log in self.logs)
        known = open_note(raw, keys)
        checkpoint = parse_checkpoint(known.text)
        if all(line.name != checkpoint.origin for line in known.signatures):
            raise NoteRefused("the checkpoint is of another log than those that signed it")
        cosigners = {(each.key.name, each.key.key_id): each.name for each in self.witnesses}
        lines = open_note(raw, (*keys, *(each.key for each in self.witnesses))).signatures
        # A cosignature of time 0 says that the tree is consistent, not that it was the newest one seen.
        dated = [line for line in lines if (line.name, line.key_id) in cosigners and time_of(line.signature)]
        found = {cosigners[line.name, line.key_id] for line in dated}
        return Judged(checkpoint, tuple(sorted(found)), self.is_quorum(found))


@dataclass(slots=True)
class _Reading:
    """The file as far as it was read. ``names`` are all that can be members; ``used`` those that are."""

    logs: list[TrustedLog] = field(default_factory=list)
    witnesses: list[TrustedWitness] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    quorum: str | None = None
    names: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)

    def take(self, number: int, words: list[str]) -> None:
        """One line that is neither empty nor a comment."""
        try:
            self._take(words)
        except UnicodeEncodeError:
            raise PolicyRefused(f"line {number}: the name in a key is not UTF-8") from None
        except (PolicyRefused, NoteRefused) as error:
            raise PolicyRefused(f"line {number}: {error}") from None

    def _take(self, words: list[str]) -> None:
        match words:
            case ["log", vkey, *url] if len(url) <= 1:
                self._log(vkey, *url)
            case ["witness", name, vkey, *url] if len(url) <= 1:
                self._witness(name, vkey, *url)
            case ["group", name, threshold, first, *others]:
                self._group(name, threshold, [first, *others])
            case ["quorum", name]:
                self._quorum(name)
            case _:
                raise PolicyRefused("it is not a log, witness, group or quorum line")

    def _log(self, vkey: str, url: str = "") -> None:
        key = parse_key(vkey)
        if isinstance(key, CosignerKey) and key.kind != MLDSA44_COSIGNATURE:
            raise PolicyRefused("a log signs with Ed25519 (0x01) or ML-DSA-44 (0x06), not as a witness")
        if any(public_bytes(log.key) == public_bytes(key) for log in self.logs):
            raise PolicyRefused("the same log key stands twice")
        self.logs.append(TrustedLog(key, url))

    def _witness(self, name: str, vkey: str, url: str = "") -> None:
        key = parse_key(vkey)
        if isinstance(key, VerifierKey) or not isinstance(key, CosignerKey):
            raise PolicyRefused("a witness has a cosigner's key (0x04 or 0x06), not a log's")
        if any(each.key.public == key.public for each in self.witnesses):
            raise PolicyRefused("the same witness key stands twice")
        self._define(name)
        self.witnesses.append(TrustedWitness(name, key, url))

    def _group(self, name: str, threshold: str, members: list[str]) -> None:
        for member in members:
            if member not in self.names:
                raise PolicyRefused("a group has a member that no line above it defines")
            if member in self.used:
                raise PolicyRefused("a name is a member twice")
            self.used.add(member)
        number = {"all": len(members), "any": 1}.get(threshold)
        if number is None:
            number = int(threshold) if _NUMBER.fullmatch(threshold) else 0
        if not 1 <= number <= len(members):
            raise PolicyRefused("a group's threshold is all, any, or a number up to that of its members")
        self._define(name)
        self.groups.append(Group(name, number, tuple(members)))

    def _quorum(self, name: str) -> None:
        if self.quorum is not None:
            raise PolicyRefused("there is a second quorum line")
        if name != NONE and name not in self.names:
            raise PolicyRefused("the quorum is a name that no line above it defines")
        self.quorum = name

    def _define(self, name: str) -> None:
        if name == NONE or name in self.names:
            raise PolicyRefused("a name is used twice, or is 'none'")
        self.names.add(name)
