"""One request of a directory: decided, carried out, recorded."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError
from scim2_models import InvalidSyntaxException, ResponseParameters

from carekeep.access import Action, Decision, Target
from carekeep.identity import Account, Kind
from carekeep.identity.provisioning import Provisioning
from carekeep.storage import Prepared
from carekeep.web.http import Request, Response
from carekeep.web.passage import Passage, together
from carekeep.web.plain_json import retried
from carekeep.web.problems import problem
from carekeep.web.scim.models import POLICY

LARGEST_BODY = 64 * 1024
_TYPES = frozenset({"application/scim+json", "application/json"})
_OBJECT = TypeAdapter(dict[str, Any])


@dataclass(frozen=True, slots=True)
class Done:
    """A change that is ready: what to commit, the answer, and the ledger's sentence on it."""

    prepared: Prepared[Any]
    answer: Response
    reason: str


@dataclass(slots=True)
class Asked:
    """An app that may keep accounts. ``decisions`` grows when a request needs more than one."""

    passage: Passage
    provisioning: Provisioning
    base_url: str
    decisions: list[Decision] = field(default_factory=list)

    @property
    def request(self) -> Request:
        """What was sent."""
        return self.passage.request

    async def demand_for(self, *kinds: Kind) -> None:
        """Whether accounts of these kinds may be changed. Raises 403, which is recorded."""
        if Kind.ADMINISTRATOR in kinds:
            decision = await self.passage.demand(Action.ADMINISTRATOR_PROVISION, Target())
            self.decisions.append(decision)

    async def change(self, work: Callable[[], Awaitable[Done]]) -> Response:
        """Prepare, commit with the entry, answer; anew when something came between. Every cache is told."""
        before = len(self.decisions)

        async def once() -> Response:
            del self.decisions[before:]
            done = await work()
            await self._record(done.reason, done.prepared)
            self.passage.services.generations.changed("accounts")
            return done.answer

        return await retried(once)

    async def show(self, answer: Response, reason: str) -> Response:
        """Record that something was shown, and show it."""
        await self._record(reason)
        return answer

    async def account(self, text: str) -> Account:
        """The account of a person with this id. Raises 404: so for apps, and for those who have left."""
        try:
            id_ = bytes.fromhex(text)
        except ValueError:
            id_ = b""
        account = await self.provisioning.get(id_) if id_.hex() == text else None
        if account is None:
            raise problem(404, "not-found", "There is no such resource.")
        return account

    async def body(self) -> dict[str, Any]:
        """The JSON object in the body. Raises 415, BadRequest, InvalidSyntaxException."""
        sent = (self.request.header(b"content-type") or "").partition(";")[0].strip().lower()
        if sent not in _TYPES:
            raise problem(415, "not-supported", "Send application/scim+json.")
        try:
            return _OBJECT.validate_json(await self.request.body(LARGEST_BODY))
        except ValidationError:
            raise InvalidSyntaxException(detail="The body must be a JSON object.") from None

    def parameters(self, names: tuple[str, ...] = ("attributes", "excludedAttributes")) -> dict[str, str]:
        """Those of the query's parameters that mean something here. Raises BadRequest."""
        return {name: value for name, value in self.request.pairs() if name in names}

    def selected(self, model: type[ResponseParameters[Any]]) -> ResponseParameters[Any]:
        """Which attributes to answer with. Raises ValidationError."""
        return model.model_validate(self.parameters(), scim_policy=POLICY)

    async def _record(self, reason: str, *prepared: Prepared[Any]) -> None:
        decision = together(self.decisions)
        await self.passage.record(Action.ACCOUNT_PROVISION, "permitted", *prepared, decision=decision, query=reason)


async def ask(passage: Passage) -> Asked:
    """Who asks, and whether they may. Raises 401, 403; both are recorded."""
    await passage.authenticate(Action.ACCOUNT_PROVISION)
    decision = await passage.demand(Action.ACCOUNT_PROVISION, Target())
    services = passage.services
    provisioning = Provisioning(services.database, services.accounts, services.leaving)
    base_url = services.fhir_url.removesuffix("/fhir") + "/scim/v2"
    return Asked(passage, provisioning, base_url, [decision])
