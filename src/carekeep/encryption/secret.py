"""Values that must not be printed, logged or pickled.

This guards against slips, not against somebody who can read the process's memory: Python copies bytes freely and
cannot wipe them, so a secret stays in memory until its page is used again. Core dumps are therefore to be switched
off where Carekeep runs (``LimitCORE=0``).
"""

import hmac
from typing import NoReturn, SupportsIndex


class Hidden:
    """Base of every class that holds key material: prints nothing of it, and refuses to be pickled or copied."""

    __slots__ = ()

    def __repr__(self) -> str:
        """The name of the class."""
        return f"<{type(self).__name__}: hidden>"

    def __format__(self, spec: str) -> str:
        """The same, whatever the format."""
        return repr(self)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        """Refuses."""
        raise TypeError(f"A {type(self).__name__} holds a secret and cannot be pickled or copied.")


class Secret(Hidden):
    """A password, passphrase, code or token. ``reveal()`` and ``reveal_text()`` are the ways to its content.

    ``value``: text is kept as UTF-8. Two secrets are compared in time that depends on their lengths only.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | bytes) -> None:
        self._value = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)

    def reveal(self) -> bytes:
        """The content."""
        return self._value

    def reveal_text(self) -> str:
        """The content as text. Raises UnicodeDecodeError when it is none."""
        return self._value.decode()

    def __eq__(self, other: object) -> bool:
        """In constant time for equal lengths."""
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    # A hash would be a fingerprint of the secret, and a set of secrets a way around the comparison above.
    __hash__ = None  # type: ignore[assignment]
