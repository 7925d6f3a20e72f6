"""Everything that can go wrong, as a status and an OperationOutcome."""

import logging
from http import HTTPStatus

from carekeep.encryption import KeyDestroyed, Tampered
from carekeep.fhir import Issue, QueryError, dump_json, operation_outcome
from carekeep.identity import TokenRefused
from carekeep.records import Forgotten, NotFound
from carekeep.storage import Conflict, StorageError
from carekeep.web.http import BadRequest, Response

_log = logging.getLogger("carekeep.web")


class Problem(Exception):
    """An answer that is not what was asked for: an HTTP status and what to say."""

    def __init__(self, status: int, *issues: Issue, headers: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        super().__init__(status)
        self.status = status
        self.issues = issues
        self.headers = headers


def problem(status: int, code: str, diagnostics: str, expression: str = "") -> Problem:
    """A problem with one issue. ``code`` is a FHIR IssueType."""
    return Problem(status, Issue("error", code, expression, diagnostics))


# First match counts. The texts of these exceptions are ours and hold neither health data nor secrets.
_KNOWN: tuple[tuple[type[Exception], int, str], ...] = (
    (NotFound, 404, "not-found"),
    (Forgotten, 410, "deleted"),
    (KeyDestroyed, 410, "deleted"),
    (TokenRefused, 401, "login"),
    (Conflict, 409, "conflict"),
    (Tampered, 500, "exception"),
    (StorageError, 503, "transient"),
)
_CHALLENGE = ((b"www-authenticate", b'Bearer realm="carekeep"'),)


def as_problem(error: Exception) -> Problem | None:
    """The problem behind an exception that a route may raise; None for one that is a defect of ours."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, BadRequest):
        return problem(error.status, "too-long" if error.status in {413, 414} else "structure", str(error))
    if isinstance(error, QueryError):
        return Problem(400, *error.issues)
    for kind, status, code in _KNOWN:
        if isinstance(error, kind):
            issue = Issue("error", code, "", _text(error, status))
            return Problem(status, issue, headers=_CHALLENGE if status == HTTPStatus.UNAUTHORIZED else ())
    return None


def _text(error: Exception, status: int) -> str:
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return "A stored record does not open where it stands. Run `carekeep ledger verify`."
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return "The database cannot take the work just now; nothing was changed. Try again."
    if isinstance(error, Conflict):
        return "Somebody else changed the same records at the same time. Read again and retry."
    return str(error)


def answer(found: Problem) -> Response:
    """The response that tells of a problem."""
    return Response(found.status, dump_json(operation_outcome(found.issues)), headers=found.headers)


def unexpected(error: Exception, part: str) -> Response:
    """The answer to a defect of ours in a part of the application; what happened is in the log."""
    log_unexpected(error, part)
    issue = Issue("fatal", "exception", "", "The server failed at this request; nothing of it was stored.")
    return Response(500, dump_json(operation_outcome([issue])))


def log_unexpected(error: Exception, part: str) -> None:
    """One line about a defect: its class and place. Messages of unknown exceptions can hold what was in the request."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
    _log.error("unexpected %s in %s at %s", type(error).__name__, part, where)
