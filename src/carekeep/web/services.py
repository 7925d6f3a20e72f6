"""The rooms that the web answers from, as one value; put together by ``carekeep.app``."""

from collections.abc import Callable
from dataclasses import dataclass

from carekeep.access import BreakGlass, Guard, Relationships
from carekeep.audit import Ledger, VerifierKey
from carekeep.encryption import Keyring
from carekeep.identity import Accounts, SignIn, Tokens
from carekeep.records import Vault
from carekeep.storage import Database, Generations


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need. ``clock`` is milliseconds since 1970."""

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
    clock: Callable[[], int]
