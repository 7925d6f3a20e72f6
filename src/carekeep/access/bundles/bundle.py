"""What a bundle is: a name, a version, the packs that it takes along, and policies of its own."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

import orjson

from carekeep.access.policy_text import MAX_CHARACTERS, PolicyFile

MOST_FILES = 50
MOST_PACKS = 10
LARGEST = 4_000_000  # bytes of the whole bundle as one text
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,74}\.cedar")
_CASES = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,66}\.cases\.toml")


class BundleRefused(ValueError):
    """A bundle that cannot be used; the message says what is wrong with it, and where."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """Policies that are loaded together. ``packs`` are names of those that come with Carekeep.

    ``cases`` go with them (``cases.py``): where they fail, the policies are not put in force.
    """

    name: str
    version: str
    packs: tuple[str, ...] = ()
    files: tuple[PolicyFile, ...] = ()
    cases: tuple[PolicyFile, ...] = ()

    def __post_init__(self) -> None:
        """Raises BundleRefused."""
        for what, text in (("name", self.name), ("version", self.version), *(("pack", each) for each in self.packs)):
            if not _NAME.fullmatch(text):
                raise BundleRefused(
                    f"bundle.toml: {what} has lower-case letters, digits, dots, hyphens and underscores, 80 at most"
                )
        names = [file.name for file in self.files]
        if len(names) > MOST_FILES or len(self.packs) > MOST_PACKS:
            raise BundleRefused(f"a bundle has at most {MOST_FILES} files and {MOST_PACKS} packs")
        if len(set(names)) < len(names) or not all(_FILE.fullmatch(name) for name in names):
            raise BundleRefused("the files of a bundle are called like rules.cedar, each by another name")
        if len(self.cases) > MOST_FILES or not all(_CASES.fullmatch(file.name) for file in self.cases):
            raise BundleRefused(f"files of cases are called like rules.cases.toml; there are {MOST_FILES} at most")
        for file in (*self.files, *self.cases):
            if len(file.text) > MAX_CHARACTERS:
                raise BundleRefused(f"{file.name}: longer than {MAX_CHARACTERS} characters; split it")
        if not self.files and not self.packs:
            raise BundleRefused("the bundle has neither policies nor packs")

    @property
    def title(self) -> str:
        """Name and version."""
        return f"{self.name} {self.version}"

    @property
    def digest(self) -> bytes:
        """The SHA-256 of the bundle as ``dump`` writes it."""
        return hashlib.sha256(self.dump()).digest()

    def dump(self) -> bytes:
        """The bundle as one text, the same for the same bundle."""
        content: dict[str, Any] = {
            "name": self.name,
            "version": self.version,
            "packs": self.packs,
            "files": {file.name: file.text for file in self.files},
        }
        if self.cases:  # bundles without any have the digest that they had before there were cases
            content["cases"] = {file.name: file.text for file in self.cases}
        return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)

    @classmethod
    def parse(cls, content: Any) -> "Bundle":
        """The reverse, from parsed JSON. Raises BundleRefused."""
        try:
            files = tuple(PolicyFile(name, text) for name, text in sorted(content["files"].items()))
            cases = tuple(PolicyFile(name, text) for name, text in sorted(content.get("cases", {}).items()))
            "".join(file.text for file in (*files, *cases))  # texts, or a TypeError
            return cls(content["name"], content["version"], tuple(content["packs"]), files, cases)
        except (TypeError, KeyError, AttributeError):
            raise BundleRefused("the bundle is not one that `carekeep policy sign` wrote") from None
