"""Everything that can show that nobody changed the past: the log, the rows it pins, and what every room checks."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from carekeep.app import System
from carekeep.audit import RowReader, check_pins, verify_tree
from carekeep.audit.witnessing.cosigned import verify_cosigned
from carekeep.records import pinned_rows, verify_records
from carekeep.storage import Finding
from carekeep.web.exchange.chain_node import anchored_checkpoints

Steps = AsyncIterator[Finding | int]


@dataclass(frozen=True, slots=True)
class Check:
    """One part of verification; ``run`` yields findings, and between them how far it is."""

    title: str
    run: Callable[[], Steps]


def checks(system: System, known_checkpoint: str | None) -> tuple[Check, ...]:
    """The checks of an installation, in the order in which they build on each other."""
    return (
        Check(
            "ledger: entries, tiles, checkpoint",
            lambda: verify_tree(system.database, system.sequencer.key, known_checkpoint),
        ),
        Check(
            "ledger: every entry opens, and every row is as it says",
            lambda: check_pins(system.services.ledger, _tables(system)),
        ),
        Check("index of the ledger's entries", system.services.entry_index.verify),
        Check("records and index", lambda: verify_records(system.database, system.keyring)),
        Check("keys", system.keyring.verify),
        Check("accounts and sessions", lambda: _identity(system)),
        Check("passkeys", system.services.passkeys.verify),
        Check("browsers' sessions", system.services.browser_sessions.verify),
        Check("links to people outside", system.services.links.verify),
        Check("devices", system.services.devices.verify),
        Check("invitations", system.services.invitations.verify),
        Check("recoveries", system.services.recoveries.verify),
        Check("notices", system.services.notices.verify),
        Check("apps", system.services.apps.clients.verify),
        Check("what apps were allowed", system.services.apps.grants.verify),
        Check("keys of id tokens", system.services.apps.signing_keys.verify),
        Check("policy bundles", system.services.policies.bundles.verify),
        Check("emergency access", system.services.break_glass.verify),
        Check("legal holds", system.services.holds.verify),
        Check("disposals", system.services.disposals.verify),
        Check("reviews of emergencies", system.services.reviews.verify),
        Check("links to records", system.services.sharing.links.verify),
        Check("guests", system.services.sharing.guests.verify),
        Check("subscriptions", system.services.subscriptions.verify),
        Check("cosigned checkpoints", lambda: _cosigned(system)),
        Check("proofs of split views", system.services.witnesses.split_views.verify),
        Check("anchored checkpoints", anchored_checkpoints(system.services).verify),
    )


def _tables(system: System) -> dict[str, RowReader]:
    return {
        "record_version": lambda: pinned_rows(system.database),
        "patient_key": system.keyring.pinned_rows,
        "account": system.services.accounts.pinned_rows,
        "access_token": system.services.tokens.pinned_rows,
        "passkey": system.services.passkeys.pinned_rows,
        "browser_session": system.services.browser_sessions.pinned_rows,
        "app_client": system.services.apps.clients.pinned_rows,
        "app_grant": system.services.apps.grants.pinned_rows,
        "signing_key": system.services.apps.signing_keys.pinned_rows,
        "identity_link": system.services.links.pinned_rows,
        "device": system.services.devices.pinned_rows,
        "invitation": system.services.invitations.pinned_rows,
        "recovery": system.services.recoveries.pinned_rows,
        "notice": system.services.notices.pinned_rows,
        "policy_bundle": system.services.policies.bundles.pinned_rows,
        "break_glass": system.services.break_glass.pinned_rows,
        "legal_hold": system.services.holds.pinned_rows,
        "disposal": system.services.disposals.pinned_rows,
        "review": system.services.reviews.pinned_rows,
        "shared_link": system.services.sharing.links.pinned_rows,
        "shared_file": system.services.sharing.links.pinned_files,
        "guest": system.services.sharing.guests.pinned_rows,
        "subscription": system.services.subscriptions.pinned_rows,
        "split_view": system.services.witnesses.split_views.pinned_rows,
        "ledger_anchor": anchored_checkpoints(system.services).pinned_rows,
    }


def _cosigned(system: System) -> Steps:
    witnesses = system.services.witnesses
    return verify_cosigned(system.database, witnesses.keys, witnesses.policy)


async def _identity(system: System) -> Steps:
    async for finding in system.services.accounts.verify():
        yield finding
    async for finding in system.services.tokens.verify():
        yield finding
