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

    def __init__(self, reason: str, account_id: str | None) -> None:
        super().__init__("Login, password or code is not right.")
        self.reason = reason
        self.account_id = account_id


class TokenRefused(IdentityError):
    """A bearer token is not good. The client's answer is the same whatever the ``reason``, which is for the ledger."""

    def __init__(self, reason: str) -> None:
        super().__init__("The access token is not valid.")
        self.reason = reason
