"""What another system's log says of one event, once it is bounded and clean."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from types import MappingProxyType

from carekeep.audit.entries import Outcome

LARGEST_LINE = 64 * 1024
MOST_PATIENTS = 50
VERBS = ("read", "search", "create", "update", "delete", "execute", "sign-in", "sign-out", "export", "other")
BY_CODE: Mapping[str, str] = MappingProxyType(
    {"C": "create", "R": "read", "U": "update", "D": "delete", "E": "execute"}
)
OUTCOME_BY_CODE: Mapping[str, Outcome] = MappingProxyType(
    {"0": "permitted", "4": "failed", "8": "denied", "12": "failed"}
)
_PURPOSE = re.compile(r"[A-Z][A-Z0-9]{1,19}")


class LineRefused(ValueError):
    """A line says nothing that can be taken over. The text says why, and repeats nothing of it."""


class LogRefused(ValueError):
    """The log, or its mapping, cannot be read at all; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """One event. ``line`` is where it stands (from 1), ``raw`` its bytes; ``patients`` are ids or identifiers.

    ``happened_ms`` is milliseconds since 1970; ``verb`` is one of ``VERBS``; ``said`` is the log's own word for it.
    """

    line: int
    raw: bytes
    happened_ms: int
    verb: str
    outcome: Outcome = "permitted"
    who: str = ""
    role: str = ""
    address: str = ""
    app: str = ""
    purpose: str = ""
    patients: tuple[str, ...] = ()
    what: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A line that was not taken over, and why."""

    line: int
    reason: str


def clean(text: object, longest: int = 100) -> str:
    """Text without anything that acts on whoever looks at it: controls, direction marks, and the rest cut off."""
    if not isinstance(text, str):
        return ""
    kept = "".join(
        " " if unicodedata.category(each) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else each for each in text[:2000]
    )
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def purpose_of(text: object) -> str:
    """A code of a purpose of use, or nothing."""
    return text if isinstance(text, str) and _PURPOSE.fullmatch(text) else ""


def moment(text: object, format_: str = "", zone: tzinfo = UTC) -> int:
    """Milliseconds since 1970 of a time; ISO 8601 without a ``format_`` (of ``strptime``). Raises LineRefused."""
    if not isinstance(text, str) or not 0 < len(text) <= 64:  # noqa: PLR2004 - no time is longer
        raise LineRefused("it has no time")
    try:
        found = datetime.strptime(text, format_) if format_ else datetime.fromisoformat(text)  # noqa: DTZ007
        aware = found if found.tzinfo else found.replace(tzinfo=zone)
        return int(aware.timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise LineRefused("its time cannot be read") from None
