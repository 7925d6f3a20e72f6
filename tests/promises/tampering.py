"""Somebody who can write to the database, and the tables that such a person might like to change."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from carekeep.app import System
from carekeep.audit import LedgerBroken
from carekeep.cli.integrity import checks
from carekeep.storage import Change, Database, Finding, Row, Value

# Every table that says something of the past: its columns, the first ones being its key. All columns are flipped.
PAST: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "system_key": (("name",), ("wrapped",)),
    "patient_key": (("scope",), ("epoch", "wrapped", "destroyed_ms")),
    "record": (("seq",), ("rid", "scope", "version")),
    "record_version": (("scope", "seq", "version"), ("written", "sealed")),
    "record_home": (("seq", "until_version"), ("scope",)),
    "tag": (("scope", "tag", "seq"), ()),
    "account": (("id",), ("login_tag", "revision", "sealed")),
    "access_token": (("hash",), ("account", "expires_ms", "parent", "sealed")),
    "passkey": (("id",), ("account", "revision", "sealed")),
    "browser_session": (("hash",), ("account", "expires_ms", "revision", "sealed")),
    "app_client": (("id",), ("revision", "sealed")),
    "app_grant": (("id",), ("account", "client", "expires_ms", "revision", "sealed")),
    "signing_key": (("id",), ("created_ms", "retired_ms", "sealed")),
    "identity_link": (("tag",), ("account", "sealed")),
    "device": (("id",), ("key_tag", "account", "revision", "sealed")),
    "invitation": (("hash",), ("account", "expires_ms", "sealed")),
    "recovery": (("id",), ("account", "expires_ms", "revision", "sealed")),
    "notice": (("account", "number"), ("sealed",)),
    "policy_bundle": (("number",), ("role", "sealed")),
    "break_glass": (("id",), ("holder", "scope", "expires_ms", "sealed")),
    "legal_hold": (("id",), ("scope", "lifted_ms", "revision", "sealed")),
    "disposal": (("id",), ("scope", "expires_ms", "revision", "sealed", "about")),
    "review": (("id",), ("reviewer", "scope", "due_ms", "closed_ms", "look_ms", "revision", "sealed", "about")),
    "shared_link": (("id",), ("hash", "scope", "expires_ms", "revision", "opened", "wrong", "sealed")),
    "shared_file": (("link", "number"), ("revision", "sealed")),
    "guest": (("id",), ("hash", "scope", "expires_ms", "revision", "wrong", "sealed")),
    "subscription": (("id",), ("account", "revision", "events", "delivered", "sealed")),
    "split_view": (("id",), ("found_ms", "sealed")),
    "ledger_anchor": (("size",), ("anchored_ms", "sealed")),
    "ledger_view": (("tag",), ("place",)),
    "ledger_pending": (("entry_id",), ("leaf",)),
    "ledger_entry": (("leaf_index",), ("entry_id", "leaf")),
    "ledger_tile": (("level", "number"), ("hashes",)),
    "ledger_head": (("id",), ("size", "checkpoint")),
}

# Tables without a past, and why.
NO_PAST: Mapping[str, str] = {
    "attempt": "counts of failed sign-ins; who may write here can let an attacker try more, and changes no account",
    "seen": "what was used once and is over within minutes; who takes a row away can replay what they must have seen",
    "authorization_code": "good for a minute; sealed, so that a changed one is good for nothing",
    "pushed_request": "good for a minute; sealed, so that a changed one is good for nothing",
    "launch": "good for minutes; sealed, so that a changed one is good for nothing",
    "generation": "counters that tell processes to drop their caches; losing one costs a look-up, never an answer",
    "lease": "who works at this moment; a wrong one delays the sequencer, and the head moves by compare-and-swap",
    "known_recipient": "domains of guests; who takes one away is asked about it again, and nobody can add one",
    "subscription_event": "what is still to be told: sealed references to versions that the ledger names too",
    "subscription_binding": "tokens of one use for some minutes; sealed, so that a changed one is good for nothing",
    "ledger_reader": "how far the ledger was read by each of its readers; a wrong place makes one count twice or miss",
    "ledger_cosigned": "checkpoints with more signatures; each speaks for itself, and `ledger verify` asks it",
    "ledger_witness": "how far each witness is; what it said is in its cosignatures, which it gives again",
    "ledger_seen": "what others' logs showed last, signed by them; what contradicts it is kept as a split view",
    "foreign_entry": "which lines of others' logs were taken over; who takes one away lets it come again",
    "condition_guard": "counters on which conditional writes meet",
    "bulk_job": "work under way; what it gave out or took in is in the ledger and in the records",
    "bulk_chunk": "parts of work under way",
    "schema_migration": "which tables there are; another digest than the program's own is refused at the next start",
}

# Columns of the former without a past, and why.
COUNTERS: Mapping[tuple[str, str], str] = {
    ("subscription", "events"): "how many events were numbered; moved with every event, and recorded by no entry",
    ("subscription", "delivered"): "how many of them were told",
    ("shared_link", "opened"): "how often a link was opened; each opening is an entry of its own",
    ("shared_link", "wrong"): "how many wrong passcodes there were; each is an entry of its own",
    ("guest", "wrong"): "how many wrong codes there were; each is an entry of its own",
    ("browser_session", "expires_ms"): "moved each minute of use; the end of the session is sealed",
    ("browser_session", "revision"): "always 1: a session is not sealed anew",
    ("signing_key", "retired_ms"): "when a key stopped signing; an earlier time makes its tokens be refused, no more",
}


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the past, and changes to it that leave no entry."""

    database: Database
    name: str

    @property
    def key(self) -> tuple[str, ...]:
        return PAST[self.name][0]

    @property
    def columns(self) -> tuple[str, ...]:
        return self.key + PAST[self.name][1]

    async def rows(self) -> list[Row]:
        sql = f"SELECT {', '.join(self.columns)} FROM {self.name} ORDER BY {', '.join(self.key)}"  # noqa: S608
        return await self.database.fetch(sql)

    async def replace(self, old: Row, new: Row) -> None:
        """One row by another. Raises Conflict or StorageError when the database itself refuses it."""
        sets = ", ".join(f"{column} = ${number}" for number, column in enumerate(self.columns, 1))
        where = self._where(len(self.columns) + 1)
        sql = f"UPDATE {self.name} SET {sets} WHERE {where}"  # noqa: S608
        await self.database.commit([Change(sql, [(*new, *old[: len(self.key)])], expect=1)])

    async def delete(self, row: Row) -> None:
        sql = f"DELETE FROM {self.name} WHERE {self._where(1)}"  # noqa: S608
        await self.database.commit([Change(sql, [row[: len(self.key)]], expect=1)])

    async def insert(self, row: Row) -> None:
        places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
        sql = f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({places})"  # noqa: S608
        await self.database.commit([Change(sql, [row], expect=1)])

    def _where(self, first: int) -> str:
        return " AND ".join(f"{column} = ${number}" for number, column in enumerate(self.key, first))


