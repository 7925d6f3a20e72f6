"""Export of the ledger to the security monitoring of the organization (SIEM): OCSF and ATNA, by syslog and webhook.

Invariants:

* What leaves is ``Told`` and nothing else: no name, no free text, no health data, no id of a patient or a record.
* Each entry is delivered at least once: the place in the ledger moves after the receiver took what is before it. A
  receiver that is slow or gone holds up its own task alone.
* Formats are pure. How messages travel is handed in (``Send``): this room knows no network.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from carekeep.audit.export.atna import atna_message
from carekeep.audit.export.ocsf import ocsf_event
from carekeep.audit.export.shipping import NotTaken, Send, Shipper, Standing, standing_of
from carekeep.audit.export.siem_settings import Destination, SiemSettings, SiemSettingsRefused
from carekeep.audit.export.syslog import framed, syslog_message
from carekeep.audit.export.told import Origin, Pseudonym, Told, told_of

FORMATS: Mapping[str, Callable[[Told, Origin], bytes]] = MappingProxyType({"ocsf": ocsf_event, "atna": atna_message})

__all__ = [
    "FORMATS",
    "Destination",
    "NotTaken",
    "Origin",
    "Pseudonym",
    "Send",
    "Shipper",
    "SiemSettings",
    "SiemSettingsRefused",
    "Standing",
    "Told",
    "atna_message",
    "framed",
    "ocsf_event",
    "standing_of",
    "syslog_message",
    "told_of",
]
