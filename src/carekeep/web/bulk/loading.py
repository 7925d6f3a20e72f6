"""Resources from outside on their way into the vault: checked, decided, drafted, batch by batch.

Loading is by content: what is there already, equal but for what the server writes itself, is left alone. So an import
that was interrupted, or is run twice, makes no second version of anything.
"""

import hashlib
import uuid
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from carekeep.access import Action, Decision, Target
from carekeep.encryption import KeyDestroyed
from carekeep.fhir import RESOURCE_TYPES, Issue, dump_json, relative_references, validate
from carekeep.records import Draft, Forgotten, NotFound, Stored
from carekeep.storage import Prepared, bump
from carekeep.web.labelling import Labels
from carekeep.web.passage import target_of
from carekeep.web.profiles import Profiles
from carekeep.web.services import Services
from carekeep.web.writable import UNWRITABLE, target_of_resource, topics_of, unenforceable

Loadable = dict[str, Any] | tuple[Issue, ...]
"""A resource, or what is wrong where one should be."""

Judge = Callable[[Action, Target], Awaitable[Decision]]
_OURS = frozenset({"versionId", "lastUpdated"})
_CONTEXT = Issue(
    "error", "not-supported", "Binary.securityContext", "Write it through the REST interface: whose it is is looked up."
)
_FORGOTTEN = Issue("error", "deleted", "", "The record belongs to a patient who has been forgotten.")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One resource that was not taken: where it stands in its source, and why."""

    where: str
    type: str
    issues: tuple[Issue, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Some resources, drafted. Commit ``prepared`` with an entry that names ``stored``; a conflict: draft anew.

    ``skipped`` counts what is there already, and what is given again later in the same batch. ``topics`` are the
    generations that are bumped: tell them, after the commit, to this process too.
    """

    prepared: tuple[Prepared[Any], ...]
    stored: tuple[Stored, ...]
    refusals: tuple[Refusal, ...]
    skipped: int
    topics: tuple[str, ...]


async def draft_batch(
    services: Services, resources: Iterable[tuple[str, Loadable]], judge: Judge | None, source: str | None = None
) -> Batch:
    """Draft ``(where, resource)`` pairs.

    ``judge`` decides on each for whoever asked; without one, an operator at the machine loads what validates.
    ``source`` becomes ``meta.source`` of what has none. Raises StorageError, Tampered.
    """
    resources = list(resources)
    own = {f"{given.get('resourceType')}/{given.get('id')}": given for _, given in resources if isinstance(given, dict)}
    loading = _Loading(services, judge, source, own)
    wanted: dict[tuple[str, str], tuple[str, dict[str, Any]]] = {}
    count = 0
    for where, given in resources:
        count += 1
        resource = await loading.accepted(where, given)
        if resource is not None:
            wanted[resource["resourceType"], resource["id"]] = (where, resource)
    for where, resource in wanted.values():
        await loading.draft(where, resource)
    stored = tuple(loading.drafted.stored)
    topics = tuple(topics_of(each.type for each in stored))
    bumped: Prepared[Any] = Prepared(None, tuple(map(bump, topics)))
    skipped = count - len(stored) - len(loading.refusals)
    return Batch((loading.drafted.prepared(), bumped), stored, tuple(loading.refusals), skipped, topics)


