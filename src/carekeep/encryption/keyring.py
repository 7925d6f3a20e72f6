"""The keyring: every key that one process uses, behind the names of what it is for."""

import os
from collections.abc import AsyncIterator, Callable, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from carekeep.encryption.cipher import KEY_LENGTH, Cipher
from carekeep.encryption.derivation import derive
from carekeep.encryption.errors import EncryptionError, KeyDestroyed, KeyMissing, KeyUnknown, Tampered
from carekeep.encryption.keyservice import KeyService
from carekeep.encryption.rotation import Rotation, RotationProgress, is_retirement, open_retirement, retirement
from carekeep.encryption.scopes import (
    ScopeKeys,
    patient_key_pin,
    remains,
    scope_key,
    system_keys_of,
    unwrap_patient_key,
    unwrap_system_key,
    wrap_patient_key,
    wrap_system_key,
)
from carekeep.encryption.secret import Hidden
from carekeep.encryption.tags import Tagger
from carekeep.storage import Change, Clock, Database, Finding, Insert, Prepared, Row, bump, system_clock

TOPIC = "keys"  # of generations: bumped when a key is destroyed or keys are rotated
_SYSTEM_KEYS = ("shared", "index", "ledger", "rows", "checkpoint")
_CACHED_SCOPES = 20_000
_CACHED_DAYS = 64

_PATIENT_KEYS = "SELECT scope, epoch, wrapped, destroyed_ms FROM patient_key ORDER BY scope"
_SELECT = "SELECT epoch, wrapped, destroyed_ms FROM patient_key WHERE scope = $1"
_DESTROY = """
    UPDATE patient_key SET wrapped = NULL, destroyed_ms = $1 WHERE scope = $2 AND epoch = $3 AND wrapped IS NOT NULL
"""
# A worker that was asleep while its epoch was retired must not add a key that nobody could open. The row that it
# has just added is taken back, which is one row more than expected: a conflict.
_REFUSE_RETIRED = "DELETE FROM patient_key WHERE scope = $1 AND EXISTS (SELECT 1 FROM system_key WHERE name = $2)"


