"""One administrator's request: decided once, then carried out and recorded, anew when something else came between."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from carekeep.access import Action, Decision, Target
from carekeep.identity import Account
from carekeep.storage import Prepared
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.plain_json import LARGEST_BODY, Given, id_of, read_object, retried, told
from carekeep.web.problems import problem
from carekeep.web.services import Services

_LISTED = 1_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Done:
    """A change that is ready: what to commit, what to answer, the ledger's sentence on it, and whose data it was."""

    prepared: Prepared[Any]
    answer: Any
    reason: str
    status: int = 200
    patients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody who may do this.

    ``given`` is what was sent: the body of a request, or the fields of a form. ``tell`` makes the answer of facts and a
    status: JSON, or a page of the console.
    """

    passage: Passage
    action: Action
    decision: Decision
    given: Given
    tell: Callable[[Any, int], Response] = told

    @property
    def services(self) -> Services:
        """The rooms."""
        return self.passage.services

    @property
    def by(self) -> str:
        """The id (hex) of the account that asks."""
        return self.passage.principal.account_id

    async def asker(self) -> Account:
        """The account that asks. Raises 403 when it is gone."""
        return await self.account(bytes.fromhex(self.by))

    async def account(self, id_: bytes | None) -> Account:
        """The account with this id. Raises 404."""
        account = None if id_ is None else await self.services.accounts.get(id_)
        if account is None:
            raise problem(404, "not-found", "There is no account with this id.")
        return account

    async def change(self, work: Callable[[], Awaitable[Done]]) -> Response:
        """Prepare, commit with the entry, answer. What other requests have cached is dropped with it."""

        async def once() -> Response:
            done = await work()
            await self.passage.record(
                self.action,
                "permitted",
                done.prepared,
                decision=self.decision,
                query=done.reason,
                patients=done.patients,
            )
            self.services.generations.changed("accounts")
            return self.tell(done.answer, done.status)

        return await retried(once)

    async def show(self, facts: Any, reason: str) -> Response:
        """Record that something was shown, and show it."""
        await self.passage.record(self.action, "permitted", decision=self.decision, query=reason)
        return self.tell(facts, 200)


async def first(rows: AsyncIterator[T]) -> list[T]:
    """The first of them, at most 1,000."""
    found: list[T] = []
    async for row in rows:
        found.append(row)
        if len(found) >= _LISTED:
            break
    return found


async def ask(passage: Passage, action: Action, limit: int = LARGEST_BODY) -> Asked:
    """Who asks, and whether they may. ``limit`` of the body, in bytes. Raises 401, 403, 400, 413."""
    await passage.authenticate(action)
    decision = await passage.demand(action, Target())
    given = await read_object(passage.request, limit) if passage.request.method == "POST" else Given({})
    return Asked(passage, action, decision, given)


def named(text: str) -> bytes:
    """An id in the URL. Raises 404 for what cannot be one."""
    found = id_of(text)
    if found is None:
        raise problem(404, "not-found", "Nothing can have the id in the URL.")
    return found
