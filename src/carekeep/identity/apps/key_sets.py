"""The public keys that an app signs with: a JWK Set (RFC 7517 §5) that it registered, or one that it keeps at a URL.

A set at a URL is kept no longer than the answer allows, and an hour at most; so keys that the app took away stop being
good. A key that is not in it is looked for again, but not within ten seconds: else anybody who knows the id of a client
could have this server ask for keys as often as they send requests.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import orjson

from carekeep.identity.apps.public_keys import KeyRefused, PublicKey, read_public_key
from carekeep.storage import Clock, system_clock

LARGEST = 64 * 1024
_MOST_KEYS = 100
_LONGEST_ID = 256
_CACHED = 512
_SHORTEST_MS, _USUAL_MS, _LONGEST_MS = 10_000, 60_000, 3_600_000
_MAX_AGE = re.compile(r"max-age=\"?([0-9]{1,9})\"?")


class KeysUnavailable(Exception):
    """The keys at a URL were not to be had; the text says why, for the ledger."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A set as it was fetched: at most 64 KiB, and the header ``Cache-Control`` that came with it."""

    body: bytes
    cache_control: str = ""


Fetch = Callable[[str], Awaitable[Fetched]]
"""Fetches what is at a URL, if the settings allow the host. Raises KeysUnavailable."""

Keys = Mapping[str, PublicKey]
"""Keys by their ``kid``."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is known of a URL. ``fault``: why there are no keys."""

    keys: Keys
    fault: str
    asked_ms: int
    until_ms: int


class KeySets:
    """Finds keys by their id. Used from one event loop."""

    def __init__(self, fetch: Fetch, clock: Clock = system_clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._kept: dict[str, _Kept] = {}  # the one that was fetched first, first
        self._turns: dict[str, asyncio.Lock] = {}

    async def find(self, key_id: str, *, keys: str | None, keys_uri: str | None) -> PublicKey:
        """The key with this id, of a registered set or of the one at a URL. Raises KeyRefused, KeysUnavailable."""
        known = read_key_set(keys) if keys is not None else await self._at(keys_uri or "", key_id)
        key = known.get(key_id)
        if key is None:
            raise KeyRefused("no key of the client has this id")
        return key

    async def _at(self, uri: str, key_id: str) -> Keys:
        kept = self._kept.get(uri)
        if kept is None or not self._is_enough(kept, key_id):
            async with self._turns.setdefault(uri, asyncio.Lock()):  # many requests at once ask once
                kept = self._kept.get(uri)
                if kept is None or not self._is_enough(kept, key_id):
                    kept = self._keep(uri, await self._fetched(uri))
            self._turns.pop(uri, None)
        if kept.fault:
            raise KeysUnavailable(kept.fault)
        return kept.keys

    def _is_enough(self, kept: _Kept, key_id: str) -> bool:
        now = self._clock()
        return now < kept.until_ms and (key_id in kept.keys or now < kept.asked_ms + _SHORTEST_MS)

    async def _fetched(self, uri: str) -> _Kept:
        now = self._clock()
        try:
            fetched = await self._fetch(uri)
            keys = read_key_set(fetched.body.decode("utf-8", "replace"))
        except (KeysUnavailable, KeyRefused) as error:
            return _Kept({}, f"the keys could not be fetched: {error}", now, now + _SHORTEST_MS)
        return _Kept(keys, "", now, now + lifetime_ms(fetched.cache_control))

    def _keep(self, uri: str, kept: _Kept) -> _Kept:
        self._kept.pop(uri, None)
        if len(self._kept) >= _CACHED:
            del self._kept[next(iter(self._kept))]
        self._kept[uri] = kept
        return kept


def lifetime_ms(cache_control: str) -> int:
    """How long an answer with this header may be kept: from ten seconds to an hour."""
    directives = [each.strip().lower() for each in cache_control.split(",")]
    if {"no-store", "no-cache"} & set(directives):
        return _SHORTEST_MS
    ages = [int(found[1]) * 1000 for each in directives if (found := _MAX_AGE.fullmatch(each))]
    return min(_LONGEST_MS, max(_SHORTEST_MS, min(ages, default=_USUAL_MS)))


@lru_cache(_CACHED)
def read_key_set(text: str) -> Keys:
    """The keys of a JWK Set that can be used for signatures. Raises KeyRefused for what is no set, or too large.

    Keys of other kinds and uses are passed over (RFC 7517 §5), and so are those with an id that stands twice: which of
    them is meant, nobody could say. Private keys are not: whoever publishes one has none any more.
    """
    if len(text) > LARGEST:
        raise KeyRefused(f"the set is larger than {LARGEST} bytes")
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        found = None
    listed = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(listed, list) or not 0 < len(listed) <= _MOST_KEYS:
        raise KeyRefused(f"it is no set of 1 to {_MOST_KEYS} keys")
    keys: dict[str, PublicKey | None] = {}
    for each in listed:
        id_ = each.get("kid") if isinstance(each, dict) else None
        if not isinstance(id_, str) or not 0 < len(id_) <= _LONGEST_ID:
            continue
        try:
            key = read_public_key(each)
        except KeyRefused:
            key = None
        keys[id_] = None if id_ in keys else key
    return {id_: key for id_, key in keys.items() if key is not None}
