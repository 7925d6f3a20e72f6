"""Notifications over rest-hook, from the write to the receiver, and what must never be told."""

import asyncio
import socket
from dataclasses import replace
from typing import Any

import pytest

from carekeep.access import Purpose
from carekeep.cli.integrity import checks
from carekeep.storage import Change, Finding
from carekeep.web import NotificationEngine
from tests.web.clinic import Answer, Clinic, care_team, observation, on_sqlite
from tests.web.subscriptions.receiver import Received, event_numbers, status_value
from tests.web.subscriptions.ward import TOPIC, Ward, subscription

Json = dict[str, Any]


async def write(ward: Ward, id_: str, patient: str = "ada", value: float = 60) -> Answer:
    answer = await ward.clinic.put(observation(id_, patient, value, "2026-05-01"))
    assert answer.status in {200, 201}, answer.body
    return answer


async def entries_of(ward: Ward, action: str) -> list[Any]:
    await ward.clinic.integrate()
    ledger = ward.clinic.system.services.ledger
    opened = [ledger.open(sealed.leaf)[0] async for sealed in ledger.entries()]
    return [entry for entry in opened if entry.action == action]


async def test_a_subscription_begins_with_a_handshake_and_tells_of_a_write(ward: Ward) -> None:
    id_ = await ward.subscribe()
    assert [each.kind for each in ward.receiver.received] == ["handshake"]
    assert status_value(ward.receiver.received[0].bundle, "status") == "requested"
    assert await ward.status(id_) == "active"
    await write(ward, "new")
    await ward.settle()
    (told,) = ward.receiver.of("event-notification")
    status, focus = told.bundle["entry"]
    assert status["resource"]["resourceType"] == "Parameters"
    assert status["request"]["url"] == f"Subscription/{id_}/$status"
    assert (told.numbers, status_value(told.bundle, "events-since-subscription-start")) == ([1], "1")
    assert focus["fullUrl"] == "https://records.example.org/fhir/Observation/new"
    assert focus["request"] == {"method": "POST", "url": "Observation"}
    assert "resource" not in focus
    assert told.path == "/notify?from=carekeep"


async def test_every_disclosure_has_its_entry_before_it_is_sent(ward: Ward) -> None:
    id_ = await ward.subscribe()
    await write(ward, "new")
    await ward.settle()
    (told,) = ward.receiver.of("event-notification")
    entry = await ward.clinic.entry(told.headers["x-ledger-entry"])
    assert (entry.action, entry.outcome, entry.purpose) == ("fhir:subscription:notify", "permitted", Purpose.TREAT)
    assert entry.agent.account == ward.clinic.accounts["physician"].id.hex()
    assert [(what.reference, what.version) for what in entry.what] == [
        (f"Subscription/{id_}", None),
        ("Observation/new", 1),
    ]
    assert entry.patients == ("ada",)
    assert entry.policies == ("care.read",)


async def test_full_resources_and_deletions(ward: Ward) -> None:
    await ward.subscribe(content="full-resource")
    await write(ward, "new", value=61)
    await ward.clinic.ask("DELETE", "Observation/new")
    await ward.settle()
    bundles = [each.bundle for each in ward.receiver.of("event-notification")]
    focuses = [entry for bundle in bundles for entry in bundle["entry"][1:]]
    assert focuses[0]["resource"]["valueQuantity"]["value"] == 61
    assert (focuses[1]["request"]["method"], "resource" in focuses[1]) == ("DELETE", False)


async def test_an_empty_payload_names_nothing(ward: Ward) -> None:
    await ward.subscribe(content="empty")
    await write(ward, "new")
    await ward.settle()
    (told,) = ward.receiver.of("event-notification")
    assert len(told.bundle["entry"]) == 1
    assert b"Observation" not in told.body
    assert b"SubscriptionTopic" not in told.body
    assert told.numbers == [1]


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        (("Observation?patient=Patient/ada",), True),
        (("patient=Patient/ada", "code=http://loinc.org|8867-4"), True),
        (("code=http://loinc.org|8480-6",), False),
        (("status=final,amended",), True),
        (("status:not=final",), False),
    ],
)
@on_sqlite
async def test_filters(ward: Ward, filters: tuple[str, ...], told: bool) -> None:
    await ward.subscribe(filters=filters)
    await write(ward, "new")
    await ward.settle()
    assert bool(ward.receiver.of("event-notification")) == told
    await ward.clinic.ask("DELETE", "Observation/new")  # filters look at what was deleted
    await ward.settle()
    assert len(ward.receiver.of("event-notification")) == 2 * told


