"""What policies can see, of every kind, for property tests."""

from hypothesis import strategies as st

from carekeep.access import Action, DeviceTrust, Purpose, Relation
from carekeep.access.decision import Visible
from carekeep.access.vocabulary import PRINCIPAL_TYPES, RECORD_OF_PATIENT, RECORD_SHARED, Agreement

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
NOBODY: frozenset[Relation] = frozenset()
every_action = st.sampled_from(Action)
every_kind = st.sampled_from(sorted(PRINCIPAL_TYPES))
any_relations = st.frozensets(st.sampled_from(Relation), max_size=3)
agreements = st.sampled_from(Agreement)
either = st.booleans()


@st.composite
def visibles(
    draw: st.DrawFn,
    actions: st.SearchStrategy[Action] = every_action,
    kinds: st.SearchStrategy[str] = every_kind,
    relations: st.SearchStrategy[frozenset[Relation]] = any_relations,
    break_glass: st.SearchStrategy[bool] = either,
    consent: st.SearchStrategy[Agreement] = agreements,
    shared: st.SearchStrategy[bool] = either,
) -> Visible:
    """Anything that policies can see, or with some of it fixed."""
    action = draw(actions)
    entity = action.entity_types[0]
    if entity == RECORD_OF_PATIENT and draw(shared):
        entity = RECORD_SHARED
    types = st.sampled_from(["Observation", "Patient", "Consent", "Group", "Encounter", "Medication", "Subscription"])
    labels = st.lists(st.sampled_from([f"{CONFIDENTIALITY}|{code}" for code in "NRV"]), max_size=2)
    return Visible(
        kind=draw(kinds),
        account=draw(st.sampled_from(["a1" * 16, "b2" * 16])),
        identified=draw(st.booleans()),
        grants=draw(st.frozensets(st.sampled_from(["system", "scim", "mdm"]))),
        app=draw(st.sampled_from([None, "some-app"])),
        action=action,
        entity=entity,
        type=draw(types),
        labels=tuple(draw(labels)),
        purpose=draw(st.sampled_from(Purpose)),
        relations=draw(relations),
        break_glass=draw(break_glass),
        assurance=draw(st.sampled_from([1, 2, 3])),
        authenticated_minutes=draw(st.sampled_from([0, 15, 60, 1440])),
        risk=draw(st.sampled_from([0, 60, 90])),
        zone=draw(st.sampled_from(["inside", "outside", "visitors"])),
        device=draw(st.sampled_from(DeviceTrust)),
        consent=draw(consent),
        consent_names=draw(st.booleans()),
    )
