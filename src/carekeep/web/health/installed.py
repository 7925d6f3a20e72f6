"""What the checks need of an installation: how it is set up, and what is open."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from carekeep.audit import Ledger, VerifierKey
from carekeep.audit.export import SiemSettings
from carekeep.audit.witnessing import Witnesses
from carekeep.storage import Database


class Installed(Protocol):
    """The settings, as far as checks go by them; ``carekeep.settings.Settings`` is one."""

    @property
    def home(self) -> Path:
        """The folder of the installation."""
        ...

    @property
    def base_url(self) -> str:
        """What programs connect to."""
        ...

    @property
    def sign_in_url(self) -> str:
        """Where people sign in."""
        ...

    @property
    def bind(self) -> str:
        """The address that is listened on."""
        ...

    @property
    def port(self) -> int:
        """The port that is listened on."""
        ...

    @property
    def security_contact(self) -> str:
        """Who is told of weaknesses; empty for nobody."""
        ...

    @property
    def security_expires(self) -> str:
        """The day until which that holds."""
        ...

    @property
    def siem(self) -> SiemSettings:
        """Where the ledger's events are sent to."""
        ...

    @property
    def key_file(self) -> Path:
        """The key file."""
        ...

    @property
    def passphrase_file(self) -> Path:
        """Where the passphrase may lie."""
        ...

    @property
    def front_secret_file(self) -> Path:
        """What a front proves itself with."""
        ...

    @property
    def witness_file(self) -> Path:
        """The newest checkpoint outside of the database."""
        ...

    @property
    def certificate(self) -> Path:
        """The certificate chain of TLS."""
        ...

    @property
    def certificate_key(self) -> Path:
        """Its key."""
        ...


class Opened(Protocol):
    """What of the services is looked at; ``carekeep.web.services.Services`` is one."""

    @property
    def database(self) -> Database:
        """The database."""
        ...

    @property
    def ledger(self) -> Ledger:
        """The audit ledger."""
        ...

    @property
    def ledger_key(self) -> VerifierKey:
        """By which its checkpoints are verified."""
        ...

    @property
    def witnesses(self) -> Witnesses:
        """Those who vouch for it."""
        ...

    @property
    def clock(self) -> Callable[[], int]:
        """Milliseconds since 1970."""
        ...
