"""What a Subscription resource asks for, checked by the rules of the R5 Backport and of this server."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from carekeep.fhir import Issue, Query, QueryError, parse_query
from carekeep.web.http import BadRequest, form_pairs
from carekeep.web.outgoing import AllowedHosts, Endpoint, EndpointRefused
from carekeep.web.outgoing.addresses import HostNotListed
from carekeep.web.problems import Problem
from carekeep.web.subscriptions.topics import TOPICS_BY_URL, Topic

Content = Literal["empty", "id-only", "full-resource"]
Json = dict[str, Any]

JSON_TYPE = "application/fhir+json"
PROFILE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
_MOST_FILTERS = 10
_MOST_HEADERS = 10
_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}):[ \t]*([\x21-\x7e](?:[\x20-\x7e]{0,1022}[\x21-\x7e])?)?")
# What says how the message is framed, or who signed it, is ours to say.
_OURS = re.compile(
    r"(?i)host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|content-.*|signature.*|x-request-id|"
    r"x-ledger-entry|proxy-.*"
)
SHORTEST_HEARTBEAT_S, LONGEST_HEARTBEAT_S = 10, 86_400
_LONGEST_TIMEOUT_S, _USUAL_TIMEOUT_S = 30, 10
_MOST_EVENTS, _USUAL_EVENTS = 50, 10


@dataclass(frozen=True, slots=True)
class Order:
    """A Subscription that can be served.

    ``endpoint`` is None for a websocket. ``headers`` may hold a secret of the receiver. ``heartbeat_s`` is 0 for none;
    ``end_ms`` is milliseconds since 1970 (UTC), or None.
    """

    topic: Topic
    filters: tuple[Query, ...] = field(repr=False)
    endpoint: Endpoint | None = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    content: Content
    heartbeat_s: int
    timeout_s: int
    max_count: int
    end_ms: int | None

    def wants(self, resource: Json) -> bool:
        """Whether a record of the topic's type passes every filter."""
        return resource.get("resourceType") == self.topic.type and all(each.matches(resource) for each in self.filters)

    @property
    def patients(self) -> frozenset[str] | None:
        """The patients that the filters name; None when they name none."""
        named = [frozenset(c.patients) for each in self.filters for c in each.clauses if c.patients is not None]
        return frozenset.intersection(*named) if named else None


class _Refused(Exception):
    """One thing that is wrong, with its place below ``Subscription``."""

    def __init__(self, at: str, says: str, code: str = "business-rule") -> None:
        super().__init__(says)
        self.issue = Issue("error", code, f"Subscription.{at}", says)


def read_order(resource: Json, hosts: AllowedHosts) -> Order:
    """What a valid R4 Subscription asks for. Raises Problem (422) with what this server does not do, and why."""
    try:
        topic = _topic(resource)
        channel = resource["channel"]
        endpoint = _endpoint(channel, hosts)
        return Order(
            topic=topic,
            filters=tuple(_filter(topic, text) for text in _filter_texts(resource)),
            endpoint=endpoint,
            headers=_headers(channel, endpoint),
            content=_content(channel),
            heartbeat_s=_number(channel, "heartbeat-period", "valueUnsignedInt", 0, (0, LONGEST_HEARTBEAT_S)),
            timeout_s=_number(channel, "timeout", "valueUnsignedInt", _USUAL_TIMEOUT_S, (1, _LONGEST_TIMEOUT_S)),
            max_count=_number(channel, "max-count", "valuePositiveInt", _USUAL_EVENTS, (1, _MOST_EVENTS)),
            end_ms=_end(resource),
        )
    except _Refused as refused:
        raise Problem(422, refused.issue) from None


def _topic(resource: Json) -> Topic:
    topic = TOPICS_BY_URL.get(resource["criteria"])
    if topic is None:
        raise _Refused(
            "criteria",
            "criteria must be the canonical URL of a topic of this server; the CapabilityStatement lists them. "
            "Search criteria of R4's own subscriptions are not supported.",
            "not-supported",
        )
    return topic


def _filter_texts(resource: Json) -> list[str]:
    texts = [each.get("valueString") for each in _extensions(resource.get("_criteria"), "filter-criteria")]
    if len(texts) > _MOST_FILTERS or not all(isinstance(text, str) for text in texts):
        raise _Refused(
            "criteria.extension", f"At most {_MOST_FILTERS} filter-criteria, each a valueString.", "too-costly"
        )
    return [str(text) for text in texts]


