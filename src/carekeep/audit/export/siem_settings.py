"""The settings' tables ``[siem.NAME]``: where the ledger is exported to."""

import re
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

SYSLOG, WEBHOOK = "syslog", "webhook"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
_URLS = {
    SYSLOG: re.compile(r"syslog\+tls://(?P<host>[a-z0-9.-]{1,253})(?::(?P<port>[1-9][0-9]{0,4}))?/?"),
    WEBHOOK: re.compile(
        r"https://(?P<host>[a-z0-9.-]{1,253})(?::(?P<port>[1-9][0-9]{0,4}))?(?P<target>/[!-~]{0,500})?"
    ),
}
_PORTS = {SYSLOG: 6514, WEBHOOK: 443}
_FORMATS = {SYSLOG: ("ocsf", "atna"), WEBHOOK: ("ocsf",)}
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OUTCOMES = frozenset({"permitted", "denied", "failed"})
_TEXTS = ("kind", "url", "format", "networks", "ca", "certificate", "key")
_LISTS = ("actions", "outcomes")
_MOST = 20
_LAST_PORT = 65535


class SiemSettingsRefused(ValueError):
    """A table cannot be used; the text says which word of it, and what it may be."""


@dataclass(frozen=True, slots=True)
class Destination:
    """One receiver. ``actions`` are beginnings of actions, ``outcomes`` words; empty: all. Files are PEM, or None.

    ``networks`` are those that the host may be in, if it is not public. ``certificate`` and ``key`` are what this
    server shows of itself to a receiver that asks (mutual TLS).
    """

    name: str
    kind: str
    url: str
    host: str
    port: int
    format: str
    networks: str = ""
    actions: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def reader(self) -> str:
        """The name under which the ledger remembers how far this receiver is."""
        return f"siem/{self.name}"

    def wants(self, action: str, outcome: str) -> bool:
        """Whether an entry goes there."""
        return (not self.actions or action.startswith(self.actions)) and (not self.outcomes or outcome in self.outcomes)

    @classmethod
    def read(cls, name: str, table: dict[str, Any], home: Path) -> "Destination":
        """From its table. Raises SiemSettingsRefused."""
        _check_words(name, table)
        kind = table.get("kind", "")
        if kind not in _URLS:
            raise SiemSettingsRefused(f"{name}: kind must be {SYSLOG} or {WEBHOOK}")
        found = _URLS[kind].fullmatch(table.get("url", ""))
        if found is None or not all(map(_LABEL.fullmatch, found["host"].split("."))):
            raise SiemSettingsRefused(f"{name}: url must be like {_LIKE[kind]}, with a host name in lower case")
        port = int(found["port"] or _PORTS[kind])
        if port > _LAST_PORT:
            raise SiemSettingsRefused(f"{name}: the port in url must be below 65536")
        format_ = table.get("format", "ocsf")
        if format_ not in _FORMATS[kind]:
            raise SiemSettingsRefused(f"{name}: the format of a {kind} is {' or '.join(_FORMATS[kind])}")
        return cls(
            name=name,
            kind=kind,
            url=table["url"],
            host=found["host"],
            port=port,
            format=format_,
            networks=_networks(name, table.get("networks", "")),
            actions=tuple(table.get("actions", ())),
            outcomes=_outcomes(name, table),
            **_files(name, table, home),
        )


_LIKE = {SYSLOG: "syslog+tls://siem.example.org:6514", WEBHOOK: "https://siem.example.org/carekeep"}


@dataclass(frozen=True, slots=True)
class SiemSettings:
    """The receivers, by name; none by default."""

    all: tuple[Destination, ...] = ()

    @classmethod
    def read(cls, tables: dict[str, Any], home: Path) -> "SiemSettings":
        """From the tables. Raises SiemSettingsRefused."""
        for name, table in tables.items():
            if not _NAME.fullmatch(name) or not isinstance(table, dict):
                raise SiemSettingsRefused("each receiver is a table with a short name in lower case, like [siem.soc]")
        if len(tables) > _MOST:
            raise SiemSettingsRefused(f"there may be {_MOST} receivers")
        return cls(tuple(Destination.read(name, table, home) for name, table in sorted(tables.items())))

    def named(self, name: str) -> Destination | None:
        """The receiver of a name, or None."""
        return next((each for each in self.all if each.name == name), None)


def _check_words(name: str, table: dict[str, Any]) -> None:
    known = (*_TEXTS, *_LISTS)
    if unknown := sorted(table.keys() - set(known)):
        raise SiemSettingsRefused(f"{name}: {unknown[0]!r} is not known; known are {', '.join(known)}")
    for word, value in table.items():
        if word in _TEXTS and not isinstance(value, str):
            raise SiemSettingsRefused(f"{name}: {word} must be a text")
        if word in _LISTS and not (isinstance(value, list) and all(isinstance(each, str) and each for each in value)):
            raise SiemSettingsRefused(f"{name}: {word} must be a list of texts")


def _networks(name: str, text: str) -> str:
    try:
        for word in text.split():
            ip_network(word)
    except ValueError:
        raise SiemSettingsRefused(f"{name}: networks must be like 10.1.2.0/24, with spaces between") from None
    return " ".join(word if "/" in word else str(ip_network(word)) for word in text.split())


def _outcomes(name: str, table: dict[str, Any]) -> tuple[str, ...]:
    found = tuple(table.get("outcomes", ()))
    if not _OUTCOMES.issuperset(found):
        raise SiemSettingsRefused(f"{name}: outcomes are of {', '.join(sorted(_OUTCOMES))}")
    return found


def _files(name: str, table: dict[str, Any], home: Path) -> dict[str, Path]:
    found = {word: home / table[word] for word in ("ca", "certificate", "key") if table.get(word)}
    if ("certificate" in found) != ("key" in found):
        raise SiemSettingsRefused(f"{name}: certificate and key come together")
    for path in found.values():
        if not path.is_file():
            raise SiemSettingsRefused(f"{name}: {path} does not exist")
    if "key" in found and found["key"].stat().st_mode & 0o077:
        raise SiemSettingsRefused(f"{name}: {found['key']} can be read by others: chmod 600 it")
    return found