def flipped(value: Value, place: int) -> Value:
    """The value with one bit changed; ``place`` says which. What was not there is something now."""
    if value is None:
        return 1
    if isinstance(value, int):
        return value ^ (1 << place % 8)
    if isinstance(value, str):
        at = place % len(value)
        return value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
    if not value:
        return b"\x01"
    changed = bytearray(value)
    changed[place // 8 % len(changed)] ^= 1 << place % 8
    return bytes(changed)


async def findings(system: System, known: str | None = None) -> list[str]:
    """What verification finds, in words."""
    return [f"{step.where}: {step.what}" async for step in _steps(system, known) if isinstance(step, Finding)]


async def _steps(system: System, known: str | None) -> AsyncIterator[Finding | int]:
    system.keyring.forget_cached()
    for check in checks(system, known):
        async for step in check.run():
            yield step


async def snapshot(database: Database) -> dict[str, list[Row]]:
    """Everything, as a copy of the database would hold it."""
    return {name: await Table(database, name).rows() for name in PAST}


async def put_back(database: Database, copy: Mapping[str, list[Row]]) -> None:
    """The database as it was when it was copied."""
    changes = []
    for name, rows in copy.items():
        columns = Table(database, name).columns
        places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        changes.append(Change(f"DELETE FROM {name}", [()]))  # noqa: S608
        if rows:
            changes.append(Change(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})", rows))  # noqa: S608
    await database.commit(changes)


async def signs_nothing(system: System) -> bool:
    """Whether a sequencer that starts now refuses to go on."""
    try:
        await system.sequencer.integrate()
    except LedgerBroken:
        return True
    return False
