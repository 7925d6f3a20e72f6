"""Moments as FHIR writes them."""

from datetime import UTC, datetime


def format_instant(ms: int) -> str:
    """Milliseconds since 1970 as a FHIR instant in UTC, such as ``2026-11-24T10:15:30.123Z``."""
    seconds, rest = divmod(ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"
