"""The one place where Carekeep is put together from its settings."""

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

from carekeep.access import BreakGlass, Decider, Guard, Relationships
from carekeep.access.bundles import POLICIES_TOPIC, PolicyBundles, PolicyKeeper
from carekeep.access.consents import TOPIC as CONSENT_TOPIC
from carekeep.access.consents import Consents, Delegates, Implicit
from carekeep.access.labelling import Labelling
from carekeep.access.reviews import Reviews
from carekeep.access.sharing import Sharing
from carekeep.audit import EntryIndex, EntryIndexer, Ledger, Sequencer
from carekeep.audit.anchors.anchoring import LEASE_MS as ANCHORS_LEASE_MS
from carekeep.audit.export.shipping import LEASE_MS as SIEM_LEASE_MS
from carekeep.audit.witnessing import Policy, Witnesses, Witnessing
from carekeep.audit.witnessing.running import LEASE_MS as WITNESSES_LEASE_MS
from carekeep.encryption import KeyFile, Keyring, Secret
from carekeep.identity import Accounts, SignIn, Throttle, Tokens
from carekeep.identity.apps.app_access import AppAccess
from carekeep.identity.apps.assertions import Assertions
from carekeep.identity.apps.key_sets import KeySets
from carekeep.identity.apps.proofs import Proofs
from carekeep.identity.apps.replays import Replays
from carekeep.identity.browser_sessions import BrowserSessions
from carekeep.identity.devices import Devices
from carekeep.identity.invitations import Invitations
from carekeep.identity.known_browsers import KnownBrowsers
from carekeep.identity.leaving import Leaving
from carekeep.identity.notices import Notices
from carekeep.identity.outside import Links, RelyingParty, https_fetch
from carekeep.identity.passkeys import Passkeys
from carekeep.identity.recoveries import Recoveries
from carekeep.records import Vault
from carekeep.records.disposal import Disposals, Holds
from carekeep.settings import Settings, SettingsError
from carekeep.settings.named import (
    allowed_hosts,
    front_secret,
    policy_signers,
    security_txt,
    trust_community,
    witness_policy,
)
from carekeep.storage import Clock, Database, Generations, Lease, open_database, system_clock
from carekeep.web import NotificationEngine, Services
from carekeep.web.attachments import scanner_at
from carekeep.web.bulk import BulkRunner
from carekeep.web.exchange.chain_node import anchoring
from carekeep.web.exchange.reaching import fetch_from, hosts_of, submit_to
from carekeep.web.exchange.siem import siem_shippers
from carekeep.web.health import Lookout
from carekeep.web.housekeeping import LEASE_MS as HOUSEKEEPING_LEASE_MS
from carekeep.web.housekeeping import Housekeeping
from carekeep.web.key_fetching import key_fetch
from carekeep.web.label_rules import label_rules
from carekeep.web.outgoing import HostsRefused
from carekeep.web.profiles import PROFILES_TOPIC, Profiles
from carekeep.web.subscriptions import Bindings, Subscriptions

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
        system = _assemble(settings, database, keyring, clock)
        await system.services.policies.refresh()
        yield system
    finally:
        await database.close()


def _assemble(settings: Settings, database: Database, keyring: Keyring, clock: Clock) -> System:
    rooms = _Rooms.over(settings, database, keyring, clock)
    _watch(rooms)
    return System(settings, database, keyring, rooms.generations, rooms.sequencer, _services(settings, rooms))


