"""Who asks, in the tests of access, and the policies that answer them."""

from collections.abc import Iterable
from dataclasses import dataclass

from carekeep.access import AccessRequest, Action, Decider, Purpose, Relation, Target
from carekeep.identity import Delegation, DeviceStanding

DECIDER = Decider.load()
VERY_RESTRICTED = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality|V"
OBSERVATION = Target("Observation", ("p1",))
INSIDE, OUTSIDE = "10.1.2.3", "198.51.100.7"


@dataclass(frozen=True, slots=True)
class Person:
    """What access needs of ``identity.Principal``."""

    kind: str = "practitioner"
    fhir_user: str | None = "Practitioner/me"
    account_id: str = "a1" * 16
    session: str = "s1"
    assurance: int = 1
    authenticated_ms: int = 0
    app: str | None = None
    grants: frozenset[str] = frozenset()
    delegation: Delegation | None = None
    device: DeviceStanding | None = None


PRACTITIONER = Person()
PATIENT = Person("patient", "Patient/p1", "b2" * 16)
ADMINISTRATOR = Person("administrator", None, "c3" * 16, assurance=2)
AUDITOR = Person("auditor", None, "d4" * 16)
APP = Person("app", None, "e5" * 16)
SYSTEM = Person("app", None, "f6" * 16, grants=frozenset({"system"}))
UNKNOWN = Person("robot", None, "07" * 16)


def ask(
    principal: Person,
    action: Action,
    target: Target = OBSERVATION,
    purpose: Purpose = Purpose.TREAT,
    relations: Iterable[Relation] = (),
    *,
    break_glass: bool = False,
) -> AccessRequest:
    """A request at time 0, from inside, at no risk."""
    return AccessRequest(
        principal, action, target, purpose, frozenset(relations), break_glass, now_ms=0, risk=0, zone="inside"
    )
