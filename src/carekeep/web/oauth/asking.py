"""A request to one of the endpoints, as they see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carekeep.access import Action
from carekeep.audit import Agent
from carekeep.storage import Conflict, Prepared
from carekeep.web.oauth.authenticating import Caller, authenticate
from carekeep.web.oauth.protocol import read_form
from carekeep.web.oauth.urls import Urls
from carekeep.web.passage import Passage
from carekeep.web.services import Services

LONGEST_BODY = 65_536


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its way through the ledger, and where the endpoints are."""

    passage: Passage
    urls: Urls

    @property
    def services(self) -> Services:
        """The rooms behind it."""
        return self.passage.services

    async def form(self) -> dict[str, str]:
        """The parameters of the form in its body. Raises Refused, BadRequest."""
        request = self.passage.request
        return read_form(request.header(b"content-type"), await request.body(LONGEST_BODY))

    async def caller(self, parameters: Mapping[str, str]) -> Caller:
        """The client that asks; what is recorded from here on names it. Raises Refused."""
        request = self.passage.request
        caller = await authenticate(self.services, self.urls, request, parameters)
        client = caller.client
        self.passage.agent = Agent(account=client.account or "", role="app", address=request.address, app=client.name)
        return caller

    async def record(self, caller: Caller, action: Action, *prepared: Prepared[Any], reason: str) -> None:
        """Commit what was prepared, and that the client's proofs are used up.

        Raises Refused where that was so before, else Conflict.
        """
        try:
            await self.passage.record(action, "permitted", *caller.once, *prepared, reason=reason)
        except Conflict:
            await caller.check_replay(self.services)
            raise
