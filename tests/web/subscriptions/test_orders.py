"""What a Subscription may ask for."""

from typing import Any

import pytest

from carekeep.fhir import search_parameters, validate
from carekeep.web.outgoing import AllowedHosts
from carekeep.web.problems import Problem
from carekeep.web.subscriptions.orders import PROFILE, read_order
from carekeep.web.subscriptions.topics import TOPICS
from tests.web.subscriptions.ward import subscription

Json = dict[str, Any]
HOSTS = AllowedHosts.parse("hooks.example.org")
URL = "https://hooks.example.org/in"


def extended(name: str, **value: Any) -> Json:
    return {"extension": [{"url": f"{PROFILE}backport-{name}", **value}]}


def test_an_order_is_read() -> None:
    channel = {
        "header": ["X-Key: a b", "X-Empty:"],
        "extension": [
            *extended("heartbeat-period", valueUnsignedInt=60)["extension"],
            *extended("timeout", valueUnsignedInt=5)["extension"],
            *extended("max-count", valuePositiveInt=3)["extension"],
        ],
    }
    asked = subscription(
        URL,
        filters=("Observation?patient=Patient/a&code=x", "status=final"),
        channel=channel,
        end="2027-01-01T00:00:00Z",
    )
    assert validate(asked) == ()
    order = read_order(asked, HOSTS)
    assert (order.topic.name, order.content, len(order.filters)) == ("observation-changed", "id-only", 2)
    assert (order.heartbeat_s, order.timeout_s, order.max_count, order.end_ms) == (60, 5, 3, 1_798_761_600_000)
    assert order.headers == (("X-Key", "a b"), ("X-Empty", ""))
    assert order.patients == frozenset({"a"})
    assert order.endpoint is not None
    assert (order.endpoint.uri, order.endpoint.authority) == (URL, "hooks.example.org")
    assert "a b" not in repr(order)


def test_usual_values() -> None:
    order = read_order(subscription(None), HOSTS)
    assert (order.endpoint, order.heartbeat_s, order.timeout_s, order.max_count) == (None, 0, 10, 10)
    assert (order.end_ms, order.patients, order.headers) == (None, None, ())


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_every_filter_of_a_topic_exists(topic: Any) -> None:
    known = search_parameters(topic.type)
    assert [code for code in topic.filters if code not in known] == []


REFUSED: list[tuple[Json, str]] = [
    ({"topic": "Observation?code=x"}, "criteria"),
    ({"topic": "https://carekeep.example/fhir/SubscriptionTopic/nothing"}, "criteria"),
    ({"filters": ("Condition?patient=Patient/a",)}, "criteria.extension"),
    ({"filters": ("subject=Patient/a",)}, "criteria.extension"),
    ({"filters": ("patient.name=x",)}, "criteria.extension"),
    ({"filters": ("_has:Observation:patient:code=x",)}, "criteria.extension"),
    ({"filters": ("_sort=date",)}, "criteria.extension"),
    ({"filters": ("code:in=http://example.org/vs",)}, "criteria.extension"),
    ({"filters": ("",)}, "criteria.extension"),
    ({"filters": ("%ff=x",)}, "criteria.extension"),
    ({"filters": ("status=final",) * 11}, "criteria.extension"),
    ({"channel": {"type": "email"}}, "channel.type"),
    ({"channel": {"type": "message"}}, "channel.type"),
    ({"channel": {"type": "websocket"}}, "channel.endpoint"),
    ({"channel": {"_type": extended("channel-type", valueCoding={"code": "zulip"})}}, "channel.type"),
    ({"channel": {"endpoint": "http://hooks.example.org/in"}}, "channel.endpoint"),
    ({"channel": {"endpoint": None}}, "channel.endpoint"),
    ({"channel": {"payload": "application/fhir+xml"}}, "channel.payload"),
    ({"channel": {"_payload": {}}}, "channel.payload.extension"),
    ({"content": "everything"}, "channel.payload.extension"),
    ({"channel": {"header": ["Host: inside"]}}, "channel.header"),
    ({"channel": {"header": ["content-length: 0"]}}, "channel.header"),
    ({"channel": {"header": ["Signature: x"]}}, "channel.header"),
    ({"channel": {"header": ["X-Key: a\r\nX-Other: b"]}}, "channel.header"),
    ({"channel": {"header": ["X-Key: caf\u00e9"]}}, "channel.header"),
    ({"channel": {"header": ["no colon"]}}, "channel.header"),
    ({"channel": {"header": ["X-Key: a"] * 11}}, "channel.header"),
    ({"channel": extended("heartbeat-period", valueUnsignedInt=5)}, "channel.extension"),
    ({"channel": extended("heartbeat-period", valueUnsignedInt=86_401)}, "channel.extension"),
    ({"channel": extended("timeout", valueUnsignedInt=0)}, "channel.extension"),
    ({"channel": extended("timeout", valueUnsignedInt=31)}, "channel.extension"),
    ({"channel": extended("max-count", valuePositiveInt=51)}, "channel.extension"),
    ({"channel": extended("max-count", valueString="3")}, "channel.extension"),
]


@pytest.mark.parametrize(("changes", "at"), REFUSED, ids=str)
def test_what_is_not_served_is_refused_with_its_place(changes: Json, at: str) -> None:
    asked = subscription(URL, **changes)
    if asked["channel"].get("endpoint", "") is None:
        del asked["channel"]["endpoint"]
    with pytest.raises(Problem) as refused:
        read_order(asked, HOSTS)
    (issue,) = refused.value.issues
    assert (refused.value.status, issue.expression) == (422, f"Subscription.{at}")
    assert issue.diagnostics