@dataclass(frozen=True, slots=True)
class _Rooms:
    """What more than one part of the services is made of."""

    database: Database
    keyring: Keyring
    clock: Clock
    generations: Generations
    vault: Vault
    ledger: Ledger
    sequencer: Sequencer
    accounts: Accounts
    devices: Devices
    tokens: Tokens
    invitations: Invitations
    browser_sessions: BrowserSessions
    replays: Replays
    throttle: Throttle
    apps: AppAccess
    links: Links
    policies: PolicyKeeper
    consents: Consents
    relationships: Relationships
    profiles: Profiles
    break_glass: BreakGlass

    @classmethod
    def over(cls, settings: Settings, database: Database, keyring: Keyring, clock: Clock) -> "_Rooms":
        vault = Vault(database, keyring, clock)
        ledger = Ledger(database, keyring, clock, os.urandom)
        devices = Devices(database, keyring, settings.device_posture, clock, os.urandom)
        consents = Consents(vault, clock, Implicit(settings.consent_default))
        return cls(
            database=database,
            keyring=keyring,
            clock=clock,
            generations=Generations(database),
            vault=vault,
            ledger=ledger,
            sequencer=_sequencer(settings, database, keyring, ledger),
            accounts=Accounts(database, keyring, clock, os.urandom),
            devices=devices,
            tokens=Tokens(database, keyring, clock, os.urandom, devices.standing),
            invitations=Invitations(database, keyring, clock, os.urandom),
            browser_sessions=BrowserSessions(database, keyring, clock, os.urandom),
            replays=Replays(database, keyring, clock),
            throttle=Throttle(database, keyring, clock),
            apps=AppAccess.over(
                database, keyring, clock, os.urandom, [site.as_client() for site in settings.own_sites]
            ),
            links=Links(database, keyring),
            policies=PolicyKeeper(Decider.load(), PolicyBundles(database, keyring, clock)),
            consents=consents,
            relationships=Relationships(vault, clock, delegates=Delegates(vault, consents, clock)),
            profiles=Profiles(vault, settings.validation),
            break_glass=BreakGlass(database, keyring, clock, os.urandom),
        )


def _watch(rooms: _Rooms) -> None:
    """Every cache is dropped when what it was made of changes."""
    watch = rooms.generations.watch
    watch("keys", rooms.keyring.forget_cached)
    watch("accounts", rooms.tokens.forget_cached)
    watch("accounts", rooms.devices.forget_cached)
    watch("accounts", rooms.browser_sessions.forget_cached)
    watch("care", rooms.relationships.forget_cached)
    watch("care", rooms.consents.forget_cached)
    watch(CONSENT_TOPIC, rooms.consents.forget_cached)
    watch("break-glass", rooms.break_glass.forget_cached)
    watch(POLICIES_TOPIC, rooms.policies.changed)
    watch(PROFILES_TOPIC, rooms.profiles.forget_cached)


def _services(settings: Settings, rooms: _Rooms) -> Services:
    database, keyring, clock = rooms.database, rooms.keyring, rooms.clock
    udap = trust_community(settings, rooms.replays, clock)
    key_sets = KeySets(key_fetch(allowed_hosts(settings, "app_key_hosts")), clock)
    return Services(
        fhir_url=settings.fhir_url,
        auth_url=settings.sign_in_url,
        own_sites=settings.own_sites,
        database=database,
        generations=rooms.generations,
        keyring=keyring,
        vault=rooms.vault,
        ledger=rooms.ledger,
        ledger_key=rooms.sequencer.key,
        entry_index=EntryIndex(database, rooms.ledger, keyring.index),
        witnesses=Witnesses.over(database, keyring, rooms.sequencer.key, witness_policy(settings), clock),
        lookout=Lookout(settings),
        accounts=rooms.accounts,
        sign_in=SignIn(rooms.accounts, rooms.throttle, clock),
        throttle=rooms.throttle,
        tokens=rooms.tokens,
        browser_sessions=rooms.browser_sessions,
        passkeys=_passkeys(settings, rooms),
        known_browsers=KnownBrowsers(keyring, clock, os.urandom),
        relying_party=_relying_party(settings, rooms),
        links=rooms.links,
        replays=rooms.replays,
        apps=rooms.apps,
        devices=rooms.devices,
        invitations=rooms.invitations,
        recoveries=Recoveries(database, keyring, rooms.accounts, rooms.invitations, clock, os.urandom),
        notices=Notices(database, keyring, clock, os.urandom),
        leaving=_leaving(rooms),
        proofs=Proofs(keyring, rooms.replays, clock),
        assertions=Assertions(rooms.replays, key_sets, clock, udap),
        udap=udap,
        policies=rooms.policies,
        policy_signers=policy_signers(settings),
        guard=_guard(settings, rooms),
        relationships=rooms.relationships,
        break_glass=rooms.break_glass,
        holds=Holds(database, keyring, clock, os.urandom),
        disposals=Disposals(database, keyring, rooms.vault, settings.retention, clock, os.urandom),
        reviews=Reviews(database, keyring, rooms.accounts, clock, os.urandom, hours=settings.review_hours),
        sharing=Sharing.over(database, keyring, clock),
        post=settings.smtp.relay(),
        subscriptions=Subscriptions(database, keyring),
        profiles=rooms.profiles,
        labelling=Labelling(label_rules(settings.home)),
        bindings=Bindings(database, keyring, clock, os.urandom),
        notifiable=allowed_hosts(settings, "subscription_hosts"),
        front_secret=front_secret(settings),
        security_text=security_txt(settings),
        clock=clock,
        import_sources=tuple(settings.import_sources.split()),
        scanner=scanner_at(settings.scanner),
    )


