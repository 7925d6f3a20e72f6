"""How much speaks against a request being what it seems: an interface that the monitoring room fills."""

from typing import Final, Protocol

from carekeep.access.decision import Principal

LEAST: Final = 0
MOST: Final = 100


class Risk(Protocol):
    """Knows the risk of a session at this moment. Asked before every decision, so it answers from memory."""

    def of(self, principal: Principal, address: str | None) -> int:
        """0 (nothing speaks against it) to 100, for requests of a session from an address."""
        ...


class NoRisk:
    """Nothing is known, so nothing speaks against anybody."""

    def of(self, principal: Principal, address: str | None) -> int:
        """Always 0."""
        del principal, address
        return LEAST
