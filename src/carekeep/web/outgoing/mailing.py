"""Mail, for what must reach an address to prove it: one letter over verified TLS to the organization's relay.

A letter holds no health data and names no patient: mail is read by many.
"""

import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import aiosmtplib

from carekeep.encryption import Secret

_PATIENCE_S = 20


class MailFailed(Exception):
    """The letter was not taken; the text says by what sort of failure, and repeats nothing of the letter."""


class MailSecurity(StrEnum):
    """How the connection to the relay is encrypted: from the start, or after STARTTLS. There is no third way."""

    TLS = "tls"
    STARTTLS = "starttls"


@dataclass(frozen=True, slots=True)
class Letter:
    """Plain text to one address."""

    to: str = field(repr=False)
    subject: str = field(repr=False)
    text: str = field(repr=False)


class Post(Protocol):
    """What takes letters."""

    async def send(self, letter: Letter) -> None:
        """Hand a letter over. Raises MailFailed."""
        ...


@dataclass(frozen=True, slots=True)
class SmtpRelay:
    """The organization's mail relay (RFC 5321, RFC 8314). ``authority``: a PEM file of an own authority."""

    host: str
    port: int
    sender: str
    security: MailSecurity = MailSecurity.TLS
    user: str = ""
    password: Secret | None = None
    authority: Path | None = None

    async def send(self, letter: Letter) -> None:
        """Hand a letter over. Raises MailFailed."""
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Subject"] = self.sender, letter.to, letter.subject
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers
        message.set_content(letter.text)
        context = ssl.create_default_context(cafile=self.authority)
        context.minimum_version = ssl.TLSVersion.TLSv1_2  # relays; 1.3 is taken where it is spoken
        try:
            await aiosmtplib.send(
                message,
                hostname=self.host,
                port=self.port,
                use_tls=self.security is MailSecurity.TLS,
                start_tls=self.security is MailSecurity.STARTTLS,
                username=self.user or None,
                password=self.password.reveal_text() if self.password else None,
                tls_context=context,
                timeout=_PATIENCE_S,
            )
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise MailFailed(f"The mail relay did not take the letter: {type(error).__name__}.") from None
