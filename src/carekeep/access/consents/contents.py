"""What consents ask of a record: what it is, when it is from, who wrote it, what it refers to. Pure.

Read from the resource when a consent asks, and not before.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from carekeep.access.decision import Target
from carekeep.access.rights import ANYTHING
from carekeep.access.spans import Span, moment, period
from carekeep.fhir.documents import local_references

Resource = Mapping[str, Any]

# Where the resources of R4 say what they are about: as a code, or by another record that has one.
_CODES: Final = [
    "code",
    "category",
    "type",
    "class",
    "medicationCodeableConcept",
    "vaccineCode",
    "serviceType",
    "serviceCategory",
    "specialty",
    "reasonCode",
    "bodySite",
    "substance",
    "activity",
]
_CODED_ELSEWHERE: Final = ("medicationReference", "itemReference", "focus")
# When the data is from: when it was so, else when it was written down.
_WHEN: Final = [
    "effectiveDateTime",
    "effectivePeriod",
    "effectiveInstant",
    "performedDateTime",
    "performedPeriod",
    "occurrenceDateTime",
    "occurrencePeriod",
    "onsetDateTime",
    "onsetPeriod",
    "collectedDateTime",
    "started",
    "period",
    "start",
    "authoredOn",
    "whenHandedOver",
    "recordedDate",
    "assertedDate",
    "dateAsserted",
    "created",
    "date",
    "dateTime",
    "issued",
    "sent",
    "authored",
    "recorded",
]
_AUTHORS: Final = [
    "author",
    "performer",
    "recorder",
    "asserter",
    "requester",
    "informationSource",
    "sender",
    "enterer",
    "source",
    "participant",
    "agent",
    "dispenser",
    "orderer",
]
_WHO: Final = ("actor", "individual", "who", "member", "onBehalfOf")


class Facts:
    """One record. ``reference``, ``codes`` and ``dated`` are None where nothing of the content is known."""

    def __init__(self, type_: str, labels: tuple[str, ...], resource: Resource | None) -> None:
        self.type = type_
        self.labels = labels
        self._resource = resource

    @classmethod
    def of(cls, target: Target) -> "Facts | None":
        """The facts of a target; None where it stands for many records."""
        if target.content is ANYTHING:
            return None
        return cls(target.type, target.labels, None if target.content is None else target.content.resource)

    @property
    def reference(self) -> str | None:
        """What others refer to it by, "Type/id"; of what is not stored yet, the id may be missing."""
        return None if self._resource is None else f"{self.type}/{self._resource.get('id', '')}"

    @cached_property
    def references(self) -> frozenset[str]:
        """The records that it refers to, wherever it does."""
        return frozenset() if self._resource is None else frozenset(local_references(dict(self._resource)))

    @cached_property
    def authors(self) -> frozenset[str]:
        """Whom it names as its authors, performers and the like."""
        return frozenset() if self._resource is None else frozenset(_authors(self._resource))

    @cached_property
    def codes(self) -> frozenset[str] | None:
        """The "system|code" pairs that say what it is about."""
        return None if self._resource is None else frozenset(_codes(self._resource))

    @property
    def is_coded_elsewhere(self) -> bool:
        """Whether another record says what it is about: which medication, say."""
        return self._resource is not None and any(name in self._resource for name in _CODED_ELSEWHERE)

    @cached_property
    def dated(self) -> Span | None:
        """The time that the data is from, as exactly as it says."""
        return None if self._resource is None else _dated(self._resource)


def _dated(resource: Resource) -> Span | None:
    for name in _WHEN:
        value = resource.get(name)
        span = period(value) if isinstance(value, Mapping) else moment(value)
        if span is not None and span.since < span.until:
            return span
    meta = resource.get("meta")
    return moment(meta.get("lastUpdated")) if isinstance(meta, Mapping) else None


def _codes(resource: Resource) -> Iterator[str]:
    for name in _CODES:
        for concept in _each(resource.get(name)):
            for coding in (concept, *_each(concept.get("coding"))):
                if "code" in coding:
                    yield f"{coding.get('system', '')}|{coding['code']}"


def _authors(resource: Resource) -> Iterator[str]:
    for name in _AUTHORS:
        for author in _each(resource.get(name)):
            for who in (author, *(each for inner in _WHO for each in _each(author.get(inner)))):
                yield from local_references({"reference": who.get("reference")})


def _each(value: object) -> Iterator[Mapping[str, Any]]:
    """The objects of an element that may repeat or not."""
    for item in value if isinstance(value, list) else (value,):
        if isinstance(item, Mapping):
            yield item
