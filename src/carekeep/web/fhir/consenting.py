"""Who may write which Consent, beside what the policies say: they see that it is one, not what it says.

A patient gives consents in their own name and for themself, and changes no others. A clinician does not change a
consent that denies them something, and writes none that permits something to them by name: whoever is told "no" is not
the one to take it back, and a relation that ends must not make itself a permission that does not.
"""

from typing import Any

from carekeep.access import Action
from carekeep.access.consents import ConsentRefused, read_consent
from carekeep.identity import Kind
from carekeep.records import Stored
from carekeep.web.passage import Passage, what_of
from carekeep.web.problems import problem

Json = dict[str, Any]
_OWN = (
    "Patients give consents for themselves and in their own name: patient and performer must be you, and nobody else."
)
_NAMED = "This consent permits something to you by name. Somebody else records it: nobody consents to their own access."
_DENIED = (
    "This consent denies you something, so you cannot change it. Ask the patient, or a colleague whom it does not."
)


async def demand_own_terms(passage: Passage, action: Action, resource: Json | None, current: Stored | None) -> None:
    """Raises 403 for a Consent that this person may not write as it is. After the decision of the policies.

    ``resource`` is the new content, None for a deletion; ``current`` what is there.
    """
    before = None if current is None or current.deleted or current.type != "Consent" else current.resource
    if before is None and (resource is None or resource["resourceType"] != "Consent"):
        return
    kind = passage.principal.kind
    if kind is Kind.PATIENT:
        own = passage.principal.fhir_user
        if not all(_is_own(each, own) for each in (before, resource) if each is not None):
            raise await _refused(passage, action, current, _OWN)
    if kind is Kind.PRACTITIONER:
        names = await passage.services.relationships.names_of(passage.principal)
        if before is not None and _says(before, names, permits=False):
            raise await _refused(passage, action, current, _DENIED)
        if resource is not None and _says(resource, _themself(names), permits=True):
            raise await _refused(passage, action, current, _NAMED)


def _is_own(consent: Json, own: str | None) -> bool:
    performers = consent.get("performer")
    named = [consent.get("patient"), *(performers if isinstance(performers, list) else ())]
    return [each.get("reference") if isinstance(each, dict) else None for each in named] == [own, own]


def _themself(names: frozenset[str]) -> frozenset[str]:
    """Without the organizations, which are others as well."""
    return frozenset(name for name in names if not name.startswith("Organization/"))


def _says(consent: Json, names: frozenset[str], *, permits: bool) -> bool:
    """Whether some provision of it permits something to these by name, or denies it to them by name or with all others.

    One that cannot be read denies everybody everything, and somebody must be able to put it right.
    """
    try:
        rules = read_consent(consent)
    except ConsentRefused:
        return False
    return rules is not None and any(
        each.permits == permits and (not each.actors.isdisjoint(names) or not (permits or each.actors))
        for each in rules.root.all()
    )


async def _refused(passage: Passage, action: Action, current: Stored | None, why: str) -> Exception:
    what = () if current is None else (what_of(current),)
    await passage.record(action, "denied", what=what, patients=current.patients if current else (), reason=why)
    return problem(403, "forbidden", why)
