"""What a device says of its own state, and whether that is enough. Pure.

A device reports what it sees of itself, so a report shows neglect and not deceit; who owns the machine can make it say
anything. Whether a device is managed is therefore never taken from a report.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

HOUR_MS = 3600 * 1000
_LONGEST_NAME = 64  # characters
_LONGEST_HOURS = 24 * 31
_MOST_SYSTEMS = 100
_SYSTEM = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NUMBERS = re.compile(r"\d{1,9}(\.\d{1,9}){0,7}")
_LONGEST_VERSION = 64

_NAMES = frozenset({"require_disk_encryption", "require_screen_lock", "minimum_os", "report_hours"})


class PostureRefused(Exception):
    """A report, or a table of minimums, that says something else. The text says what, and what to write."""


@dataclass(frozen=True, slots=True)
class Posture:
    """One report. None: the device could not find out. ``os`` is a short name as in os-release (``debian``).

    ``os_version`` begins with numbers and dots (``12.4``, ``10.0.19045 build 3``); empty when it is not known.
    """

    disk_encrypted: bool | None
    screen_lock: bool | None
    os: str
    os_version: str

    @classmethod
    def read(cls, given: Mapping[str, Any]) -> "Posture":
        """From JSON. What is not there counts as not known, and more than this is passed over. Raises PostureRefused.

        >>> Posture.read({"disk_encrypted": True, "screen_lock": None, "os": "debian", "os_version": "12"}).os
        'debian'
        """
        disk, lock = given.get("disk_encrypted"), given.get("screen_lock")
        if not isinstance(disk, bool | None) or not isinstance(lock, bool | None):
            raise PostureRefused("disk_encrypted and screen_lock are true, false or null.")
        os, version = given.get("os", ""), given.get("os_version", "")
        if not isinstance(os, str) or not isinstance(version, str):
            raise PostureRefused("os and os_version are text.")
        if len(version) > _LONGEST_VERSION or not version.isprintable():
            raise PostureRefused(f"os_version has at most {_LONGEST_VERSION} printable characters.")
        if os and not _SYSTEM.fullmatch(os):
            raise PostureRefused(f"os is a word of at most {_LONGEST_NAME} lower-case letters, digits and .-_")
        return cls(disk, lock, os, version)

    def facts(self) -> dict[str, Any]:
        """What ``read`` reads."""
        return {
            "disk_encrypted": self.disk_encrypted,
            "screen_lock": self.screen_lock,
            "os": self.os,
            "os_version": self.os_version,
        }


@dataclass(frozen=True, slots=True)
class Minimums:
    """What is asked of a device: the table ``[device_posture]`` of the settings.

    ``minimum_os``: the lowest version of an operating system, by its name; others are not judged by version.
    ``report_hours``: how long a report holds.
    """

    require_disk_encryption: bool = True
    require_screen_lock: bool = True
    minimum_os: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    report_hours: int = 24

    @property
    def report_ms(self) -> int:
        """How long a report holds, in milliseconds."""
        return self.report_hours * HOUR_MS

    @classmethod
    def read(cls, table: Mapping[str, object]) -> "Minimums":
        """From a table of settings. Raises PostureRefused."""
        if unknown := sorted(table.keys() - _NAMES):
            raise PostureRefused(f"{unknown[0]!r} is none of {', '.join(sorted(_NAMES))}")
        disk, lock = table.get("require_disk_encryption", True), table.get("require_screen_lock", True)
        if not isinstance(disk, bool) or not isinstance(lock, bool):
            raise PostureRefused("require_disk_encryption and require_screen_lock are true or false")
        hours = table.get("report_hours", 24)
        if isinstance(hours, bool) or not isinstance(hours, int) or not 1 <= hours <= _LONGEST_HOURS:
            raise PostureRefused(f"report_hours is a number from 1 to {_LONGEST_HOURS}")
        return cls(disk, lock, _minimum_os(table.get("minimum_os", {})), hours)

    def table(self) -> dict[str, object]:
        """The table that ``read`` reads."""
        table: dict[str, object] = {
            "require_disk_encryption": self.require_disk_encryption,
            "require_screen_lock": self.require_screen_lock,
            "report_hours": self.report_hours,
        }
        return {**table, "minimum_os": dict(self.minimum_os)} if self.minimum_os else table

    def __str__(self) -> str:
        """For the page of settings."""
        return ", ".join(f"{name} = {str(value).lower()}" for name, value in self.table().items())


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a report is enough, and one sentence for each thing that is not."""

    reasons: tuple[str, ...] = ()

    @property
    def is_healthy(self) -> bool:
        """Whether nothing is wrong."""
        return not self.reasons


def judge(posture: Posture, minimums: Minimums) -> Verdict:
    """Compare a report with what is asked. What is asked for and not known is not there."""
    reasons = []
    if minimums.require_disk_encryption and posture.disk_encrypted is not True:
        not_there, unknown = "The disk is not encrypted.", "It is not known whether the disk is encrypted."
        reasons.append(unknown if posture.disk_encrypted is None else not_there)
    if minimums.require_screen_lock and posture.screen_lock is not True:
        not_there, unknown = "The screen does not lock.", "It is not known whether the screen locks."
        reasons.append(unknown if posture.screen_lock is None else not_there)
    lowest = minimums.minimum_os.get(posture.os)
    if lowest is not None and _numbers(posture.os_version) < _numbers(lowest):
        reasons.append(f"The operating system is older than {posture.os} {lowest}.")
    elif minimums.minimum_os and not posture.os:
        reasons.append("It is not known which operating system it is.")
    return Verdict(tuple(reasons))


def _minimum_os(table: object) -> Mapping[str, str]:
    if not isinstance(table, dict) or len(table) > _MOST_SYSTEMS:
        raise PostureRefused('minimum_os is a table like { debian = "12", windows = "10.0.19045" }')
    for name, version in table.items():
        if not _SYSTEM.fullmatch(name) or not isinstance(version, str) or not _NUMBERS.fullmatch(version):
            raise PostureRefused(f'minimum_os: {name!r} must be a name in lower case with a version like "12.4"')
    return MappingProxyType(dict(table))


def _numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version begins with, without zeros at the end: 12 is as new as 12.0. None of them: ()."""
    found = _NUMBERS.match(version)
    numbers = [int(part) for part in found.group().split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