async def test_what_may_not_be_seen_is_neither_told_nor_counted(ward: Ward) -> None:
    await ward.subscribe()
    await write(ward, "first")
    await write(ward, "of-bob", "bob")
    await write(ward, "of-bob", "bob", 61)
    await write(ward, "second")
    await ward.settle()
    numbers = [number for each in ward.receiver.of("event-notification") for number in each.numbers]
    assert numbers == [1, 2]
    assert b"of-bob" not in b"".join(each.body for each in ward.receiver.received)


async def test_who_leaves_the_care_team_hears_no_more(ward: Ward) -> None:
    id_ = await ward.subscribe()
    ward.receiver.answers[:] = [503]
    await write(ward, "before")
    await ward.clinic.integrate()
    await ward.engine.step()
    await ward.engine.settle()  # event 1 is found, permitted, and not taken
    await ward.clinic.put(care_team("ada", status="inactive"))
    await write(ward, "after")
    await ward.settle()
    first, again = ward.receiver.of("event-notification")
    assert (first.numbers, again.numbers) == ([1], [1])  # it happened while it might be told; now it is bare
    assert b"Observation/before" in first.body
    assert b"Observation" not in again.body
    assert b"after" not in b"".join(each.body for each in ward.receiver.received)
    entries = await entries_of(ward, "fhir:subscription:notify")
    assert [entry.outcome for entry in entries] == ["permitted", "permitted", "denied"]
    named = [(entry.recipient or "").startswith("the server localhost") for entry in entries]
    assert named == [True, False, False]  # a disclosure where something was told, and to whom
    events = await ward.clinic.ask("GET", f"Subscription/{id_}/$events", who="physician")
    assert events.status == 200
    assert b"Observation" not in events.body


async def test_a_filter_on_somebody_elses_patient_is_refused(ward: Ward) -> None:
    answer = await ward.ask_for(filters=("patient=Patient/bob",))
    assert answer.status == 403
    assert "no care relationship" in answer.said
    assert answer.entry is not None
    assert (answer.entry.outcome, answer.entry.patients) == ("denied", ("bob",))


async def test_an_account_that_ends_takes_its_subscription_along(ward: Ward) -> None:
    id_ = await ward.subscribe()
    services = ward.clinic.system.services
    disabled = services.accounts.prepare_change(replace(ward.clinic.accounts["physician"], disabled=True))
    await ward.clinic.record("the account was disabled", disabled)
    await write(ward, "new")
    await ward.settle()
    assert ward.receiver.of("event-notification") == []
    record = await ward.clinic.ask("GET", f"Subscription/{id_}")
    assert record.json["status"] == "off"
    assert await services.subscriptions.all() == []


async def test_a_receiver_that_is_down_is_tried_again_then_in_error_and_recovers(ward: Ward) -> None:
    id_ = await ward.subscribe()
    ward.receiver.answers[:] = [503, 500, 503]
    await write(ward, "missed")
    for _ in range(4):
        await ward.settle()
    assert [each.numbers for each in ward.receiver.of("event-notification")] == [[1], [1], [1]]
    record = (await ward.clinic.ask("GET", f"Subscription/{id_}", who="physician")).json
    assert record["status"] == "error"
    assert "503" in record["error"]
    await write(ward, "meanwhile")
    await ward.settle()
    status = (await ward.clinic.ask("GET", f"Subscription/{id_}/$status", who="physician")).json
    assert status_value(status, "status") == "error"
    assert status_value(status, "events-since-subscription-start") == "2"
    missed = await ward.clinic.ask("GET", f"Subscription/{id_}/$events?eventsSinceNumber=1", who="physician")
    assert event_numbers(missed.json) == [1, 2]
    assert missed.entry is not None
    record["status"] = "requested"
    assert (await ward.clinic.ask("PUT", f"Subscription/{id_}", record, who="physician")).status == 200
    await write(ward, "between")
    await ward.settle()
    assert await ward.status(id_) == "active"
    await write(ward, "after")
    await ward.settle()
    assert ward.receiver.received[-1].numbers == [4]
    missed = await ward.clinic.ask("GET", f"Subscription/{id_}/$events?eventsSinceNumber=3", who="physician")
    assert event_numbers(missed.json) == [3, 4]


