"""What a sign-in proved."""

from dataclasses import dataclass

from carekeep.identity.account import Account

# Authentication method references, RFC 8176. A recovery code is a one-time password from a printed list; it is no
# "kba", which is about questions on a person's life.
PASSWORD = ("pwd",)
PASSWORD_AND_CODE = ("pwd", "otp", "mfa")
PASSKEY_OF_ONE_DEVICE = ("hwk", "user", "mfa")
PASSKEY_THAT_SYNCS = ("swk", "user", "mfa")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Somebody was verified, once what was prepared with this is committed.

    ``assurance``: the authenticator assurance level (NIST SP 800-63B-4), 1 to 3. ``methods``: by what (RFC 8176).
    ``recovery_codes_left``: how many recovery codes are left after one was used up; None when none was: a person is to
    be told of it. ``passkey``: the id (hex) of the passkey, if it was one.
    """

    account: Account
    assurance: int
    methods: tuple[str, ...]
    recovery_codes_left: int | None = None
    passkey: str | None = None