def _guard(settings: Settings, rooms: _Rooms) -> Guard:
    return Guard(
        rooms.policies.decider,
        rooms.relationships,
        rooms.break_glass,
        rooms.clock,
        zones=settings.zones,
        consents=rooms.consents,
    )


def _sequencer(settings: Settings, database: Database, keyring: Keyring, ledger: Ledger) -> Sequencer:
    return Sequencer(
        database,
        keyring,
        settings.ledger_origin,
        nudge=ledger.recorded,
        checkpoint_sink=partial(_keep_witness, settings),
        known_checkpoint=_kept_witness(settings),
    )


def _leaving(rooms: _Rooms) -> Leaving:
    return Leaving(
        rooms.accounts,
        tokens=rooms.tokens,
        devices=rooms.devices,
        invitations=rooms.invitations,
        browser_sessions=rooms.browser_sessions,
        grants=rooms.apps.grants,
        links=rooms.links,
    )


def _relying_party(settings: Settings, rooms: _Rooms) -> RelyingParty:
    callback = f"{settings.sign_in_url}/federation-callback"
    return RelyingParty(settings.federation.all, rooms.keyring, https_fetch(), callback, rooms.clock)


def _passkeys(settings: Settings, rooms: _Rooms) -> Passkeys:
    """Passkeys of the sign-in origin, which alone may ask for them."""
    origin = settings.sign_in_url
    host = urlsplit(origin).hostname or ""
    return Passkeys(rooms.database, rooms.keyring, rooms.clock, os.urandom, rp_id=host, origin=origin, name="Carekeep")


def _witnessing(system: System) -> Witnessing:
    """The task that has our checkpoints cosigned, over TLS and by the hosts of the policy only."""
    witnesses, trust = system.services.witnesses, ssl.create_default_context()
    try:
        hosts = hosts_of(witnesses.policy or Policy(), system.settings.witness_networks)
    except HostsRefused as refused:
        raise SettingsError(f"witness_policy or witness_networks: {refused}") from None
    return witnesses.witnessing(system.services.ledger, submit_to(hosts, trust), fetch_from(hosts, trust))


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
    tidying = Lease(system.database, "housekeeping", holder, system.services.clock, ttl_ms=HOUSEKEEPING_LEASE_MS)
    witnessing = Lease(system.database, "witnesses", holder, system.services.clock, ttl_ms=WITNESSES_LEASE_MS)
    noting = Lease(system.database, "entry-index", holder, system.services.clock)
    tasks = [
        asyncio.create_task(system.generations.run(), name="generations"),
        asyncio.create_task(system.sequencer.run(lease), name="sequencer"),
        asyncio.create_task(BulkRunner(system.services, holder).run(), name="bulk"),
        asyncio.create_task(NotificationEngine(system.services).run(notifying), name="subscriptions"),
        asyncio.create_task(_witnessing(system).run(witnessing), name="witnesses"),
        asyncio.create_task(Housekeeping(system.services).run(tidying), name="housekeeping"),
        asyncio.create_task(_entry_indexer(system).run(noting), name="entry index"),
    ]
    if (anchors := anchoring(system.settings.anchor, system.services)) is not None:
        mine = Lease(system.database, "anchors", holder, system.services.clock, ttl_ms=ANCHORS_LEASE_MS)
        tasks.append(asyncio.create_task(anchors.run(mine), name="anchors"))
    for shipper in siem_shippers(system.settings.siem, system.services):
        reader = shipper.destination.reader
        mine = Lease(system.database, reader, holder, system.services.clock, ttl_ms=SIEM_LEASE_MS)
        tasks.append(asyncio.create_task(shipper.run(mine), name=reader))
    for task in tasks:
        task.add_done_callback(_tell_of_end)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _entry_indexer(system: System) -> EntryIndexer:
    return EntryIndexer(system.database, system.services.ledger, system.keyring.index)


def _tell_of_end(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s stopped: %s", task.get_name(), error)
