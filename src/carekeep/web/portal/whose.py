"""Whose records a page is about: one's own, or those of the patient for whom one acts."""

from carekeep.web.sites import Visit, nothing_here


async def patient_of(to: Visit) -> str:
    """The patient's id. Raises 404 for an account that is nobody's, or that acts for nobody at this moment."""
    patients = await to.passage.patients_in_sight()
    if not patients:
        raise nothing_here()
    (patient,) = patients
    return patient
