"""What the person at the machine does is in the ledger like everything else."""

import getpass
import uuid
from collections.abc import Iterable
from typing import Any

from carekeep.access import Purpose
from carekeep.audit import Agent, Entry, EntryId, Outcome, What
from carekeep.storage import Prepared
from carekeep.web import Services


def operator_agent() -> Agent:
    """The operating system's account that runs the command; it holds the passphrase, so it is known by that."""
    return Agent(account="", role="operator", app=f"carekeep command ({getpass.getuser()})")


async def record_operation(
    services: Services,
    action: str,
    reason: str,
    *prepared: Prepared[Any],
    what: Iterable[What] = (),
    patients: Iterable[str] = (),
    purpose: Purpose = Purpose.HSYSADMIN,
    outcome: Outcome = "permitted",
) -> EntryId:
    """Make an operation durable together with its entry. Raises Conflict, StorageError."""
    entry = Entry(
        action=action,
        agent=operator_agent(),
        purpose=purpose,
        outcome=outcome,
        what=tuple(what),
        patients=tuple(patients),
        reason=reason,
        request_id=uuid.uuid4().hex,
        at_ms=services.clock(),
    )
    return await services.ledger.record(entry, *prepared)
