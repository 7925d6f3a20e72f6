"""What is asked of the policies, what they can see of it, and what they answer."""

from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from carekeep.access.obligations import Obligations
from carekeep.access.rights import Content
from carekeep.access.vocabulary import (
    RECORD_OF_PATIENT,
    RECORD_SHARED,
    SERVICE,
    Action,
    Agreement,
    DeviceTrust,
    Purpose,
    Relation,
    concerned_label,
    owner_label,
)
from carekeep.identity import Delegation, DeviceStanding

_QUARTER_MS = 15 * 60 * 1000
_DAY_MINUTES = 24 * 60


class Principal(Protocol):
    """What access needs to know of whoever asks; ``identity.Principal`` is one."""

    @property
    def account_id(self) -> str:
        """The account's id, hexadecimal."""
        ...

    @property
    def kind(self) -> str:
        """One of ``vocabulary.PRINCIPAL_TYPES``; any other is denied everything."""
        ...

    @property
    def fhir_user(self) -> str | None:
        """The record of the person: "Practitioner/x", "Patient/x" or "RelatedPerson/x"."""
        ...

    @property
    def session(self) -> str:
        """The id of the session, for the record of an emergency."""
        ...

    @property
    def assurance(self) -> int:
        """Authenticator assurance level (NIST SP 800-63B-4), 1 to 3."""
        ...

    @property
    def authenticated_ms(self) -> int:
        """When the person last signed in, milliseconds since the epoch."""
        ...

    @property
    def app(self) -> str | None:
        """The app through which a person acts."""
        ...

    @property
    def grants(self) -> frozenset[str]:
        """What an app was given by name (``vocabulary.SYSTEM_GRANT``); empty for people."""
        ...

    @property
    def delegation(self) -> Delegation | None:
        """What an app that acts here was allowed; None for a person's own session, which nothing narrows."""
        ...

    @property
    def device(self) -> DeviceStanding | None:
        """The device that the session is on; None when it is not known."""
        ...


@dataclass(frozen=True, slots=True)
class Target:
    """What the action is done to.

    ``type`` is the FHIR resource type; ``patients`` are the patients in whose compartment the record is (none: it
    belongs to no patient); ``labels`` are its security labels as "system|code". A service of Carekeep itself, such
    as the ledger, is ``Target()``: the action names it. ``content`` is what the record says, ``rights.ANYTHING`` for
    the records of a kind as a whole; no policy sees it, only the scopes of an app that have search arguments.
    """

    type: str = ""
    patients: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    content: Content | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """One question to the policies.

    ``relations`` and ``break_glass`` must hold towards every patient of the target: where there are several, ask
    for each alone (``guard.Guard`` does). ``now_ms`` is now, in milliseconds since the epoch; ``risk`` is 0 to 100;
    ``zone`` is where the request came from (``zones.Zones``). ``consent`` is what the patient's consents say, and
    ``consent_names`` whether they permit it to this person by name.
    """

    principal: Principal
    action: Action
    target: Target
    purpose: Purpose
    relations: frozenset[Relation]
    break_glass: bool
    now_ms: int
    risk: int
    zone: str
    consent: Agreement = Agreement.NONE
    consent_names: bool = False


@dataclass(frozen=True, slots=True)
class StepUp:
    """What would turn a denial into permission: at least this assurance, and a sign-in at most this long ago.

    ``max_age_s`` is in seconds; None: when the sign-in was does not matter.
    """

    assurance: int
    max_age_s: int | None


@dataclass(frozen=True, slots=True)
class Decision:
    """The answer: the ids of the policies that made it, and one sentence for people, free of health data.

    ``step_up``: what the person can do about a denial, when signing in again is enough. ``seen``: what the policies
    could see of the request, as the ledger keeps it; ``trial``: what policies on trial would have answered otherwise;
    ``consents``: the consents that decided, as "Consent/id". ``obligations``: what is to be left out of the records
    that a permission shows.
    """

    permitted: bool
    policies: tuple[str, ...]
    reason: str
    step_up: StepUp | None = None
    seen: tuple[str, ...] = ()
    trial: str = ""
    consents: tuple[str, ...] = ()
    obligations: Obligations | None = None


class Visible(NamedTuple):
    """Everything that a policy can see of a request, and nothing else.

    Policies are evaluated from this alone, so equal ones have equal decisions: it is the key of the decider's cache.
    Time is coarse for that reason (see ``authenticated_minutes``), and no patient is named.
    """

    kind: str
    account: str
    identified: bool
    grants: frozenset[str]
    app: str | None
    action: Action
    entity: str
    type: str
    labels: tuple[str, ...]
    purpose: Purpose
    relations: frozenset[Relation]
    break_glass: bool
    assurance: int
    authenticated_minutes: int
    risk: int
    zone: str
    device: DeviceTrust
    consent: Agreement = Agreement.NONE
    consent_names: bool = False


def visible(request: AccessRequest) -> Visible:
    """Reduce a request to what policies can see."""
    principal, target, action = request.principal, request.target, request.action
    minutes = (request.now_ms - principal.authenticated_ms) // _QUARTER_MS * 15
    return Visible(
        principal.kind,
        principal.account_id,
        principal.fhir_user is not None,
        principal.grants,
        principal.app,
        action,
        _entity(action, target),
        target.type,
        target.labels,
        request.purpose,
        request.relations,
        request.break_glass,
        principal.assurance,
        min(max(minutes, 0), _DAY_MINUTES),
        request.risk,
        request.zone,
        device_trust(principal.device, request.now_ms),
        request.consent,
        request.consent_names,
    )


def device_trust(standing: DeviceStanding | None, now_ms: int) -> DeviceTrust:
    """What a device counts for now. A report holds until the moment that it says, and no longer."""
    if standing is None:
        return DeviceTrust.UNKNOWN
    if standing.failing:
        return DeviceTrust.FAILING
    if standing.healthy_until_ms <= now_ms:
        return DeviceTrust.KNOWN
    return DeviceTrust.MANAGED if standing.managed else DeviceTrust.HEALTHY


def labelled_relations(principal: Principal, action: Action, target: Target) -> frozenset[Relation]:
    """The relations to what belongs to no patient that its labels tell: whose it is, and whom it is about."""
    if target.patients or not target.labels:
        return frozenset()
    found = set()
    if owner_label(principal.account_id) in target.labels:
        found.add(Relation.OWNER)
    if action.entity_types == (SERVICE,):  # of records somebody could write the label themself
        names = (principal.account_id, principal.fhir_user)
        if any(concerned_label(name) in target.labels for name in names if name):
            found.add(Relation.SELF)
    return frozenset(found)


def _entity(action: Action, target: Target) -> str:
    """The Cedar entity type of the target: a record is one thing or another by whom it belongs to."""
    entity = action.entity_types[0]
    return RECORD_SHARED if entity == RECORD_OF_PATIENT and not target.patients else entity
