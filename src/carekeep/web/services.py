"""The rooms that the web answers from, as one value; put together by ``carekeep.app``."""

from collections.abc import Callable
from dataclasses import dataclass

from carekeep.access import BreakGlass, Guard, Relationships
from carekeep.audit import Ledger, VerifierKey
from carekeep.encryption import Keyring
from carekeep.identity import Accounts, SignIn, Tokens
from carekeep.records import Vault
from carekeep.storage import Database, Generations
from carekeep.web.profiles import Profiles
from carekeep.web.subscriptions import AllowedHosts, Bindings, Subscriptions


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need.

    ``clock`` is milliseconds since 1970; ``import_sources`` are the beginnings of URLs that imports may fetch,
    ``notifiable`` the hosts to which notifications may be sent.
    """

    fhir_url: str
    database: Database
    generations: Generations
    keyring: Keyring
    vault: Vault
    ledger: Ledger
    ledger_key: VerifierKey
    accounts: Accounts
    sign_in: SignIn
    tokens: Tokens
    guard: Guard
    relationships: Relationships
    break_glass: BreakGlass
    subscriptions: Subscriptions
    bindings: Bindings
    profiles: Profiles
    notifiable: AllowedHosts
    clock: Callable[[], int]
    import_sources: tuple[str, ...] = ()
