"""Requests of every kind, for property tests."""

from hypothesis import strategies as st

from carekeep.access import AccessRequest, Action, Purpose, Relation, Target
from carekeep.identity import DeviceStanding
from tests.access.people import VERY_RESTRICTED, Person

TYPES = (
    "Observation",
    "Patient",
    "CareTeam",
    "Encounter",
    "Appointment",
    "Group",
    "Medication",
    "Practitioner",
    "Binary",
)
CONFIDENTIALITY = VERY_RESTRICTED.rpartition("|")[0]
ACCOUNTS = st.sampled_from(["a1" * 16, "b2" * 16])

people = st.builds(
    Person,
    kind=st.sampled_from(["practitioner", "patient", "administrator", "auditor"]),
    fhir_user=st.sampled_from([None, "Practitioner/me", "Patient/p1"]),
    account_id=ACCOUNTS,
    assurance=st.sampled_from([1, 2, 3]),
    authenticated_ms=st.integers(0, 10**8),
    app=st.sampled_from([None, "some-app"]),
    grants=st.frozensets(st.sampled_from(["system", "other"])),
    device=st.none()
    | st.builds(
        DeviceStanding,
        id=st.just("0d" * 16),
        managed=st.booleans(),
        failing=st.booleans(),
        healthy_until_ms=st.integers(0, 10**8),
    ),
)
apps = st.builds(
    Person,
    kind=st.just("app"),
    fhir_user=st.none(),
    account_id=ACCOUNTS,
    grants=st.frozensets(st.sampled_from(["system", "other"])),
)
labels = st.lists(st.sampled_from([VERY_RESTRICTED, f"{CONFIDENTIALITY}|R", f"{CONFIDENTIALITY}|N"]), max_size=2)
targets = st.builds(
    Target,
    type=st.sampled_from(TYPES),
    patients=st.sampled_from([(), ("p1",), ("p2",), ("p1", "p2")]),
    labels=labels.map(tuple),
)
relations = st.frozensets(st.sampled_from(Relation))
either = st.booleans()


def requests(
    principals: st.SearchStrategy[Person] = people | apps,
    targets: st.SearchStrategy[Target] = targets,
    relations: st.SearchStrategy[frozenset[Relation]] = relations,
    break_glass: st.SearchStrategy[bool] = either,
) -> st.SearchStrategy[AccessRequest]:
    """Any request, or any with some of its inputs fixed."""
    return st.builds(
        AccessRequest,
        principal=principals,
        action=st.sampled_from(Action),
        target=targets,
        purpose=st.sampled_from(Purpose),
        relations=relations,
        break_glass=break_glass,
        now_ms=st.integers(0, 10**8),
        risk=st.integers(0, 100),
        zone=st.sampled_from(["inside", "ward", "outside"]),
    )