def _filter(topic: Topic, text: str) -> Query:
    """``Type?name=value&…``, or the part behind the question mark."""
    head, found, tail = text.partition("?")
    if found and head != topic.type:
        raise _Refused("criteria.extension", f"This topic is about {topic.type}; filter on that type.")
    try:
        pairs = form_pairs(tail if found else text)
        if not pairs or any(name.partition(":")[0] not in topic.filters for name, _ in pairs):
            raise _Refused(
                "criteria.extension", f"This topic is filtered by {', '.join(topic.filters)}.", "not-supported"
            )
        query = parse_query(topic.type, pairs, lenient=False)
    except BadRequest as error:
        raise _Refused("criteria.extension", str(error), "value") from None
    except QueryError as error:
        raise _Refused("criteria.extension", error.issues[0].diagnostics, error.issues[0].code) from None
    if query.links or query.code_sets:
        raise _Refused("criteria.extension", "A filter looks at the changed record alone.", "not-supported")
    return query


def _endpoint(channel: Json, hosts: AllowedHosts) -> Endpoint | None:
    kind = channel["type"]
    if any(_extensions(channel.get("_type"), "channel-type")) or kind not in {"rest-hook", "websocket"}:
        raise _Refused("channel.type", "The channels here are rest-hook and websocket.", "not-supported")
    url = channel.get("endpoint")
    if kind == "websocket":
        if url is not None:
            raise _Refused("channel.endpoint", "A websocket has no endpoint: you connect to this server.")
        return None
    if url is None:
        raise _Refused("channel.endpoint", "A rest-hook needs an endpoint.", "required")
    try:
        return hosts.endpoint(url)
    except HostNotListed as refused:
        how = "An administrator can add it to the setting subscription_hosts."
        raise _Refused("channel.endpoint", f"{refused} {how}") from None
    except EndpointRefused as refused:
        raise _Refused("channel.endpoint", str(refused)) from None


def _headers(channel: Json, endpoint: Endpoint | None) -> tuple[tuple[str, str], ...]:
    lines = channel.get("header", [])
    if lines and endpoint is None:
        raise _Refused("channel.header", "Headers are for rest-hooks.")
    read = [_HEADER.fullmatch(line) for line in lines if isinstance(line, str)]
    if len(lines) > _MOST_HEADERS or len(read) != len(lines) or None in read:
        raise _Refused(
            "channel.header", f"At most {_MOST_HEADERS} headers, each 'Name: value' in plain ASCII.", "value"
        )
    headers = tuple((found[1], found[2] or "") for found in read if found is not None)
    if any(_OURS.fullmatch(name) for name, _ in headers):
        raise _Refused("channel.header", "Headers of framing and of signatures are the server's own.")
    return headers


def _content(channel: Json) -> Content:
    if channel.get("payload", "").replace(" ", "") not in {JSON_TYPE, "application/json"}:
        raise _Refused("channel.payload", f"payload must be {JSON_TYPE}.", "not-supported")
    codes = [each.get("valueCode") for each in _extensions(channel.get("_payload"), "payload-content")]
    for content in ("empty", "id-only", "full-resource"):
        if codes == [content]:
            return content
    says = f"payload needs one extension {PROFILE}backport-payload-content: empty, id-only or full-resource."
    raise _Refused("channel.payload.extension", says, "required")


def _number(channel: Json, name: str, key: str, usual: int, bounds: tuple[int, int]) -> int:
    given = [each.get(key) for each in _extensions(channel, name)]
    if not given:
        return usual
    (least, most) = bounds
    value = given[0]
    if len(given) > 1 or type(value) is not int or not least <= value <= most:
        raise _Refused("channel.extension", f"backport-{name} is one {key} between {least} and {most}.", "value")
    if name == "heartbeat-period" and 0 < value < SHORTEST_HEARTBEAT_S:
        raise _Refused("channel.extension", f"backport-{name} is at least {SHORTEST_HEARTBEAT_S} seconds.", "value")
    return value


def _end(resource: Json) -> int | None:
    end = resource.get("end")
    return None if end is None else int(datetime.fromisoformat(end).timestamp() * 1000)


def _extensions(element: Any, name: str) -> Iterator[Json]:
    """The Backport's extensions of a name in an element (or in the shadow of a primitive)."""
    url = f"{PROFILE}backport-{name}"
    for each in element.get("extension", ()) if isinstance(element, dict) else ():
        if each.get("url") == url:
            yield each
