"""Who is asking: what a bearer token proves about a request."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from carekeep.encryption import Secret
from carekeep.identity.account import Account, Kind


class BindingKind(StrEnum):
    """How a token is bound to a key: the member of ``cnf`` that says so (RFC 9449 §6.1, RFC 8705 §3.1)."""

    DPOP = "jkt"
    CERTIFICATE = "x5t#S256"


@dataclass(frozen=True, slots=True)
class Binding:
    """The key that a token is bound to: whoever presents the token proves that they hold it.

    ``thumbprint``: base64url without padding, of SHA-256 over the JWK (RFC 7638) or the DER certificate.
    """

    kind: BindingKind
    thumbprint: str


@dataclass(frozen=True, slots=True)
class Delegation:
    """What an app was allowed on somebody's behalf, or on its own. It only ever narrows what policies permit.

    ``client``: the app's client id. ``app``: its name. ``scopes``: the granted SMART scopes, spaces between.
    ``patient`` and ``encounter``: the ids of the launch context. ``via``: the organization that answers for the app
    (UDAP ``hl7-b2b``), ``purpose``: the purposes of use that it stated there, spaces between; the first unless a
    request says which. ``outside``: the app is no part of the organization, so what it reads is disclosed.
    """

    client: str
    app: str
    scopes: str
    patient: str | None = field(default=None, repr=False)
    encounter: str | None = field(default=None, repr=False)
    via: str | None = None
    purpose: str | None = None
    outside: bool | None = None


@dataclass(frozen=True, slots=True)
class DeviceStanding:
    """What is known of the device that a session is on.

    ``healthy_until_ms``: until when its last report holds; 0 when the report failed a check or there was none.
    ``failing``: the last report failed a check.
    """

    id: str
    managed: bool
    failing: bool
    healthy_until_ms: int


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated person or app, for one session.

    ``account_id`` and ``session`` are hexadecimal. ``assurance`` is the authenticator assurance level of the sign-in
    (NIST SP 800-63B-4), 1 to 3. ``authenticated_ms``: when that was, in milliseconds since 1970 (UTC); ``methods``: by
    what (RFC 8176). ``app``: the app that acts; None for a person's own session. ``grants``: what the app was given by
    name. ``delegation``: None where nothing narrows what the policies permit. ``device``: None when it is not known.
    ``parent``: what the session came from, and ends with (see ``Session``).
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
    methods: tuple[str, ...] = ()
    binding: Binding | None = None
    delegation: Delegation | None = None
    device: DeviceStanding | None = None
    parent: bytes | None = None

    def as_session(self) -> "Session":
        """What work that outlives the request remembers, so that it is decided as the request was."""
        device = self.device.id if self.device else None
        return Session(
            self.session,
            self.assurance,
            self.authenticated_ms,
            0,
            self.methods,
            self.binding,
            self.delegation,
            device,
            self.parent,
        )


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A bearer token. ``secret`` is shown to its owner once; Carekeep keeps only its hash."""

    secret: Secret
    principal: Principal
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Session:
    """One of an account's sessions, without its token: the facts of its sign-in, and what they are bound to.

    ``device``: the id (hex) of the enrolled device that it is on. ``parent``: the app's grant or the browser's session
    that it came from, and with which it ends.
    """

    session: str
    assurance: int
    authenticated_ms: int
    expires_ms: int
    methods: tuple[str, ...] = ()
    binding: Binding | None = None
    delegation: Delegation | None = None
    device: str | None = None
    parent: bytes | None = None

    def facts(self) -> dict[str, Any]:
        """What a sealed row keeps of it, beside the columns that say where it belongs; nothing that is not there."""
        facts: dict[str, Any] = {"assurance": self.assurance, "authenticated_ms": self.authenticated_ms}
        if self.methods:
            facts["methods"] = self.methods
        if self.binding:
            facts["binding"] = [self.binding.kind, self.binding.thumbprint]
        if self.delegation:
            facts["delegation"] = {name: value for name, value in asdict(self.delegation).items() if value is not None}
        if self.device:
            facts["device"] = self.device
        return facts

    def kept(self) -> dict[str, Any]:
        """``facts``, and what the session came from: for work that outlives its request, which has no column for it."""
        return self.facts() | ({"parent": self.parent.hex()} if self.parent else {})

    @classmethod
    def read(cls, session: str, expires_ms: int, facts: dict[str, Any], parent: bytes | None = None) -> "Session":
        """The session of which ``facts`` are kept."""
        binding, above = facts.get("binding"), facts.get("parent")
        delegation = facts.get("delegation")
        return cls(
            session,
            facts["assurance"],
            facts["authenticated_ms"],
            expires_ms,
            tuple(facts.get("methods", ())),
            Binding(BindingKind(binding[0]), binding[1]) if binding else None,
            Delegation(**delegation) if delegation else None,
            facts.get("device"),
            bytes.fromhex(above) if above else parent,
        )


def principal_of(account: Account, session: Session, device: DeviceStanding | None = None) -> Principal:
    """The principal that an account, as it is now, is in this session, on this device."""
    own = account.login if account.kind is Kind.APP else None
    return Principal(
        account_id=account.id.hex(),
        kind=account.kind,
        name=account.name,
        fhir_user=account.fhir_user,
        session=session.session,
        assurance=session.assurance,
        authenticated_ms=session.authenticated_ms,
        app=session.delegation.app if session.delegation else own,
        grants=account.grants,
        methods=session.methods,
        binding=session.binding,
        delegation=session.delegation,
        device=device,
        parent=session.parent,
    )
