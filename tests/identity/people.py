"""Accounts for tests: cheap passwords, a clock that is set by hand."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from carekeep.encryption import Keyring, Secret, totp_code
from carekeep.identity import (
    Account,
    Accounts,
    BrowserSessions,
    Kind,
    KnownBrowsers,
    Passkeys,
    SignIn,
    Throttle,
    Tokens,
)
from carekeep.storage import Database
from tests.encryption.keys import CHEAP, new_keyring

PASSWORD = Secret("seventeen swans swim")
TOTP_KEY = Secret(b"12345678901234567890")
STEP_MS = 30_000
RP_ID = "auth.records.example.org"
ORIGIN = f"https://{RP_ID}:8443"


@dataclass(slots=True)
class Office:
    """Identity as one process has it. ``now`` is what its clock says."""

    database: Database
    keyring: Keyring
    now: int = 1_790_000_000_000
    accounts: Accounts = field(init=False)
    tokens: Tokens = field(init=False)
    throttle: Throttle = field(init=False)
    sign_in: SignIn = field(init=False)
    known_browsers: KnownBrowsers = field(init=False)
    passkeys: Passkeys = field(init=False)
    browser_sessions: BrowserSessions = field(init=False)

    def __post_init__(self) -> None:
        self.accounts = Accounts(self.database, self.keyring, self.clock, cost=CHEAP)
        self.tokens = Tokens(self.database, self.keyring, self.clock)
        self.throttle = Throttle(self.database, self.keyring, self.clock)
        self.sign_in = SignIn(self.accounts, self.throttle, self.clock, cost=CHEAP)
        self.known_browsers = KnownBrowsers(self.keyring, self.clock)
        self.passkeys = Passkeys(self.database, self.keyring, self.clock, rp_id=RP_ID, origin=ORIGIN, name="Carekeep")
        self.browser_sessions = BrowserSessions(self.database, self.keyring, self.clock)

    def clock(self) -> int:
        return self.now

    def code(self) -> str:
        return totp_code(TOTP_KEY, self.now)

    async def practitioner(self, login: str = "amelie", *, totp: bool = False) -> Account:
        prepared = await self.accounts.prepare_create(
            Kind.PRACTITIONER,
            name="Amélie Marked",
            login=login,
            fhir_user="Practitioner/p-1",
            password=PASSWORD,
            totp_key=TOTP_KEY if totp else None,
        )
        await self.database.commit(prepared.steps)
        return prepared.value

    async def app(self, login: str = "lab-import") -> Account:
        prepared = await self.accounts.prepare_create(
            Kind.APP, name="Laboratory", login=login, grants=frozenset({"system"})
        )
        await self.database.commit(prepared.steps)
        return prepared.value

    async def disable(self, account: Account) -> None:
        await self.database.commit(self.accounts.prepare_change(replace(account, disabled=True)).steps)

    async def issue(self, account: Account, lifetime_ms: int = 60_000) -> tuple[str, str]:
        """The bearer token and the session's id."""
        prepared = self.tokens.prepare_issue(account, 1, lifetime_ms)
        await self.database.commit(prepared.steps)
        return prepared.value.secret.reveal_text(), prepared.value.principal.session


async def new_office(database: Database, folder: Path) -> Office:
    return Office(database, await new_keyring(database, folder))
