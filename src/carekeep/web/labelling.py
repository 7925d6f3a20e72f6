"""The labels of what is written: those of the rules, and those of what a record tells of by reference.

A medication request says of a condition only where to read it; who reads the request knows of the condition all the
same. So a record gets the labels that the rules gave to what it names as its reason, its medication, its results. It
gets them only from what its writer may read: else the answer to a write would tell what a hidden record is about, and
who cannot read it cannot write of it either.
"""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

import orjson

from carekeep.access import Action, Target
from carekeep.access.labelling import Coding, Labelling, labels_assigned, notice_for
from carekeep.fhir import labels_of
from carekeep.fhir.documents import Remark, high_water_mark
from carekeep.records import Forgotten, NotFound, Stored, Vault
from carekeep.web.passage import Passage, target_of

Json = dict[str, Any]
MayRead = Callable[[Stored], Awaitable[bool]]
Own = tuple[str, Json]
"""A resource of the unit, and the reference by which it is known ("Type/id")."""


_MOST_REFERENCES = 100  # of one resource; their targets are read
# Elements by which resources of several types tell of others.
_TELLING = (
    ("reasonReference",),
    ("medicationReference",),
    ("result",),
    ("addresses",),
    ("hasMember",),
    ("derivedFrom",),
    ("problem",),
    ("complicationDetail",),
    ("diagnosis", "condition"),
    ("diagnosis", "diagnosisReference"),
    ("finding", "itemReference"),
    ("section", "entry"),
    ("target",),  # of a Provenance
)


class Labels:
    """Labels the resources of one unit of changes, which may refer to each other and to what is stored."""

    __slots__ = ("_labelling", "_may_read", "_own", "_vault")

    def __init__(self, labelling: Labelling, vault: Vault, may_read: MayRead, own: Iterable[Own]) -> None:
        self._labelling = labelling
        self._vault = vault
        self._may_read = may_read
        self._own = dict(own)

    @classmethod
    def of(cls, passage: Passage, own: Iterable[Own]) -> "Labels":
        """For the person of a passage."""

        async def may_read(stored: Stored) -> bool:
            return (await passage.judge(Action.READ, target_of(stored))).permitted

        return cls(passage.services.labelling, passage.services.vault, may_read, own)

    def own(self, reference: str) -> Json | None:
        """The resource of the unit that has a reference ("Type/id"), with its labels."""
        resource = self._own.get(reference)
        return None if resource is None else self._labelling.labelled(resource)

    async def apply(self, resource: Json) -> Json:
        """The resource with the labels that it must have."""
        also: list[Coding] = []
        for reference in _told(resource):
            also += await self._labels_of(reference)
        labelled = self._labelling.labelled(resource, also)
        reference = f"{labelled.get('resourceType')}/{labelled.get('id')}"
        if reference in self._own:
            self._own[reference] = labelled
        return labelled

    async def _labels_of(self, reference: str) -> list[Coding]:
        own = self.own(reference)
        if own is not None:
            return labels_assigned(own)
        type_, _, id_ = reference.partition("/")
        try:
            stored = await self._vault.read(type_, id_)
        except (NotFound, Forgotten):
            return []
        if stored.deleted or not stored.labels or not await self._may_read(stored):
            return []
        return labels_assigned(stored.resource)


def remark_for(resources: Iterable[Json]) -> Remark | None:
    """What a document of these resources must say, if anything: the notice of 42 CFR 2.32."""
    notice = notice_for(resources)
    return None if notice is None else Remark(f"{notice.text} ({notice.law})", notice.labels)


def mark_of(contents: Iterable[Any]) -> list[Json]:
    """The high-water mark of resources that are about to be told, as JSON or as ``orjson.Fragment``."""
    bodies = (orjson.dumps(content) for content in contents)
    return high_water_mark(orjson.loads(body) for body in bodies if b'"security"' in body)


def past_target(passage: Passage, stored: Stored) -> Target:
    """What decisions on a version that may not be the current one depend on.

    With the labels that the rules of today give it: a version from before a rule is as sensitive as the record is now.
    """
    target = target_of(stored)
    if stored.deleted:
        return target
    missing = [
        label
        for label in labels_of({"meta": {"security": passage.services.labelling.assigned(stored.resource)}})
        if label not in stored.labels
    ]
    if not missing:
        return passage.target_of(stored)
    content = passage.target_of(stored).content
    return Target(stored.type, stored.patients, (*stored.labels, *missing), content)


def _told(resource: Json) -> list[str]:
    """References to records of this server ("Type/id") by which a resource tells of them."""
    found: dict[str, None] = {}
    for path in _TELLING:
        if path[0] in resource:
            for reference in _references(resource[path[0]], path[1:]):
                type_, slash, id_ = reference.partition("/_history/")[0].partition("/")
                if slash and id_ and "/" not in id_ and ":" not in type_:
                    found[f"{type_}/{id_}"] = None
            if len(found) >= _MOST_REFERENCES:
                break
    return list(found)[:_MOST_REFERENCES]


def _references(value: Any, path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _references(item, path)
    elif isinstance(value, dict):
        if path:
            yield from _references(value.get(path[0]), path[1:])
        elif isinstance(reference := value.get("reference"), str):
            yield reference
