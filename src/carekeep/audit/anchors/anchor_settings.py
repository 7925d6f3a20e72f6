"""The settings' table ``[anchor]``: the chain on which checkpoints are anchored."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from carekeep.audit.anchors.evm import CONFIRMATIONS, ChainFacts
from carekeep.encryption import Secret

_KEY = re.compile(rb"(?:0x)?([0-9a-fA-F]{64})")
_CONTRACT = re.compile(r"0x[0-9a-fA-F]{40}")
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_MOST_HOURS = 8784  # a year


class AnchorSettingsRefused(ValueError):
    """The table cannot be used; the text says which word of it, and what it may be."""


@dataclass(frozen=True, slots=True)
class AnchorSettings:
    """No ``url``: nothing is anchored. ``every`` is in hours; ``key`` was read from the file that the table names."""

    url: str = ""
    facts: ChainFacts = field(default_factory=lambda: ChainFacts(0))
    every: int = 24
    key: Secret | None = field(default=None, repr=False)

    @classmethod
    def read(cls, table: dict[str, Any], home: Path) -> "AnchorSettings":
        """From the table. Raises AnchorSettingsRefused."""
        known = {"url": str, "chain": int, "contract": str, "confirmations": int, "key_file": str, "every": int}
        for name, value in table.items():
            if name not in known:
                raise AnchorSettingsRefused(f"{name!r} is not known; known are {', '.join(known)}")
            if type(value) is not known[name]:
                raise AnchorSettingsRefused(f"{name} must be a {known[name].__name__}")
        missing = [name for name in ("url", "chain", "key_file") if not table.get(name)]
        if missing:
            raise AnchorSettingsRefused(f"{missing[0]} is missing")
        _check_url(table["url"])
        facts = ChainFacts(table["chain"], table.get("contract", ""), table.get("confirmations", CONFIRMATIONS))
        if facts.chain < 1 or facts.confirmations < 0 or not 1 <= table.get("every", 24) <= _MOST_HOURS:
            raise AnchorSettingsRefused("chain and every must be at least 1, and confirmations 0")
        if facts.contract and not _CONTRACT.fullmatch(facts.contract):
            raise AnchorSettingsRefused("contract must be an address of 0x and 40 hexadecimal digits")
        return cls(table["url"], facts, table.get("every", 24), _key(home / table["key_file"]))


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOCAL):
        raise AnchorSettingsRefused("url must begin with https://, or be of this machine")


def _key(path: Path) -> Secret:
    try:
        if path.stat().st_mode & 0o077:
            raise AnchorSettingsRefused(f"{path} can be read by others: chmod 600 it")
        found = _KEY.fullmatch(path.read_bytes().strip())
    except FileNotFoundError:
        raise AnchorSettingsRefused(f"{path} does not exist") from None
    if found is None:
        raise AnchorSettingsRefused(f"{path} must hold a private key of 64 hexadecimal digits")
    return Secret(bytes.fromhex(found[1].decode()))
