"""The one place where Carekeep is put together from its settings."""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial

from carekeep.access import BreakGlass, Decider, Guard, Relationships
from carekeep.audit import Ledger, Sequencer
from carekeep.encryption import KeyFile, Keyring, Secret
from carekeep.identity import Accounts, SignIn, Tokens
from carekeep.records import Vault
from carekeep.settings import Settings, SettingsError
from carekeep.storage import Clock, Database, Generations, Lease, open_database, system_clock
from carekeep.web import NotificationEngine, Services
from carekeep.web.bulk import BulkRunner
from carekeep.web.profiles import PROFILES_TOPIC, Profiles
from carekeep.web.subscriptions import AllowedHosts, Bindings, HostsRefused, Subscriptions

_log = logging.getLogger("carekeep")


@dataclass(frozen=True, slots=True)
class System:
    """An opened installation: every room, ready to answer. Made by ``open_system``."""

    settings: Settings
    database: Database
    keyring: Keyring
    generations: Generations
    sequencer: Sequencer
    services: Services


@contextlib.asynccontextmanager
async def open_system(
    settings: Settings, passphrase: Secret, *, create: bool = False, clock: Clock = system_clock
) -> AsyncIterator[System]:
    """Open everything, and close it in the reverse order.

    Raises SettingsError, StorageError, WrongPassphrase and what else the rooms say at opening.
    """
    key_service = KeyFile.open(settings.key_file, passphrase)
    database = open_database(settings.database)
    try:
        keyring = await Keyring.open(database, key_service, create=create, clock=clock, random=os.urandom)
        yield _assemble(settings, database, keyring, clock)
    finally:
        await database.close()


def _assemble(settings: Settings, database: Database, keyring: Keyring, clock: Clock) -> System:
    generations = Generations(database)
    vault = Vault(database, keyring, clock)
    accounts = Accounts(database, keyring, clock, os.urandom)
    tokens = Tokens(database, keyring, clock, os.urandom)
    relationships = Relationships(vault, clock)
    profiles = Profiles(vault, settings.validation)
    break_glass = BreakGlass(database, keyring, clock, os.urandom)
    ledger = Ledger(database, keyring, clock, os.urandom)
    sequencer = Sequencer(
        database,
        keyring,
        settings.ledger_origin,
        nudge=ledger.recorded,
        checkpoint_sink=partial(_keep_witness, settings),
        known_checkpoint=_kept_witness(settings),
    )
    generations.watch("keys", keyring.forget_cached)
    generations.watch("accounts", tokens.forget_cached)
    generations.watch("care", relationships.forget_cached)
    generations.watch("break-glass", break_glass.forget_cached)
    generations.watch(PROFILES_TOPIC, profiles.forget_cached)
    services = Services(
        fhir_url=settings.fhir_url,
        database=database,
        generations=generations,
        keyring=keyring,
        vault=vault,
        ledger=ledger,
        ledger_key=sequencer.key,
        accounts=accounts,
        sign_in=SignIn(accounts),
        tokens=tokens,
        guard=Guard(Decider.load(), relationships, break_glass, clock),
        relationships=relationships,
        break_glass=break_glass,
        subscriptions=Subscriptions(database, keyring),
        profiles=profiles,
        bindings=Bindings(database, keyring, clock, os.urandom),
        notifiable=_notifiable(settings),
        clock=clock,
        import_sources=tuple(settings.import_sources.split()),
    )
    return System(settings, database, keyring, generations, sequencer, services)


def _notifiable(settings: Settings) -> AllowedHosts:
    try:
        return AllowedHosts.parse(settings.subscription_hosts)
    except HostsRefused as refused:
        raise SettingsError(f"subscription_hosts: {refused}") from None


def _keep_witness(settings: Settings, checkpoint: str) -> None:
    """The newest checkpoint outside the database, so that a database put back to an older state is noticed.

    Renamed into place but not synced: an older witness, after a power cut, still witnesses.
    """
    staged = settings.witness_file.with_suffix(f".{os.getpid()}")
    staged.write_text(checkpoint, encoding="utf-8")
    staged.replace(settings.witness_file)


def _kept_witness(settings: Settings) -> str | None:
    try:
        return settings.witness_file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


@contextlib.asynccontextmanager
async def keeper(system: System) -> AsyncIterator[None]:
    """The tasks beside the requests: the cache watch in every worker, and the sequencer wherever the lease is."""
    holder = f"{socket.gethostname()}:{os.getpid()}"
    lease = Lease(system.database, "keeper", holder, system.services.clock)
    notifying = Lease(system.database, "subscriptions", holder, system.services.clock)
    tasks = [
        asyncio.create_task(system.generations.run(), name="generations"),
        asyncio.create_task(system.sequencer.run(lease), name="sequencer"),
        asyncio.create_task(BulkRunner(system.services, holder).run(), name="bulk"),
        asyncio.create_task(NotificationEngine(system.services).run(notifying), name="subscriptions"),
    ]
    for task in tasks:
        task.add_done_callback(_tell_of_end)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _tell_of_end(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s stopped: %s", task.get_name(), error)
