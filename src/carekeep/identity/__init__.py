"""Who is asking: accounts, signing in, sessions and bearer tokens.

Invariants: nothing of an account or a token stands in the database in the open; a token is kept as its hash; a refusal
tells its reason to the ledger and not to the client; a one-time code is good once; what was revoked or disabled is
refused in this process with the commit, and in every other one when it hears of generation "accounts".
"""

from carekeep.identity.account import Account, Kind
from carekeep.identity.accounts import Accounts
from carekeep.identity.browser_session_rows import BrowserSession
from carekeep.identity.browser_sessions import BrowserSessions, StartedSession
from carekeep.identity.errors import (
    AccountInvalid,
    BrowserSessionRefused,
    IdentityError,
    PasskeyCannotGo,
    PasskeyRefused,
    PasswordRefused,
    SignInRefused,
    SignInThrottled,
    TokenRefused,
)
from carekeep.identity.known_browsers import KnownBrowsers
from carekeep.identity.passkey_ceremonies import Ceremony
from carekeep.identity.passkey_rows import Passkey
from carekeep.identity.passkeys import Passkeys
from carekeep.identity.principal import (
    Binding,
    BindingKind,
    Delegation,
    DeviceStanding,
    IssuedToken,
    Principal,
    Session,
    principal_of,
)
from carekeep.identity.recovery_codes import RecoveryCodes
from carekeep.identity.sign_in import SignIn
from carekeep.identity.signed_in import SignedIn
from carekeep.identity.throttle import Throttle, forgiven
from carekeep.identity.tokens import Tokens

__all__ = [
    "Account",
    "AccountInvalid",
    "Accounts",
    "Binding",
    "BindingKind",
    "BrowserSession",
    "BrowserSessionRefused",
    "BrowserSessions",
    "Ceremony",
    "Delegation",
    "DeviceStanding",
    "IdentityError",
    "IssuedToken",
    "Kind",
    "KnownBrowsers",
    "Passkey",
    "PasskeyCannotGo",
    "PasskeyRefused",
    "Passkeys",
    "PasswordRefused",
    "Principal",
    "RecoveryCodes",
    "Session",
    "SignIn",
    "SignInRefused",
    "SignInThrottled",
    "SignedIn",
    "StartedSession",
    "Throttle",
    "TokenRefused",
    "Tokens",
    "forgiven",
    "principal_of",
]
