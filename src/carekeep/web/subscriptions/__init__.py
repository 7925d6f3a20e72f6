"""Topic-based subscriptions (R5 Backport 1.1.0 for R4): who asked to be told of what, and telling them.

Invariants:

* The ledger is the only source of events, read in order; where the reading stands is durable.
* Each event is decided for the subscriber when it is found, and again in the moment in which it is told; the entry of a
  disclosure is durable before a byte of it leaves. What a subscriber may not see is neither told nor counted.
* A notification goes only where the settings allow, over verified TLS, and signed (RFC 9421).
* An account that ends takes its subscriptions with it.
"""

from carekeep.web.subscriptions.bindings import Bindings
from carekeep.web.subscriptions.table import Subscriptions

__all__ = ["Bindings", "Subscriptions"]
