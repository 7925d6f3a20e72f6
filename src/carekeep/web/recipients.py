"""To whom outside something leaves: what makes an entry of the ledger a disclosure (45 CFR 164.528).

Guests are named by name, organization and address. Apps of others are named by the organization that answers for them,
or by the app's name; apps of the organization itself (first-party), and people who work here or are the patient, are
nobody outside. A notification goes to the host that its subscriber named.
"""

from collections.abc import Sequence

from carekeep.audit import What
from carekeep.identity import Kind, Principal

_LONGEST = 200


def recipient_of(principal: Principal, outcome: str, what: Sequence[What]) -> str | None:
    """Who outside receives what a request is answered with; None where nothing leaves, or nobody is outside."""
    if outcome != "permitted" or not what:
        return None
    if principal.kind is Kind.GUEST:
        return principal.name[:_LONGEST]
    given = principal.delegation
    if given is None or not given.outside:
        return None
    return (f"{given.via}, by the app {given.app}" if given.via else f"the app {given.app}")[:_LONGEST]
