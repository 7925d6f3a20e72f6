"""What the policies make of an agreement, whatever the request: a no only narrows, a yes only opens what it is for."""

from dataclasses import replace

from hypothesis import given

from carekeep.access import AccessRequest, Action, Purpose, Relation, Target
from carekeep.access.vocabulary import Agreement
from tests.access.people import DECIDER, PATIENT, PRACTITIONER, ask
from tests.access.requests import requests

READING = {Action.READ, Action.VREAD, Action.HISTORY}
CARE = {Purpose.TREAT, Purpose.ETREAT, Purpose.COC}
LAWFUL = {Purpose.PATADMIN, Purpose.PUBHLTH, Purpose.RECORDMGT, Purpose.HCOMPL, Purpose.HSYSADMIN}


def permitted(request: AccessRequest, agreement: Agreement, *, named: bool = False) -> bool:
    return DECIDER.decide(replace(request, consent=agreement, consent_names=named)).permitted


@given(requests())
def test_a_no_only_narrows(request: AccessRequest) -> None:
    if permitted(request, Agreement.DENY):
        assert permitted(request, Agreement.NONE)


@given(requests())
def test_a_no_is_obeyed(request: AccessRequest) -> None:
    """But for one's own, emergencies and what law asks for, nothing of a patient is read against it."""
    if request.action not in READING or not request.target.patients or not permitted(request, Agreement.DENY):
        return
    emergency = request.break_glass and request.purpose is Purpose.ETREAT
    assert emergency or Relation.SELF in request.relations or request.purpose in LAWFUL


@given(requests())
def test_a_yes_that_names_nobody_opens_research_and_nothing_else(request: AccessRequest) -> None:
    if permitted(request, Agreement.PERMIT) != permitted(request, Agreement.NONE):
        assert request.purpose is Purpose.HRESCH
        assert request.action in READING


@given(requests())
def test_a_yes_by_name_opens_reading_to_those_who_are_known(request: AccessRequest) -> None:
    if permitted(request, Agreement.NONE) or not permitted(request, Agreement.PERMIT, named=True):
        return
    assert request.action in READING
    who = request.principal
    if request.purpose in CARE:
        assert (who.kind, who.fhir_user is not None) == ("practitioner", True)
    elif request.purpose is Purpose.PATRQT:
        assert (who.kind, Relation.DELEGATE in request.relations) == ("patient", True)
    else:
        assert request.purpose is Purpose.HRESCH


def test_an_hour_of_emergency_makes_no_consent() -> None:
    consent = Target("Consent", ("p1",))
    emergency = ask(PRACTITIONER, Action.CREATE, consent, Purpose.ETREAT, break_glass=True)
    assert DECIDER.decide(emergency).policies == ("consent.not-in-emergency",)


def test_who_acts_for_a_patient_writes_nothing() -> None:
    for type_ in ("Consent", "Observation"):
        for action in (Action.CREATE, Action.UPDATE, Action.DELETE, Action.GUEST_MANAGE, Action.PATIENT_EXPORT):
            request = ask(PATIENT, action, Target(type_, ("p1",)), Purpose.PATRQT, [Relation.DELEGATE])
            assert not permitted(request, Agreement.PERMIT, named=True)
