"""The settings' table ``[smtp]``: the relay that takes this installation's letters."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carekeep.encryption import Secret
from carekeep.web.outgoing.mailing import MailSecurity, SmtpRelay

_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}|[0-9a-fA-F:]{2,45}")
_SENDER = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]{1,189}")
_PORTS = {MailSecurity.TLS: 465, MailSecurity.STARTTLS: 587}
_LAST_PORT = 65535


class MailRefused(ValueError):
    """The table cannot be used; the text says which word of it, and what it may be."""


@dataclass(frozen=True, slots=True)
class MailSettings:
    """No host: no letters are sent. ``password`` was read from the file that the table names."""

    host: str = ""
    port: int = 0
    sender: str = ""
    security: MailSecurity = MailSecurity.TLS
    user: str = ""
    password: Secret | None = field(default=None, repr=False)
    authority: Path | None = None

    @classmethod
    def read(cls, table: dict[str, Any], home: Path) -> "MailSettings":
        """From the table. Raises MailRefused."""
        known = {"host", "port", "from", "security", "user", "password_file", "authority"}
        if unknown := sorted(table.keys() - known):
            raise MailRefused(f"{unknown[0]!r} is not known; known are {', '.join(sorted(known))}")
        if not all(isinstance(value, str) for name, value in table.items() if name != "port"):
            raise MailRefused("all but port are texts")
        if not _HOST.fullmatch(table.get("host", "")) or not _SENDER.fullmatch(table.get("from", "")):
            raise MailRefused("host is the relay's name, and from an address like records@example.org")
        if table.get("security", "tls") not in set(MailSecurity):
            raise MailRefused("security is tls or starttls; letters are never sent in the open")
        security = MailSecurity(table.get("security", "tls"))
        port = table.get("port", _PORTS[security])
        if not isinstance(port, int) or isinstance(port, bool) or not 0 < port <= _LAST_PORT:
            raise MailRefused("port must be between 1 and 65535")
        return cls(
            host=table["host"],
            port=port,
            sender=table["from"],
            security=security,
            user=table.get("user", ""),
            password=_password(table, home),
            authority=home / table["authority"] if "authority" in table else None,
        )

    def relay(self) -> SmtpRelay | None:
        """What takes letters; None where there is no host."""
        if not self.host:
            return None
        return SmtpRelay(self.host, self.port, self.sender, self.security, self.user, self.password, self.authority)


def _password(table: dict[str, Any], home: Path) -> Secret | None:
    if "password_file" not in table:
        return None
    path = home / table["password_file"]
    try:
        if path.stat().st_mode & 0o077:
            raise MailRefused(f"{path} can be read by others: chmod 600 it")
        return Secret(path.read_bytes().strip())
    except FileNotFoundError:
        raise MailRefused(f"{path} does not exist") from None
