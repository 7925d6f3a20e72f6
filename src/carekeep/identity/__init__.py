"""Who is asking: accounts, signing in, sessions and bearer tokens.

Invariants: nothing of an account or a token stands in the database in the open; a token is kept as its hash; a refusal
tells its reason to the ledger and not to the client; a one-time code is good once; what was revoked or disabled is
refused in this process with the commit, and in every other one when it hears of generation "accounts".
"""

from carekeep.identity.account import Account, Kind
from carekeep.identity.accounts import Accounts
from carekeep.identity.errors import AccountInvalid, IdentityError, PasswordRefused, SignInRefused, TokenRefused
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
from carekeep.identity.sign_in import SignIn
from carekeep.identity.tokens import Tokens

__all__ = [
    "Account",
    "AccountInvalid",
    "Accounts",
    "Binding",
    "BindingKind",
    "Delegation",
    "DeviceStanding",
    "IdentityError",
    "IssuedToken",
    "Kind",
    "PasswordRefused",
    "Principal",
    "Session",
    "SignIn",
    "SignInRefused",
    "TokenRefused",
    "Tokens",
    "principal_of",
]
