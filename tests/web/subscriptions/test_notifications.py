"""The shape of notifications: valid R4, and as the R5 Backport's profiles say."""

import json
from typing import Any, get_args

import pytest

from carekeep.fhir import validate
from carekeep.records import Stored
from carekeep.web.subscriptions.notifications import Event, NoticeType, Standing, notification
from carekeep.web.subscriptions.orders import Content

URL = "https://records.example.org/fhir"
TOPIC = "https://carekeep.example/fhir/SubscriptionTopic/observation-changed"
STANDING = Standing("Subscription/s", TOPIC, "active", 7, "an error of ours")
BODY = b'{"resourceType":"Basic","id":"b","code":{"text":"x"}}'


def stored(version: int, *, deleted: bool = False) -> Stored:
    return Stored("Basic", "b", version, 1_793_880_000_000, deleted, ("p",), (), 1, b"" if deleted else BODY)


EVENTS = [Event(4, 0, stored(1)), Event(5, 0, stored(2)), Event(6, 0, stored(3, deleted=True)), Event(7, 0, None)]


def made(kind: NoticeType, content: Content, events: list[Event]) -> dict[str, Any]:
    uuids = ("5a3c6fd2-7d1c-4ef0-8d57-1f2a3b4c5d6e", "6a3c6fd2-7d1c-4ef0-8d57-1f2a3b4c5d6e")
    body = notification(kind, STANDING, events, content, fhir_url=URL, now_ms=1_793_880_000_000, uuids=uuids)
    parsed: dict[str, Any] = json.loads(body)
    return parsed


@pytest.mark.parametrize("content", get_args(Content))
@pytest.mark.parametrize("kind", get_args(NoticeType))
def test_every_notification_is_valid(kind: NoticeType, content: Content) -> None:
    bundle = made(kind, content, EVENTS if "event" in kind else [])
    assert [issue for issue in validate(bundle) if issue.severity in {"error", "fatal"}] == []
    assert bundle["type"] == "history"
    assert bundle["entry"][0]["resource"]["resourceType"] == "Parameters"
    assert all({"request", "response"} <= entry.keys() for entry in bundle["entry"])  # bdl-3, bdl-4


@pytest.mark.parametrize(
    ("content", "entries", "bodies", "focuses"), [("empty", 1, 0, 0), ("id-only", 4, 0, 3), ("full-resource", 4, 2, 3)]
)
def test_how_much_is_told(content: Content, entries: int, bodies: int, focuses: int) -> None:
    bundle = made("event-notification", content, EVENTS)
    assert len(bundle["entry"]) == entries
    assert sum("resource" in entry for entry in bundle["entry"][1:]) == bodies
    parts = [part for row in bundle["entry"][0]["resource"]["parameter"] for part in row.get("part", ())]
    assert sum(part["name"] == "focus" for part in parts) == focuses
    assert [part["valueString"] for part in parts if part["name"] == "event-number"] == ["4", "5", "6", "7"]
    assert (TOPIC in json.dumps(bundle)) == (content != "empty")


def test_what_was_done_to_the_record() -> None:
    methods = [entry["request"]["method"] for entry in made("event-notification", "id-only", EVENTS)["entry"][1:]]
    assert methods == ["POST", "PUT", "DELETE"]