@pytest.mark.parametrize("status", [404, 301, 302, 307, 308])
@on_sqlite
async def test_a_handshake_that_is_not_taken_is_an_error(ward: Ward, status: int) -> None:
    ward.receiver.answers[:] = [status]
    ward.receiver.location = ward.receiver.url
    id_ = await ward.subscribe()
    assert await ward.status(id_) == "error"
    assert len(ward.receiver.received) == 1  # a redirect is not followed


async def test_deliveries_cause_none(ward: Ward) -> None:
    await ward.subscribe()
    await write(ward, "new")
    for _ in range(3):
        await ward.settle()
    assert len(ward.receiver.received) == 2


async def test_a_transaction_and_its_parts(ward: Ward) -> None:
    await ward.subscribe(channel={"extension": [extension("max-count", valuePositiveInt=2)]})
    entries = [
        {
            "request": {"method": "PUT", "url": f"Observation/t{n}"},
            "resource": observation(f"t{n}", "ada", n, "2026-05-01"),
        }
        for n in range(3)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    assert (await ward.clinic.ask("POST", "", bundle)).status == 200
    await ward.settle()
    assert [each.numbers for each in ward.receiver.of("event-notification")] == [[1, 2], [3]]


def extension(name: str, **value: Any) -> Json:
    return {"url": f"http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-{name}", **value}


async def test_headers_of_the_subscriber_go_along(ward: Ward) -> None:
    await ward.subscribe(channel={"header": ["Authorization: Bearer of-the-receiver"]})
    assert ward.receiver.received[0].headers["authorization"] == "Bearer of-the-receiver"


async def test_switched_off_is_silent(ward: Ward) -> None:
    id_ = await ward.subscribe()
    record = (await ward.clinic.ask("GET", f"Subscription/{id_}", who="physician")).json
    assert (
        await ward.clinic.ask("PUT", f"Subscription/{id_}", {**record, "status": "off"}, who="physician")
    ).status == 200
    other = await ward.subscribe()
    assert (await ward.clinic.ask("DELETE", f"Subscription/{other}", who="physician")).status == 204
    await write(ward, "new")
    await ward.settle()
    assert ward.receiver.of("event-notification") == []


async def test_the_end_of_a_subscription(ward: Ward) -> None:
    id_ = await ward.subscribe(end="2026-11-05T12:30:00Z")
    ward.clinic.time.now_ms += 31 * 60_000
    await ward.settle()
    assert await ward.status(id_) == "off"


async def test_a_subscription_is_its_owners(ward: Ward) -> None:
    id_ = await ward.subscribe()
    for who in ("emergency", "ada"):
        assert (await ward.clinic.ask("GET", f"Subscription/{id_}", who=who)).status == 403
        assert (await ward.clinic.ask("GET", f"Subscription/{id_}/$status", who=who)).status == 403
        assert (await ward.clinic.ask("DELETE", f"Subscription/{id_}", who=who)).status == 403
        found = await ward.clinic.ask("GET", "Subscription?status=active", who=who)
        assert "entry" not in found.json
        everybodys = await ward.clinic.ask("GET", "Subscription/$status", who=who)
        assert (everybodys.json["total"], "entry" in everybodys.json) == (0, False)
    stolen = {**subscription("https://localhost/elsewhere"), "id": id_}
    assert (await ward.clinic.ask("PUT", f"Subscription/{id_}", stolen, who="engine")).status in {403, 422}
    assert (await ward.clinic.ask("GET", f"Subscription/{id_}/$events", who="engine")).status == 403
    own = await ward.clinic.ask("GET", "Subscription/$status?status=active", who="physician")
    assert own.json["total"] == 1


async def test_an_owner_cannot_be_made_up(ward: Ward) -> None:
    label = {"system": "https://carekeep.example/fhir/CodeSystem/owner", "code": ward.clinic.accounts["ada"].id.hex()}
    answer = await ward.ask_for(meta={"security": [label]})
    assert answer.status == 201
    codes = [each["code"] for each in answer.json["meta"]["security"]]
    assert codes == [ward.clinic.accounts["physician"].id.hex()]


@on_sqlite
async def test_twenty_subscriptions_are_enough(ward: Ward) -> None:
    for _ in range(20):
        assert (await ward.ask_for()).status == 201
    refused = await ward.ask_for()
    assert (refused.status, refused.json["issue"][0]["code"]) == (422, "too-costly")
    assert (await ward.ask_for(who="engine")).status == 201


@pytest.mark.parametrize("who", ["administrator", "auditor", "app"])
@on_sqlite
async def test_who_reads_no_records_has_no_subscriptions(ward: Ward, who: str) -> None:
    assert (await ward.ask_for(who=who)).status == 403


async def test_a_patient_hears_of_their_own_chart(ward: Ward) -> None:
    await ward.subscribe(who="ada")
    await write(ward, "new")
    await write(ward, "of-bob", "bob")
    await ward.settle()
    assert [each.numbers for each in ward.receiver.of("event-notification")] == [[1]]


async def test_a_patient_who_is_forgotten_is_not_told_of(ward: Ward, receiver: Any) -> None:
    id_ = await ward.subscribe(who="engine")
    ward.receiver.answers[:] = [503]
    await write(ward, "new")
    await ward.clinic.integrate()
    await ward.engine.step()
    await ward.engine.settle()
    await ward.clinic.record("forgotten", await ward.clinic.system.services.vault.prepare_forget("ada"))
    receiver.received.clear()
    await ward.settle()
    (told,) = ward.receiver.of("event-notification")
    assert told.numbers == [1]
    assert b"Observation/new" not in told.body
    assert await ward.status(id_, who="engine") == "active"


async def test_the_engine_takes_up_where_another_left_off(ward: Ward, clinic: Clinic) -> None:
    """The reading's place is in the database: nothing is told twice, and nothing is passed over."""
    await ward.subscribe()
    await write(ward, "first")
    await ward.settle()
    await write(ward, "second")
    await clinic.integrate()
    other = NotificationEngine(ward.clinic.system.services, trust=ward.receiver.trust, retry_after_s=())
    await replace(ward, engine=other).settle()
    told: list[Received] = ward.receiver.of("event-notification")
    assert [each.numbers for each in told] == [[1], [2]]


async def test_verification_knows_the_rows_of_subscriptions(ward: Ward) -> None:
    kept, other = await ward.subscribe(), await ward.subscribe()
    await ward.clinic.ask("DELETE", f"Subscription/{other}", who="physician")
    await write(ward, "new")
    await ward.settle()
    assert await findings(ward) == []
    rid = ward.clinic.system.keyring.rid("Subscription", kept)
    await ward.clinic.system.database.commit([Change("DELETE FROM subscription WHERE id = $1", [(rid,)])])
    assert [finding.where for finding in await findings(ward)] == [f"subscription {rid.hex()}"]


async def findings(ward: Ward) -> list[Finding]:
    await ward.clinic.integrate()
    steps = [step for check in checks(ward.clinic.system, None) async for step in check.run()]
    return [step for step in steps if isinstance(step, Finding)]


async def test_the_capability_statement_tells_of_it(ward: Ward) -> None:
    rest = (await ward.clinic.ask("GET", "metadata", who=None)).json["rest"][0]
    (resource,) = [each for each in rest["resource"] if each["type"] == "Subscription"]
    assert f"{TOPIC}observation-changed" in [each["valueCanonical"] for each in resource["extension"]]
    assert {"status", "events", "get-ws-binding-token"} <= {each["name"] for each in resource["operation"]}
    assert [each["valueUri"] for each in rest["extension"]] == ["wss://records.example.org/fhir/ws"]


@on_sqlite
async def test_a_heartbeat_when_nothing_happens(ward: Ward) -> None:
    await ward.subscribe(channel={"extension": [extension("heartbeat-period", valueUnsignedInt=10)]})
    await ward.settle()
    assert ward.receiver.of("heartbeat") == []
    for pace in ward.engine._paces.values():  # noqa: SLF001 - instead of waiting for ten seconds
        pace.last_sent -= 10
    await ward.settle()
    (beat,) = ward.receiver.of("heartbeat")
    assert status_value(beat.bundle, "events-since-subscription-start") == "0"
    assert "x-ledger-entry" not in beat.headers


@on_sqlite
async def test_a_name_whose_first_address_does_not_answer(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """As ``localhost`` is on many machines: ``::1`` first, and nobody listens there."""
    loop = asyncio.get_running_loop()
    resolve = loop.getaddrinfo

    async def both(_host: str, port: int, **options: Any) -> list[Any]:
        nobody = (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("::1", port, 0, 0))
        return [nobody, *await resolve("127.0.0.1", port, **options)]

    monkeypatch.setattr(loop, "getaddrinfo", both)
    await ward.subscribe()
    assert [each.kind for each in ward.receiver.received] == ["handshake"]
