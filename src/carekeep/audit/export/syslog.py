"""Syslog messages (RFC 5424) and how they follow each other on a TLS connection (RFC 5425)."""

from carekeep.audit.export.told import Origin, Told
from carekeep.fhir import format_instant

LARGEST = 8192
"""What every receiver should take (RFC 5425 §4.3.1); no message of ours is larger."""

_SECURITY = 10  # the facility of security and authorization messages (RFC 5424 §6.2.1)
_NOTICE, _WARNING, _ERROR = 5, 4, 3
_SEVERITIES = {1: _NOTICE, 2: _WARNING, 3: _WARNING, 4: _ERROR}
_MESSAGE_IDS = {"ocsf": "OCSF", "atna": "DICOM+RFC3881"}


def syslog_message(told: Told, origin: Origin, format_: str, content: bytes) -> bytes:
    """One message. ``content`` is plain ASCII, so no byte order mark goes before it (RFC 5424 §6.4)."""
    priority = 8 * _SECURITY + _SEVERITIES[told.severity]
    host = origin.host[:255] or "-"
    header = f"<{priority}>1 {format_instant(told.at_ms)} {host} Carekeep - {_MESSAGE_IDS[format_]} - "
    return header.encode("ascii") + content


def framed(message: bytes) -> bytes:
    """The message behind its length in octets (RFC 5425 §4.3)."""
    return b"%d %b" % (len(message), message)
