"""Whose record the pages of a patient are about, where only the patient themself may act."""

from carekeep.web.problems import problem
from carekeep.web.sites import Visit

_PATIENT = "Patient/"


def own_patient(to: Visit) -> str:
    """The id of the patient who sits there. Raises 403 for who acts for a patient, or has no record here."""
    who = to.account.fhir_user or ""
    if not who.startswith(_PATIENT):
        raise problem(403, "forbidden", "This page is for patients themselves; you have no record of your own here.")
    return who.removeprefix(_PATIENT)
