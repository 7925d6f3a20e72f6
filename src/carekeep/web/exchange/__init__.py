"""What outsiders fetch: the ledger's checkpoint, tiles and proofs.

Tiles and checkpoints hold no health data (entries are encrypted) and are given to anyone, so that anyone can verify.
"""

from carekeep.web.exchange.ledger import LedgerRoutes

__all__ = ["LedgerRoutes"]
