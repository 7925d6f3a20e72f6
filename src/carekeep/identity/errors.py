"""What identity refuses. Messages are for the client and tell nothing about others; reasons are for the ledger."""


class IdentityError(Exception):
    """Something was refused."""


class AccountInvalid(IdentityError):
    """An account cannot be like this. ``field`` says which part of it."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class PasswordRefused(IdentityError):
    """A new password does not meet the rules; the message says which."""


class SignInRefused(IdentityError):
    """Nobody signed in. The client's answer is the same whatever the reason.

    ``reason`` is for the ledger; so is ``account_id`` (hex), None when no account has this login.
    """

    message = "Login, password or code is not right."

    def __init__(self, reason: str, account_id: str | None) -> None:
        super().__init__(self.message)
        self.reason = reason
        self.account_id = account_id


class SignInThrottled(SignInRefused):
    """The password was not even looked at: too many were wrong. The same for logins that nobody has.

    ``wait_ms``: how long to wait; None when the password is off until its owner signs in by a passkey, or an account
    recovery.
    """

    message = "There were too many wrong passwords. Sign in with a passkey, or wait before you try again."

    def __init__(self, wait_ms: int | None, account_id: str | None) -> None:
        waiting = "the password is off" if wait_ms is None else "too soon after wrong passwords"
        super().__init__(f"throttled: {waiting}", account_id)
        self.wait_ms = wait_ms


class SignInCrowded(SignInThrottled):
    """The password was not even looked at: too many others are waiting for theirs to be checked."""

    message = "Too many are signing in at this moment. Sign in with a passkey, or try again in a moment."

    def __init__(self) -> None:
        super().__init__(1000, None)
        self.reason = "throttled: too many sign-ins at once"


class PasskeyRefused(SignInRefused):
    """A passkey was not accepted, in signing in or when it was to be added."""

    message = "The passkey was not accepted."


class PasskeyCannotGo(IdentityError):
    """A passkey stays: it is the last way in to its account."""


class BrowserSessionRefused(IdentityError):
    """A browser's session is not good, or over. ``reason`` is for the ledger."""

    def __init__(self, reason: str) -> None:
        super().__init__("Sign in again.")
        self.reason = reason


class TokenRefused(IdentityError):
    """A bearer token is not good. The client's answer is the same whatever the ``reason``, which is for the ledger."""

    def __init__(self, reason: str) -> None:
        super().__init__("The access token is not valid.")
        self.reason = reason
