"""A browser's session in the terms of decisions."""

from carekeep.identity import BrowserSession, Session


def as_session(session: BrowserSession) -> Session:
    """A browser's session as decisions and grants see it."""
    return Session(
        session=session.id,
        assurance=session.assurance,
        authenticated_ms=session.authenticated_ms,
        expires_ms=session.end_ms,
        methods=session.methods,
        device=session.device,
    )
