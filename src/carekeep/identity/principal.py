"""Who is asking: what a bearer token proves about a request."""

from dataclasses import dataclass, field

from carekeep.encryption import Secret
from carekeep.identity.account import Account, Kind


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated person or app, for one session.

    ``account_id`` and ``session`` are hexadecimal. ``assurance`` is the authenticator assurance level of the sign-in
    (NIST SP 800-63B-4). ``authenticated_ms``: when that was, in milliseconds since 1970 (UTC). ``app``: the login of
    the app that acts; None for a person's own session. ``grants``: what the app was given by name.
    """

    account_id: str
    kind: Kind
    name: str = field(repr=False)
    fhir_user: str | None = field(repr=False)
    session: str
    assurance: int
    authenticated_ms: int
    app: str | None
    grants: frozenset[str]


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A bearer token. ``secret`` is shown to its owner once; Carekeep keeps only its hash."""

    secret: Secret
    principal: Principal
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Session:
    """One of an account's sessions, without its token."""

    session: str
    assurance: int
    authenticated_ms: int
    expires_ms: int


def principal_of(account: Account, session: str, assurance: int, authenticated_ms: int) -> Principal:
    """The principal that an account, as it is now, is in a session of this id, assurance and time of sign-in."""
    return Principal(
        account_id=account.id.hex(),
        kind=account.kind,
        name=account.name,
        fhir_user=account.fhir_user,
        session=session,
        assurance=assurance,
        authenticated_ms=authenticated_ms,
        app=account.login if account.kind is Kind.APP else None,
        grants=account.grants,
    )
