"""Whether the client has it already: If-None-Match and If-Modified-Since (RFC 9110 §13, FHIR R4 http.html#cread)."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from carekeep.records import Stored
from carekeep.web.http import Request
from carekeep.web.problems import problem


def is_known(request: Request, stored: Stored) -> bool:
    """Whether what the client says it has is this version, so that 304 is the answer."""
    tags = request.header(b"if-none-match")
    if tags is not None:
        # Weak comparison, and the date does not count beside a tag (RFC 9110 §13.1.2 and §13.2.2).
        known = [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        return "*" in known or f'"{stored.version}"' in known
    since = request.header(b"if-modified-since")
    if since is None:
        return False
    try:
        moment = parsedate_to_datetime(since)
    except ValueError:
        return False  # RFC 9110 §13.1.3: a date that is none is passed over
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(stored.last_updated_ms // 1000, UTC) <= moment


def must_be_first(request: Request) -> bool:
    """Whether a write asks that there be no current version (``If-None-Match: *``). Raises 400 for anything else."""
    tags = request.header(b"if-none-match")
    if tags is None:
        return False
    if tags.strip() != "*":
        raise problem(400, "not-supported", "If-None-Match on a write can only be *.")
    return True
