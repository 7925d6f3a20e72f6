"""Sharing over HTTP: patients' links (``/links``), the public protocol of them (``/shl``), and guests (``/guests``).

What leaves is decided, looked at a second time where that is called for, and in the ledger before it is sent.
What a link leads to passes through as ciphertext: its key never comes here, and a request that holds one is refused.
"""

from carekeep.web.sharing.guests import GuestRoutes
from carekeep.web.sharing.links import LinkRoutes
from carekeep.web.sharing.opening import OpenLinks

__all__ = ["GuestRoutes", "LinkRoutes", "OpenLinks"]
