"""What is not permitted here is denied: every kind of account, relation, purpose and action against a table."""

import itertools

import pytest

from carekeep.access import Action, Decider, PolicyFile, Purpose, Relation, Target
from tests.access.people import (
    ADMINISTRATOR,
    APP,
    AUDITOR,
    DECIDER,
    OBSERVATION,
    PATIENT,
    PRACTITIONER,
    SYSTEM,
    UNKNOWN,
    Person,
    ask,
)

WHO = {
    "practitioner": PRACTITIONER,
    "patient": PATIENT,
    "administrator": ADMINISTRATOR,
    "auditor": AUDITOR,
    "app": APP,
    "system": SYSTEM,
    "robot": UNKNOWN,
}
RELATIONS = ("none", *Relation)
ADMINISTRATION = (
    "account-manage account-recover session-manage device-manage client-manage key-manage key-destroy "
    "policy-read policy-manage disposal-manage witness-manage overview-read"
)
OWN = (
    "link-manage guest-manage disclosure-read access-question delegate-invite "
    "appointment-book appointment-change message-send amendment-ask"
)
AUDITING = "ledger-read ledger-prove policy-read disclosure-read entry-import overview-read"
REVIEWING = "review-read review-answer"
# Towards a question: whom it is put to is its owner, whom it is about is its self.
REVIEWERS = {"practitioner": {"owner"}, "administrator": {"owner"}, "auditor": set(RELATIONS) - {"self"}}
EVERYONE = "capability-read session sign-out device-enrol"

# Towards an Observation of a patient. "*" is any; a line that fits earlier counts. What no line permits is denied.
PATIENTS_RECORD = f"""
practitioner   TREAT      *    care-team    search read vread history create update delete guest-manage amendment-answer
practitioner   TREAT      *    encounter    search read vread history create update
practitioner   TREAT      *    appointment  search read vread history create update
practitioner   TREAT      *    *            search
practitioner   ETREAT     *    care-team    search read vread history create update delete break-glass
practitioner   ETREAT     *    encounter    search read vread history create update break-glass
practitioner   ETREAT     *    appointment  search read vread history create update break-glass
practitioner   ETREAT     yes  *            search read vread history create break-glass
practitioner   ETREAT     no   *            search break-glass
practitioner   COC        *    care-team    search read vread history create update delete guest-manage amendment-answer
practitioner   COC        *    encounter    search read vread history create update
practitioner   COC        *    appointment  search read vread history create update
practitioner   COC        *    *            search
practitioner   PATADMIN   *    *            search
practitioner   HRESCH     *    *            search
patient        PATRQT     *    self         search read vread history patient-export {OWN}
patient        PATRQT     *    acts-for     search link-manage
patient        PATRQT     *    *            search
administrator  *          *    *            {ADMINISTRATION}
auditor        *          *    *            {AUDITING}
system         PATRQT     *    *
system         HRESCH     *    *            search bulk-export
system         HCOMPL     *    *
system         HSYSADMIN  *    *
system         *          *    *            search read vread history create update delete bulk-export bulk-import
"""

# Towards records that belong to no patient. An "other" type is one that is neither directory nor catalogue.
SHARED_RECORD = """
practitioner   TREAT      catalogue  read vread history create
practitioner   TREAT      directory  read vread history
patient        PATRQT     catalogue  read vread history
patient        PATRQT     directory  read vread history
practitioner   TREAT      owned      read vread history create update delete
patient        PATRQT     owned      read vread history create update delete
system         HOPERAT    *          read vread history create update delete
"""
TYPES = {
    "catalogue": ("Medication", "Substance"),
    "directory": ("Practitioner", "PractitionerRole", "Organization", "Location", "ValueSet", "Slot"),
    "owned": ("Subscription",),
    "other": ("Group", "Binary", "Bundle", "List", "Observation", "Patient", "Provenance", "AuditEvent"),
}
SHARED_PURPOSES = {"practitioner": Purpose.TREAT, "patient": Purpose.PATRQT, "system": Purpose.HOPERAT}
RECORD_ACTIONS = [action for action in Action if action.startswith("fhir:record:")]


def lookup(table: str, *question: str) -> set[str]:
    for line in table.strip().splitlines():
        words = line.split()
        if all(cell in ("*", value) for cell, value in zip(words, question, strict=False)):
            return set(words[len(question) :])
    return set()


def name(action: Action) -> str:
    return action.name.lower().replace("_", "-")


@pytest.mark.parametrize("purpose", Purpose)
@pytest.mark.parametrize("who", WHO)
def test_a_patients_record(who: str, purpose: Purpose) -> None:
    for glass, relation in itertools.product(("no", "yes"), RELATIONS):
        expected = lookup(PATIENTS_RECORD, who, purpose, glass, relation)
        expected |= set() if who == "robot" else set(EVERYONE.split())
        expected |= set() if who in {"app", "system", "robot"} else {"authenticator-change"}
        expected |= set(REVIEWING.split()) if relation in REVIEWERS.get(who, ()) else set()
        relations = () if relation == "none" else (Relation(relation),)
        permitted = {
            name(action)
            for action in Action
            if DECIDER.decide(
                ask(WHO[who], action, OBSERVATION, purpose, relations, break_glass=glass == "yes")
            ).permitted
        }
        assert permitted == expected, (who, purpose, glass, relation)


@pytest.mark.parametrize("group", TYPES)
@pytest.mark.parametrize("who", WHO)
def test_a_record_that_belongs_to_no_patient(who: str, group: str) -> None:
    purpose = SHARED_PURPOSES.get(who, Purpose.TREAT)
    for type_ in TYPES[group]:
        # Nothing counts here but that something is kept for its owner; so emergencies and all relations are claimed.
        permitted = {
            name(action)
            for action in RECORD_ACTIONS
            if DECIDER.decide(ask(WHO[who], action, Target(type_), purpose, Relation, break_glass=True)).permitted
        }
        assert permitted == lookup(SHARED_RECORD, who, purpose, group), (who, type_)


def test_the_tables_are_read_as_they_are_meant() -> None:
    assert lookup(PATIENTS_RECORD, "practitioner", "TREAT", "no", "none") == {"search"}
    assert "delete" in lookup(PATIENTS_RECORD, "practitioner", "TREAT", "yes", "care-team")
    assert lookup(PATIENTS_RECORD, "robot", "TREAT", "yes", "self") == set()
    words = {word for line in PATIENTS_RECORD.split("\n") for word in line.split()[4:]}
    assert words <= {name(action) for action in Action}


@pytest.mark.parametrize(
    ("principal", "policies"),
    [(ADMINISTRATOR, ("administrator.no-records",)), (AUDITOR, ("auditor.no-records",)), (UNKNOWN, ()), (APP, ())],
)
def test_who_is_refused_is_told_by_what(principal: Person, policies: tuple[str, ...]) -> None:
    decision = DECIDER.decide(ask(principal, Action.READ, relations=Relation, break_glass=True))
    assert not decision.permitted
    assert decision.policies == policies
    assert decision.reason.startswith("Denied: ")


def test_a_decider_of_forbids_alone_permits_nothing() -> None:
    forbids = [policy.text for policy in DECIDER.policies if not policy.permits]
    assert forbids
    decider = Decider.load()
    decider.reload([PolicyFile("forbids.cedar", "\n".join(forbids))])
    for principal, action in itertools.product(WHO.values(), Action):
        assert not decider.decide(ask(principal, action, relations=Relation, break_glass=True)).permitted
