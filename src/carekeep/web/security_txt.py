"""``/.well-known/security.txt`` (RFC 9116): whom to tell of a weakness."""

from collections.abc import Iterable
from datetime import date

PATH = "/.well-known/security.txt"


def security_text(*, contact: str, expires: date, policy: str, languages: str, origins: Iterable[str]) -> bytes:
    """The file, the same at all ``origins``. ``policy`` may be empty; ``languages`` are separated by commas."""
    lines = [
        f"Contact: {contact}",
        f"Expires: {expires.isoformat()}T00:00:00Z",
        *(f"Canonical: {origin.rstrip('/')}{PATH}" for origin in origins),
        *([f"Policy: {policy}"] if policy else []),
        f"Preferred-Languages: {languages}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()
