"""Domains where somebody proved who they are, so that another one, or one that looks like them, is asked about.

Not those that something was sent to: a slip that was sent to once must not be one that is known.
"""

from carekeep.encryption import Keyring, Tampered, associated_data
from carekeep.storage import Database, Insert, Prepared

_TABLE = "known_recipient"
_MOST = 2_000
_ALL = "SELECT tag, sealed FROM known_recipient ORDER BY tag LIMIT $1"


class KnownRecipients:
    """Domains only: whom something went to is in the ledger. A row that was changed counts as not there."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring

    async def domains(self) -> frozenset[str]:
        """Those that are known, at most 2,000."""
        found: set[str] = set()
        for tag, sealed in await self._database.fetch(_ALL, (_MOST,)):
            try:
                found.add(self._keyring.rows.open(sealed, associated_data(_TABLE, tag)).decode())
            except Tampered:
                continue
        return frozenset(found)

    def prepare_known(self, domain: str) -> Prepared[None]:
        """From now on this domain is known."""
        tag = self._keyring.index.digest("recipient domain", domain)
        row = (tag, self._keyring.rows.seal(domain.encode(), associated_data(_TABLE, tag)))
        return Prepared(None, (Insert(_TABLE, ("tag", "sealed"), (row,), ignore_existing=True),))
