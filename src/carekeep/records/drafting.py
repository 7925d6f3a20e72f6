"""Changes to records, prepared together: all of a draft is committed, or none of it."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from carekeep.encryption import Keyring, KeyUnknown, ScopeKeys
from carekeep.fhir import dump_json, format_instant, labels_of, patients_of
from carekeep.records.blind_index import Fact, facts_of, tags_of
from carekeep.records.envelope import Place, Stored, seal
from carekeep.storage import Change, Insert, Pin, Prepared, Step

_ADVANCE = "UPDATE record SET version = $1, scope = $2 WHERE seq = $3 AND version = $4"
_TAG = ("scope", "tag", "seq")
UNTAG = "DELETE FROM tag WHERE scope = $1 AND tag = $2 AND seq = $3"


class Draft:
    """Collects creates, updates and deletes; ``prepared()`` gives their steps as one unit.

    A conflict at commit means that another writer was first (or made the same patient's key): prepare anew.
    """

    def __init__(self, keyring: Keyring, now_ms: int, new_seq: Callable[[int], int]) -> None:
        self._keyring = keyring
        self._now_ms = now_ms
        self._new_seq = new_seq
        self._new_keys: dict[int, Prepared[ScopeKeys]] = {}
        self._places: list[tuple[int, bytes, int, int]] = []
        self._versions: list[tuple[int, int, int, int, bytes]] = []
        self._tags: list[tuple[int, int, int]] = []
        self._retags: list[tuple[int, int, int]] = []
        self._advances: list[tuple[int, int, int, int]] = []
        self._untags: list[tuple[int, int, int]] = []
        self._homes: list[tuple[int, int, int]] = []
        self._pins: list[Pin] = []
        self.stored: list[Stored] = []

    async def create(self, resource: dict[str, Any], id_: str, owners: Sequence[str] = ()) -> Stored:
        """A new record's first version. Raises KeyDestroyed when its patient has been forgotten.

        ``owners`` are patients whose record it is although it does not name them: by its security context.
        """
        stored = self._version_of(resource, id_, 1, owners)
        keys = await self._keys_of(stored)
        place = Place(self._keyring.rid(stored.type, id_), keys.scope, stored.written, 1)
        self._places.append((place.seq, place.rid, place.scope, 1))
        tags = tags_of(facts_of(resource, keys.scope), keys, self._keyring)
        self._tags.extend((scope, tag, place.seq) for scope, tag in tags)
        return self._write(stored, place, keys)

    async def update(self, resource: dict[str, Any], current: Stored, at: Place, owners: Sequence[str] = ()) -> Stored:
        """The next version of ``current``, which was read at place ``at``; a deleted record comes back."""
        stored = self._version_of(resource, current.id, current.version + 1, owners)
        keys = await self._keys_of(stored)
        old = frozenset[Fact]() if current.deleted else facts_of(current.resource, at.scope)
        await self._retag(old, facts_of(resource, keys.scope), at, keys)
        return self._advance(stored, at, keys)

    async def delete(self, current: Stored, at: Place) -> Stored:
        """A last version without content. The versions before it stay readable through history."""
        keys = await self._keyring.scope(at.scope)
        stored = replace(
            current,
            version=current.version + 1,
            last_updated_ms=self._now_ms,
            deleted=True,
            written=self._next_number(),
            body=b"",
        )
        await self._retag(facts_of(current.resource, at.scope), frozenset(), at, keys)
        return self._advance(stored, at, keys)

    def prepared(self) -> Prepared[tuple[Stored, ...]]:
        """Everything drafted, as one unit. Statements stand in an order that never meets its own rows."""
        steps: list[Step] = [step for new in self._new_keys.values() for step in new.steps]
        if self._places:
            steps.append(Insert("record", ("seq", "rid", "scope", "version"), self._places))
        if self._advances:
            steps.append(Change(_ADVANCE, self._advances, expect=len(self._advances)))
        if self._homes:
            steps.append(Insert("record_home", ("seq", "until_version", "scope"), self._homes))
        if self._versions:
            steps.append(Insert("record_version", ("scope", "seq", "version", "written", "sealed"), self._versions))
        if self._untags:
            steps.append(Change(UNTAG, self._untags))
        if self._tags:
            # A record number that was given just now has no tags yet: plain rows, which the storage room may put
            # together with those of other units.
            steps.append(Insert("tag", _TAG, sorted(self._tags)))
        if self._retags:
            # What an earlier release found in the old version is not always what this one finds there.
            steps.append(Insert("tag", _TAG, sorted(self._retags), ignore_existing=True))
        key_pins = tuple(pin for new in self._new_keys.values() for pin in new.pins)
        return Prepared(tuple(self.stored), tuple(steps), (*key_pins, *self._pins))

    async def _keys_of(self, stored: Stored) -> ScopeKeys:
        if not stored.patients:
            return self._keyring.shared
        scope = self._keyring.scope_of(stored.patients[0])
        if scope in self._new_keys:
            return self._new_keys[scope].value
        try:
            return await self._keyring.scope(scope)
        except KeyUnknown:
            new = self._keyring.prepare_scope(scope)
            self._new_keys[scope] = new
            return new.value

    def _version_of(self, resource: dict[str, Any], id_: str, version: int, owners: Sequence[str]) -> Stored:
        """The version as it is served: with the id and the meta that the server answers for."""
        meta = {
            **resource.get("meta", {}),
            "versionId": str(version),
            "lastUpdated": format_instant(self._now_ms),
        }
        served = {"resourceType": resource["resourceType"], "id": id_, "meta": meta}
        served.update((name, value) for name, value in resource.items() if name not in served)
        return Stored(
            type=resource["resourceType"],
            id=id_,
            version=version,
            last_updated_ms=self._now_ms,
            deleted=False,
            patients=tuple(dict.fromkeys((*patients_of(served), *owners))),
            labels=labels_of(served),
            written=self._next_number(),
            body=dump_json(served),
        )

    def _advance(self, stored: Stored, at: Place, keys: ScopeKeys) -> Stored:
        self._advances.append((stored.version, keys.scope, at.seq, at.version))
        if keys.scope != at.scope:
            self._homes.append((at.seq, at.version, at.scope))
        return self._write(stored, Place(at.rid, keys.scope, at.seq, stored.version), keys)

    def _write(self, stored: Stored, place: Place, keys: ScopeKeys) -> Stored:
        sealed = seal(stored, place, keys.cipher)
        self._versions.append((place.scope, place.seq, place.version, stored.written, sealed))
        self._pins.append(Pin("record_version", place.pin_key, hashlib.sha256(sealed).digest()))
        self.stored.append(stored)
        return stored

    def _next_number(self) -> int:
        return self._new_seq(self._now_ms)

    async def _retag(self, old: frozenset[Fact], new: frozenset[Fact], at: Place, keys: ScopeKeys) -> None:
        """From what the index says of the record at ``at`` to what it must say when it is sealed under ``keys``."""
        old_keys = await self._keyring.scope(at.scope)
        gone, come = tags_of(old - new, old_keys, self._keyring), tags_of(new - old, keys, self._keyring)
        if gone:
            # The tag of something that is gone may, by collision, be that of something that stays.
            gone -= tags_of(new, keys, self._keyring)
        self._untags.extend((scope, tag, at.seq) for scope, tag in gone)
        self._retags.extend((scope, tag, at.seq) for scope, tag in come)
