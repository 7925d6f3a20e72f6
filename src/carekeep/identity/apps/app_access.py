"""All that is kept of apps, as one value."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from carekeep.encryption import Keyring
from carekeep.identity.apps.client import Client
from carekeep.identity.apps.clients import Clients
from carekeep.identity.apps.codes import Codes
from carekeep.identity.apps.grants import Grants
from carekeep.identity.apps.launches import Launches
from carekeep.identity.apps.pushed import PushedRequests
from carekeep.identity.apps.signing import SigningKeys
from carekeep.identity.principal import Session
from carekeep.storage import Clock, Database, system_clock


@dataclass(frozen=True, slots=True)
class AppAccess:
    """Who the apps are, what they were given, and what is on its way to them."""

    clients: Clients
    grants: Grants
    codes: Codes
    pushed: PushedRequests
    launches: Launches
    signing_keys: SigningKeys

    async def still_allow(self, session: Session) -> bool:
        """Whether what a session was allowed as an app's has not ended: its client, and its grant. Raises Tampered."""
        if session.delegation is None:
            return True
        client = await self.clients.get(session.delegation.client)
        if client is None or not client.is_approved or session.parent is None:
            return False
        if session.parent == bytes.fromhex(client.id):  # on the app's own behalf
            return True
        grant = await self.grants.get(session.parent)
        return grant is not None and grant.expires_ms > self.clients.now()

    @classmethod
    def over(
        cls,
        database: Database,
        keyring: Keyring,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
        own: Sequence[Client] = (),
    ) -> Self:
        """All of it, in one database; ``own`` are the organization's own sites."""
        return cls(
            clients=Clients(database, keyring, clock, random, own),
            grants=Grants(database, keyring, clock, random),
            codes=Codes(database, keyring, clock, random),
            pushed=PushedRequests(database, keyring, clock, random),
            launches=Launches(database, keyring, clock, random),
            signing_keys=SigningKeys(database, keyring, clock, random),
        )
