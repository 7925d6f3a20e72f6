"""The invariants of R4 that are asked often, as functions instead of FHIRPath.

Most of them are about which elements may, must or must not occur together, and are given as data. The rest compare
dates, codes and codings. A rule is asked only about objects whose elements have the right types. All other invariants
come from :mod:`carekeep.fhir.validation.expressions`; a test asks both, and another implementation, the same questions.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from carekeep.fhir.validation.bundles import BUNDLE_CHECKS
from carekeep.fhir.validation.expressions import expression_rules
from carekeep.fhir.validation.instants import may_precede
from carekeep.fhir.validation.rule import Rule

Json = dict[str, Any]
Check = Callable[[Json], bool]
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"


def rules_of(shape: str) -> tuple[Rule, ...]:
    """The rules for a type ("Period") or backbone element ("Patient.contact"), in the order of the standard."""
    if shape == "Extension":
        # ext-1 stands at the type; a value that is only a half ("_valueCode") counts.
        return (Rule("Extension", "ext-1", _extension, "Must have either extensions or a value, not both (ext-1)"),)
    rules = expression_rules(shape)
    return tuple(replace(rule, holds=FUNCTIONS.get((rule.path, rule.key), rule.holds)) for rule in rules)


def _has(value: Json, element: str) -> bool:
    if element in value or "_" + element in value:
        return True
    if not element.endswith("[x]"):
        return False
    stem = element[:-3]
    return any(name.lstrip("_").startswith(stem) for name in value)


def _needs(element: str, other: str) -> Check:
    return lambda value: not _has(value, element) or _has(value, other)


def _excludes(element: str, other: str) -> Check:
    return lambda value: not (_has(value, element) and _has(value, other))


def _some(*elements: str) -> Check:
    return lambda value: any(_has(value, element) for element in elements)


def _one(*elements: str) -> Check:
    return lambda value: sum(_has(value, element) for element in elements) == 1


def _together(element: str, other: str) -> Check:
    return lambda value: _has(value, element) == _has(value, other)


def _extension(value: Json) -> bool:
    return ("extension" in value) != _has(value, "value[x]")


def _not_before(later: str, earlier: str) -> Check:
    def holds(value: Json) -> bool:
        return later not in value or earlier not in value or may_precede(value[earlier], value[later])

    return holds


def _has_code(value: Json, element: str, system: str, *codes: str) -> bool:
    codings = value.get(element, {}).get("coding", ())
    return any(c.get("system") == _TERMINOLOGY + system and c.get("code") in codes for c in codings)


def _not_negative(element: str) -> Check:
    return lambda value: value.get(element, 0) >= 0


def _ratio(value: Json) -> bool:
    both = _has(value, "numerator") == _has(value, "denominator")
    return both and (_has(value, "numerator") or _has(value, "extension"))


def _range(value: Json) -> bool:
    low, high = value.get("low", {}), value.get("high", {})
    if low.get("code", low.get("unit")) != high.get("code", high.get("unit")):
        return True  # units that differ are not compared
    return low.get("value") is None or high.get("value") is None or bool(low["value"] <= high["value"])


def _observation_components(value: Json) -> bool:
    if not _has(value, "value[x]"):
        return True
    own = [(c.get("system"), c.get("code")) for c in value.get("code", {}).get("coding", ())]
    return not any(
        (c.get("system"), c.get("code")) in own
        for component in value.get("component", ())
        for c in component.get("code", {}).get("coding", ())
    )


def _allergy_status(value: Json) -> bool:
    return _has(value, "clinicalStatus") or _has_code(
        value, "verificationStatus", "allergyintolerance-verification", "entered-in-error"
    )


def _allergy_error(value: Json) -> bool:
    wrong = _has_code(value, "verificationStatus", "allergyintolerance-verification", "entered-in-error")
    return not (wrong and _has(value, "clinicalStatus"))


def _condition_abatement(value: Json) -> bool:
    over = ("resolved", "remission", "inactive")
    return not _has(value, "abatement[x]") or _has_code(value, "clinicalStatus", "condition-clinical", *over)


def _condition_error(value: Json) -> bool:
    wrong = _has_code(value, "verificationStatus", "condition-ver-status", "entered-in-error")
    return not (wrong and _has(value, "clinicalStatus"))


def _appointment_times(value: Json) -> bool:
    known = _has(value, "start") and _has(value, "end")
    return known or value.get("status") in {"proposed", "cancelled", "waitlist"}


def _appointment_reason(value: Json) -> bool:
    return not _has(value, "cancelationReason") or value.get("status") in {"noshow", "cancelled"}


def _parameter(value: Json) -> bool:
    contents = sum(_has(value, element) for element in ("part", "value[x]", "resource"))
    return contents == 1


def _group_members(value: Json) -> bool:
    return "member" not in value or value.get("actual") is True


def _deleted_entries(value: Json) -> bool:
    return value.get("mode") == "changes" or not any(_has(entry, "deleted") for entry in value.get("entry", ()))


def _dated_entries(value: Json) -> bool:
    return value.get("mode") == "working" or not any(_has(entry, "date") for entry in value.get("entry", ()))


FUNCTIONS: Final[dict[tuple[str, str], Check]] = {
    ("AllergyIntolerance", "ait-1"): _allergy_status,
    ("AllergyIntolerance", "ait-2"): _allergy_error,
    ("Appointment", "app-2"): _together("start", "end"),
    ("Appointment", "app-3"): _appointment_times,
    ("Appointment", "app-4"): _appointment_reason,
    ("Appointment.participant", "app-1"): _some("type", "actor"),
    ("AppointmentResponse", "apr-1"): _some("participantType", "actor"),
    ("Attachment", "att-1"): _needs("data", "contentType"),
    ("AuditEvent.entity", "sev-1"): _excludes("name", "query"),
    ("CarePlan.activity", "cpl-3"): _excludes("detail", "reference"),
    ("Composition.section", "cmp-1"): _some("text", "entry", "section"),
    ("Composition.section", "cmp-2"): _excludes("emptyReason", "entry"),
    ("Condition", "con-4"): _condition_abatement,
    ("Condition", "con-5"): _condition_error,
    ("Condition.evidence", "con-2"): _some("code", "detail"),
    ("Condition.stage", "con-1"): _some("summary", "assessment"),
    ("Consent", "ppc-1"): _some("policy", "policyRule"),
    ("ContactPoint", "cpt-2"): _needs("value", "system"),
    ("CoverageEligibilityResponse.insurance.item", "ces-1"): _one("category", "productOrService"),
    ("DataRequirement.codeFilter", "drq-1"): _one("path", "searchParam"),
    ("DataRequirement.dateFilter", "drq-2"): _one("path", "searchParam"),
    ("Expression", "exp-1"): _some("expression", "reference"),
    ("FamilyMemberHistory", "fhs-1"): _excludes("age[x]", "born[x]"),
    ("FamilyMemberHistory", "fhs-2"): _needs("estimatedAge", "age[x]"),
    ("Goal.target", "gol-1"): _needs("detail[x]", "measure"),
    ("Group", "grp-1"): _group_members,
    ("Immunization.education", "imm-1"): _some("documentType", "reference"),
    ("ImmunizationRecommendation.recommendation", "imr-1"): _some("vaccineCode", "targetDisease"),
    ("InsurancePlan", "ipn-1"): _some("identifier", "name"),
    ("Linkage", "lnk-1"): lambda value: len(value.get("item", ())) > 1,
    ("List", "lst-1"): _excludes("emptyReason", "entry"),
    ("List", "lst-2"): _deleted_entries,
    ("List", "lst-3"): _dated_entries,
    ("MedicationAdministration.dosage", "mad-1"): _some("dose", "rate[x]"),
    ("MedicationDispense", "mdd-1"): _not_before("whenHandedOver", "whenPrepared"),
    ("Observation", "obs-6"): _excludes("dataAbsentReason", "value[x]"),
    ("Observation", "obs-7"): _observation_components,
    ("Observation.referenceRange", "obs-3"): _some("low", "high", "text"),
    ("Organization", "org-1"): _some("identifier", "name"),
    ("Parameters.parameter", "inv-1"): _parameter,
    ("Patient.contact", "pat-1"): _some("name", "telecom", "address", "organization"),
    ("Period", "per-1"): _not_before("end", "start"),
    ("QuestionnaireResponse.item", "qrs-1"): _excludes("answer", "item"),
    ("Range", "rng-2"): _range,
    ("Ratio", "rat-1"): _ratio,
    ("RequestGroup.action", "rqg-1"): _one("resource", "action"),
    ("ServiceRequest", "prr-1"): _needs("orderDetail", "code"),
    ("Task", "inv-1"): _not_before("lastModified", "authoredOn"),
    ("Timing.repeat", "tim-1"): _needs("duration", "durationUnit"),
    ("Timing.repeat", "tim-2"): _needs("period", "periodUnit"),
    ("Timing.repeat", "tim-4"): _not_negative("duration"),
    ("Timing.repeat", "tim-5"): _not_negative("period"),
    ("Timing.repeat", "tim-6"): _needs("periodMax", "period"),
    ("Timing.repeat", "tim-7"): _needs("durationMax", "duration"),
    ("Timing.repeat", "tim-8"): _needs("countMax", "count"),
    ("Timing.repeat", "tim-10"): _excludes("timeOfDay", "when"),
    **{(kind, "qty-3"): _needs("code", "system") for kind in ("Age", "Count", "Distance", "Duration", "Quantity")},
    **BUNDLE_CHECKS,
}