class _Loading:
    def __init__(
        self, services: Services, judge: Judge | None, source: str | None, own: dict[str, dict[str, Any]]
    ) -> None:
        self._vault = services.vault
        self._profiles = services.profiles
        self._fhir_url = services.fhir_url
        self._judge = judge
        self._source = source
        self._labels = Labels(services.labelling, services.vault, self._may_read, own.items())
        self.drafted: Draft = services.vault.draft()
        self.refusals: list[Refusal] = []

    async def accepted(self, where: str, given: Loadable) -> dict[str, Any] | None:
        """The resource with its id, if it is a valid one that is not there yet."""
        if isinstance(given, tuple):
            self.refusals.append(Refusal(where, "?", given))
            return None
        given = relative_references(given, self._fhir_url)
        if "id" not in given:
            given["id"] = _name_of(where, given)
        meta = given.get("meta", {})
        if self._source is not None and isinstance(meta, dict):
            given["meta"] = {"source": self._source, **meta}
        given = await self._labels.apply(given)
        if await self._is_there(given):
            return None
        issues = _faults(given, self._profiles) or unenforceable(given) or await self._profiles.breaches(given)
        if issues:
            self._refuse(where, given, *issues)
            return None
        return given

    async def _is_there(self, resource: dict[str, Any]) -> bool:
        """Whether an equal record is there, and may be written: then it was valid, and need not be checked again."""
        type_, id_ = resource.get("resourceType"), resource["id"]
        if not isinstance(type_, str) or type_ not in RESOURCE_TYPES or not isinstance(id_, str):
            return False
        try:
            current = await self._vault.read(type_, id_)
        except (NotFound, Forgotten):
            return False
        if current.deleted or not same_content(current.resource, resource):
            return False
        return self._judge is None or (await self._judge(Action.UPDATE, target_of(current))).permitted

    async def draft(self, where: str, resource: dict[str, Any]) -> None:
        """A first version under the resource's own id, or a next version of what has it."""
        target = target_of_resource(resource)
        try:
            try:
                current, place = await self._vault.locate(resource["resourceType"], resource["id"])
            except NotFound:
                if await self._permitted(where, resource, Action.CREATE, target):
                    await self.drafted.create(resource, resource["id"])
                return
            if not await self._permitted(where, resource, Action.UPDATE, target_of(current), target):
                return
            await self.drafted.update(resource, current, place)
        except (Forgotten, KeyDestroyed):
            self._refuse(where, resource, _FORGOTTEN)

    async def _may_read(self, stored: Stored) -> bool:
        return self._judge is None or (await self._judge(Action.READ, target_of(stored))).permitted

    async def _permitted(self, where: str, resource: dict[str, Any], action: Action, *targets: Target) -> bool:
        if self._judge is None:
            return True
        for target in targets:
            decision = await self._judge(action, target)
            if not decision.permitted:
                return self._refuse(where, resource, Issue("error", "forbidden", "", decision.reason))
        return True

    def _refuse(self, where: str, resource: dict[str, Any], *issues: Issue) -> bool:
        type_ = resource.get("resourceType")
        known = isinstance(type_, str) and type_ in RESOURCE_TYPES  # what is no type may be anything
        self.refusals.append(Refusal(where, str(type_) if known else "?", issues))
        return False


def _faults(resource: dict[str, Any], profiles: Profiles) -> list[Issue]:
    type_ = resource.get("resourceType")
    if isinstance(type_, str) and type_ in UNWRITABLE:
        return [Issue("error", "not-supported", type_, UNWRITABLE[type_])]
    context = resource.get("securityContext") if type_ == "Binary" else None
    if isinstance(context, dict) and not str(context.get("reference", "")).startswith("Patient/"):
        return [_CONTEXT]
    lenient = profiles.strictness.is_lenient(str(type_))
    return [issue for issue in validate(resource, lenient=lenient) if issue.severity in {"error", "fatal"}]


def _name_of(where: str, resource: dict[str, Any]) -> str:
    """An id for a resource without one: always the same for the same content at the same place."""
    digest = hashlib.sha256(where.encode() + b"\0" + dump_json(resource)).hexdigest()
    return str(uuid.uuid5(uuid.NAMESPACE_OID, digest))


def same_content(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two resources are equal but for the version and time that the server gives; 1.10 is not 1.1."""
    return _same(_without_ours(one), _without_ours(other))


def _without_ours(resource: dict[str, Any]) -> dict[str, Any]:
    meta = resource.get("meta", {})
    if not isinstance(meta, dict):
        return resource
    meta = {name: value for name, value in meta.items() if name not in _OURS}
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return {**rest, "meta": meta} if meta else rest


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(_same(value, other[name]) for name, value in one.items())
        )
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(_same, one, other))
    # As written: numbers keep their precision, and true is not 1.
    return bool(one == other) and repr(one) == repr(other)