class Keyring(Hidden):
    """See the attributes: ciphers, taggers and keys by what they are for. Made by ``open``; used from one event loop.

    ``shared``: keys of what belongs to no patient (scope 0). ``index``: names of records and scopes, and login tags.
    ``rows``: sealed rows that are not records (accounts, tokens, …). ``links``: what clients carry for us and cannot
    read (pages of a search). ``checkpoint_key``: signs the ledger's tree head, as ``post_quantum_checkpoint_key`` does
    with ML-DSA-44 at a slower beat.
    ``notification_key``: signs what is sent to subscribers. ``nonces``: what the server wants to find in proofs.
    """

    def __init__(
        self,
        database: Database,
        service: KeyService,
        system_keys: Mapping[str, bytes],
        clock: Clock,
        random: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._service = service
        self._clock = clock
        self._random = random
        self._ledger_key = system_keys["ledger"]
        self._ledger_ciphers: dict[int, Cipher] = {}
        self._cached: dict[int, ScopeKeys] = {}  # the least recently used first
        self._doomed: set[int] = set()
        self._generation = 0
        self.shared = ScopeKeys.derived(0, system_keys["shared"], random)
        self.index = Tagger(system_keys["index"])
        self.rows = Cipher(system_keys["rows"], random)
        self.links = Cipher(derive(system_keys["rows"], "links"), random)
        self.nonces = Tagger(derive(system_keys["rows"], "nonces"))
        self.checkpoint_key = Ed25519PrivateKey.from_private_bytes(system_keys["checkpoint"])
        self.post_quantum_checkpoint_key = MLDSA44PrivateKey.from_seed_bytes(
            derive(system_keys["checkpoint"], "checkpoint", "ML-DSA-44")
        )
        self.notification_key = Ed25519PrivateKey.from_private_bytes(derive(system_keys["shared"], "notifications"))

    @classmethod
    async def open(
        cls,
        database: Database,
        key_service: KeyService,
        *,
        create: bool,
        clock: Clock = system_clock,
        random: Callable[[int], bytes] = os.urandom,
    ) -> "Keyring":
        """Opens the system keys of a database; with ``create``, makes those that it does not have.

        ``clock`` gives milliseconds since 1970 (UTC), ``random`` bytes for keys and nonces. Raises EncryptionError
        when the database has no keys, or has keys of another key service.
        """
        wrapped = await system_keys_of(database)
        missing = [name for name in _SYSTEM_KEYS if name not in wrapped]
        if missing and not create:
            raise EncryptionError(f"The database lacks its keys ({', '.join(missing)}). Run `carekeep init` first.")
        if missing:
            # Another process may be doing the same; the first one's keys stand.
            new = [(name, wrap_system_key(key_service, name, random(KEY_LENGTH))) for name in missing]
            await database.commit([Insert("system_key", ("name", "wrapped"), new, ignore_existing=True)])
            wrapped = await system_keys_of(database)
        keys = {name: unwrap_system_key(key_service, name, wrapped[name]) for name in _SYSTEM_KEYS}
        return cls(database, key_service, keys, clock, random)

    def ledger_cipher(self, day: int) -> Cipher:
        """The cipher of the ledger entries of one day, counted from 1970-01-01 (UTC).

        A key of its own for each day keeps every key far below the 2^32 messages that GCM's random nonces allow.
        """
        cipher = self._ledger_ciphers.get(day)
        if cipher is None:
            if len(self._ledger_ciphers) >= _CACHED_DAYS:
                del self._ledger_ciphers[next(iter(self._ledger_ciphers))]
            cipher = self._ledger_ciphers[day] = Cipher(derive(self._ledger_key, "ledger", day), self._random)
        return cipher

    def rid(self, type_: str, id_: str) -> bytes:
        """The name of a record in the database: 16 bytes that tell nothing of its type and id."""
        return self.index.digest("rid", type_, id_)

    def scope_of(self, patient_id: str) -> int:
        """The scope of a patient: 63 bits, not 0, that tell nothing of the id."""
        return int.from_bytes(self.index.digest("scope", patient_id)[:8], "big") >> 1 or 1

    async def scope(self, scope: int) -> ScopeKeys:
        """The keys of a scope, from memory or from the database. Raises KeyUnknown, KeyDestroyed, Tampered."""
        keys = self._cached.pop(scope, None)
        if keys is None:
            if scope == self.shared.scope:
                return self.shared
            return await self._load(scope)
        self._cached[scope] = keys  # now the most recently used
        return keys

    def prepare_scope(self, scope: int) -> Prepared[ScopeKeys]:
        """A new patient's key, to be committed with the first record that it seals.

        A conflict at commit means that the scope has a key by now, or that keys are being rotated: ask for the scope
        again, and prepare anew if it is still unknown.
        """
        self._service.refresh()
        key = self._random(KEY_LENGTH)
        epoch = self._service.epoch
        wrapped = wrap_patient_key(self._service, scope, key)
        steps = (
            Insert("patient_key", ("scope", "epoch", "wrapped"), ((scope, epoch, wrapped),)),
            Change(_REFUSE_RETIRED, ((scope, retirement(epoch)),), expect=0),
        )
        return Prepared(ScopeKeys.derived(scope, key, self._random), steps, (patient_key_pin(scope, wrapped),))

    async def prepare_destroy(self, scope: int) -> Prepared[None]:
        """The destruction of a patient's key: what was sealed with it cannot be read again, by anybody.

        Copies of the key table (backups) hold the key until their epoch ends. Raises KeyUnknown, KeyDestroyed.
        """
        row = await self._database.fetch_one(_SELECT, (scope,))
        epoch, _ = _require_key(scope, row)
        now = self._clock()
        # From here on the key is looked up for each use, so that this process stops with the commit.
        self._doomed.add(scope)
        self._cached.pop(scope, None)
        steps = (Change(_DESTROY, ((now, scope, epoch),), expect=1), bump(TOPIC))
        return Prepared(None, steps, (patient_key_pin(scope, remains(epoch, now)),))

    def has_ended(self, epoch: int) -> bool:
        """Whether an epoch is over, so that copies of the key table from then open nothing any more."""
        self._service.refresh()
        return epoch < self._service.epoch - self._service.retiring

    def rotate(self) -> AsyncIterator[Prepared[RotationProgress]]:
        """New root and epoch keys, and everything moved to them: see ``Rotation.run``."""
        return Rotation(self._database, self._service, self.rows).run()

    def forget_cached(self) -> None:
        """To be called when generation "keys" changes. What the key service changed is noticed at the next use."""
        self._generation += 1
        self._cached.clear()
        self._doomed.clear()

    async def pinned_rows(self) -> AsyncIterator[tuple[str, bytes]]:
        """Every patient key as the ledger pins it: the key of its pin, and the wrapped key or what is left of it."""
        async for batch in self._database.stream(_PATIENT_KEYS):
            for scope, epoch, wrapped, destroyed_ms in batch:
                yield scope_key(scope), remains(epoch, destroyed_ms) if wrapped is None else wrapped

    async def verify(self) -> AsyncIterator[Finding]:
        """Everything that is wrong with the keys in the database."""
        faults = await self._faults_of_system_keys()
        if faults:  # perhaps of a rotation that ended while they were read
            faults = await self._faults_of_system_keys()
        for name, what in faults:
            yield Finding(f"system_key/{name}", what)
        async for batch in self._database.stream(_PATIENT_KEYS):
            self._service.refresh()
            for scope, *rest in batch:
                if self._fault_of_patient_key(scope, tuple(rest)) and (fault := await self._recheck(scope)):
                    yield Finding(f"patient_key/{scope_key(scope)}", fault)

    async def _load(self, scope: int) -> ScopeKeys:
        generation = self._generation
        try:
            key = await self._unwrap(scope)
        except KeyMissing:  # a rotation ended between reading the row and reading the key file
            key = await self._unwrap(scope)
        keys = ScopeKeys.derived(scope, key, self._random)
        if generation == self._generation and scope not in self._doomed:
            if len(self._cached) >= _CACHED_SCOPES:
                del self._cached[next(iter(self._cached))]
            self._cached[scope] = keys
        return keys

    async def _unwrap(self, scope: int) -> bytes:
        epoch, wrapped = _require_key(scope, await self._database.fetch_one(_SELECT, (scope,)))
        self._service.refresh()
        return unwrap_patient_key(self._service, scope, epoch, wrapped)

    async def _faults_of_system_keys(self) -> list[tuple[str, str]]:
        faults = []
        wrapped_keys = await system_keys_of(self._database)
        self._service.refresh()
        retired = self._service.epoch - self._service.retiring  # the mark of the newest of them may be yet to come
        expected = (*_SYSTEM_KEYS, *map(retirement, range(1, retired)))
        faults += [(name, "It is missing.") for name in expected if name not in wrapped_keys]
        for name, wrapped in wrapped_keys.items():
            try:
                if is_retirement(name):
                    open_retirement(self.rows, name, wrapped)
                else:
                    unwrap_system_key(self._service, name, wrapped)
            except (Tampered, KeyMissing) as error:
                faults.append((name, str(error)))
        return faults

    def _fault_of_patient_key(self, scope: int, row: Row) -> str | None:
        epoch, wrapped, destroyed_ms = row
        if (wrapped is None) != (destroyed_ms is not None):
            return "The key is neither there nor properly destroyed."
        if wrapped is None:
            return None
        try:
            unwrap_patient_key(self._service, scope, epoch, wrapped)
        except (Tampered, KeyMissing) as error:
            return str(error)
        return None

    async def _recheck(self, scope: int) -> str | None:
        """What is wrong with the row as it is now: a rotation may have moved it since."""
        row = await self._database.fetch_one(_SELECT, (scope,))
        self._service.refresh()
        return self._fault_of_patient_key(scope, row) if row else None


def _require_key(scope: int, row: Row | None) -> tuple[int, bytes]:
    if row is None:
        raise KeyUnknown(f"There is no key for scope {scope_key(scope)}.")
    epoch, wrapped, destroyed_ms = row
    if wrapped is None:
        raise KeyDestroyed(f"The key of scope {scope_key(scope)} was destroyed.", destroyed_ms or 0)
    return epoch, wrapped
