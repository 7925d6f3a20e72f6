"""A clinic that sends notifications: its engine, stepped by the test, and a receiver."""

from dataclasses import dataclass, replace
from typing import Any

import httpx

from carekeep.web import NotificationEngine, WebApplication
from carekeep.web.outgoing import AllowedHosts
from tests.web.clinic import Answer, Clinic
from tests.web.subscriptions.receiver import Receiver

Json = dict[str, Any]
PROFILE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
TOPIC = "https://carekeep.example/fhir/SubscriptionTopic/"


@dataclass(frozen=True, slots=True)
class Ward:
    clinic: Clinic
    engine: NotificationEngine
    receiver: Receiver

    async def settle(self) -> None:
        """Everything that is due happens."""
        for _ in range(2):  # an event that is found is told in the next step at the latest
            await self.clinic.integrate()
            while await self.engine.step():
                pass
            await self.engine.settle()

    async def subscribe(self, *, who: str = "physician", **changes: Any) -> str:
        """A subscription that has begun. Returns its id."""
        answer = await self.ask_for(who=who, **changes)
        assert answer.status == 201, answer.body
        assert answer.json["status"] == "requested"
        await self.settle()
        return str(answer.json["id"])

    async def ask_for(self, *, who: str = "physician", **changes: Any) -> Answer:
        return await self.clinic.ask("POST", "Subscription", subscription(self.receiver.url, **changes), who=who)

    async def status(self, id_: str, *, who: str = "physician") -> str:
        answer = await self.clinic.ask("GET", f"Subscription/{id_}", who=who)
        return str(answer.json["status"])


def ward_of(clinic: Clinic, receiver: Receiver, client: httpx.AsyncClient, *, retries: int = 2) -> Ward:
    services = clinic.system.services
    application = WebApplication(services)
    engine = NotificationEngine(services, trust=receiver.trust, retry_after_s=(0.0,) * retries)
    return Ward(replace(clinic, application=application, client=client), engine, receiver)


def with_hosts(clinic: Clinic, hosts: str) -> Clinic:
    """The same clinic, which may notify these hosts."""
    services = replace(clinic.system.services, notifiable=AllowedHosts.parse(hosts))
    return replace(clinic, system=replace(clinic.system, services=services))


def subscription(
    url: str | None,
    *,
    topic: str = "observation-changed",
    filters: tuple[str, ...] = (),
    content: str = "id-only",
    channel: Json | None = None,
    **changes: Any,
) -> Json:
    """A Subscription for a rest-hook, or, without a URL, for a websocket."""
    given: Json = {
        "type": "websocket" if url is None else "rest-hook",
        "payload": "application/fhir+json",
        "_payload": {"extension": [{"url": f"{PROFILE}backport-payload-content", "valueCode": content}]},
        **({} if url is None else {"endpoint": url}),
        **(channel or {}),
    }
    resource: Json = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "to keep the ward's board up to date",
        "criteria": topic if ":" in topic else TOPIC + topic,
        "channel": given,
        **changes,
    }
    if filters:
        extensions = [{"url": f"{PROFILE}backport-filter-criteria", "valueString": each} for each in filters]
        resource["_criteria"] = {"extension": extensions}
    return resource
