"""All checks, in the order in which they are told."""

from collections.abc import Callable, Iterator
from typing import Final

from carekeep.web.health import machine
from carekeep.web.health.installed import Installed, Opened
from carekeep.web.health.opened import accounts, kept_checkpoint, sequencer
from carekeep.web.health.outward import contact, front, key_exchange, listener, names
from carekeep.web.health.siem import diagnose_siem
from carekeep.web.health.verdict import Diagnosis
from carekeep.web.health.witnesses import diagnose_witnesses

BEFORE_OPENING: Final[tuple[Callable[[Installed], Iterator[Diagnosis]], ...]] = (
    machine.modes,
    machine.space,
    machine.durable,
    machine.certificate,
    names,
    listener,
    key_exchange,
    front,
    contact,
)
"""What can be seen of the settings, the folder and the network."""


def look_at_machine(installed: Installed) -> list[Diagnosis]:
    """The checks before anything is opened. They connect to the server itself and may take seconds: use a thread."""
    return [found for check in BEFORE_OPENING for found in check(installed)]


async def look_at_installation(opened: Opened, installed: Installed) -> list[Diagnosis]:
    """What only an opened installation shows."""
    return [
        await accounts(opened),
        await sequencer(opened),
        kept_checkpoint(opened, installed),
        *await diagnose_witnesses(opened),
        *await diagnose_siem(opened, installed.siem),
    ]
