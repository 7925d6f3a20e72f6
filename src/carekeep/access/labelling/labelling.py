"""What a record is labelled with: by the rules, whatever its writer says, and besides by its writer.

Pure functions of resources, on the way of every write. The rules look at every Coding of a resource, in contained
resources, extensions and the entries of a Bundle too, but not at ``meta``. A resource is a tree that was parsed from
bounded text, so the walk ends; references inside of it are not followed.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from carekeep.access.labelling.codings import Coding, is_assigned, key_of, level_of
from carekeep.access.labelling.rules import Mark, Rules

Json = dict[str, Any]

# What describes no patient: definitions, terminology, and the directory. A psychiatrist is no secret.
NOT_ABOUT_PATIENTS: Final = frozenset(
    {
        "ActivityDefinition", "CapabilityStatement", "ChargeItemDefinition", "CodeSystem", "CompartmentDefinition",
        "ConceptMap", "DeviceDefinition", "EffectEvidenceSynthesis", "Endpoint", "EventDefinition", "Evidence",
        "EvidenceVariable", "ExampleScenario", "GraphDefinition", "HealthcareService", "ImplementationGuide",
        "InsurancePlan", "Library", "Location", "Measure", "MessageDefinition", "NamingSystem",
        "ObservationDefinition", "OperationDefinition", "Organization", "OrganizationAffiliation", "PlanDefinition",
        "Practitioner", "PractitionerRole", "Questionnaire", "ResearchDefinition", "ResearchElementDefinition",
        "RiskEvidenceSynthesis", "Schedule", "SearchParameter", "Slot", "SpecimenDefinition", "StructureDefinition",
        "StructureMap", "Subscription", "TerminologyCapabilities", "TestReport", "TestScript", "ValueSet",
    }
)  # fmt: skip


class Labelling:
    """Labels resources by one set of rules."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def assigned(self, resource: Json) -> list[Coding]:
        """The labels that the rules give a resource, each once, in the order of the rules that it meets."""
        marks: dict[Mark, None] = {}
        if resource.get("resourceType") not in NOT_ABOUT_PATIENTS:
            match = self.rules.match
            for system, code in _codes(resource):
                found = match(system, code)
                if found:
                    marks.update(dict.fromkeys(found))
        return _once(coding for mark in sorted(marks, key=_place) for coding in mark.codings)

    def labelled(self, resource: Json, also: Sequence[Coding] = ()) -> Json:
        """The resource with the labels that it must have; itself where nothing changes.

        ``also`` are labels that it has from what it refers to. Of the labels in it, those that say that rules gave
        them stay only while rules do; all others are their writer's, and stay. Of several levels of confidentiality
        the highest stays. Applied twice it changes nothing more.
        """
        meta = resource.get("meta")
        given = meta.get("security") if isinstance(meta, dict) else None
        assigned = self.assigned(resource)
        if also:
            assigned = _once([*assigned, *also])
        entries = _labels_of_entries(resource) if resource.get("resourceType") == "Bundle" else []
        if not assigned and not given and not entries:
            return resource
        if given is not None and not isinstance(given, list):
            return resource  # no valid resource: whoever validates it says so
        labels = _merged(given or [], _once([*assigned, *entries]))
        if labels == given:
            return resource
        kept: Json = dict(meta) if isinstance(meta, dict) else {}
        if labels:
            kept["security"] = labels
        else:
            del kept["security"]
        rest = {name: value for name, value in resource.items() if name != "meta"}
        return {**rest, "meta": kept} if kept else rest


def labels_assigned(resource: Json) -> list[Coding]:
    """The labels in a resource that rules gave it."""
    meta = resource.get("meta")
    labels = meta.get("security", ()) if isinstance(meta, dict) else ()
    return [label for label in labels if is_assigned(label)] if isinstance(labels, (list, tuple)) else []


def _codes(resource: Json) -> Iterator[tuple[str, str]]:
    """System and code of everything in a resource that has both, wherever it stands."""
    waiting: list[Any] = [resource]
    while waiting:
        node = waiting.pop()
        if type(node) is list:
            waiting += [item for item in node if type(item) is dict or type(item) is list]
            continue
        system = node.get("system")
        if system is not None:
            code = node.get("code")
            if type(code) is str and type(system) is str:
                yield system, code
        for name, value in node.items():
            if (type(value) is dict or type(value) is list) and name != "meta":
                waiting.append(value)


def _place(mark: Mark) -> tuple[str, str]:
    return mark.category, mark.sensitivity


def _once(codings: Iterable[Coding]) -> list[Coding]:
    """Each label once, and of levels of confidentiality the highest."""
    found: dict[Any, Coding] = {}
    for coding in codings:
        found.setdefault(key_of(coding), coding)
    return _highest(list(found.values()))


def _highest(labels: list[Coding]) -> list[Coding]:
    """Without the levels of confidentiality but the highest, or the first of several that are."""
    levels = [(level, -place) for place, label in enumerate(labels) if (level := level_of(label)) is not None]
    if not levels:
        return labels
    stays = -max(levels)[1]
    return [label for place, label in enumerate(labels) if place == stays or level_of(label) is None]


def _merged(given: Sequence[Any], assigned: list[Coding]) -> list[Any]:
    ours = {key_of(label) for label in assigned}
    own = [label for label in given if key_of(label) not in ours and not is_assigned(label)]
    if not assigned:
        return own
    return _highest([*own, *assigned])


def _labels_of_entries(bundle: Json) -> list[Coding]:
    """What the entries of a Bundle say of themselves: it holds for the whole (high-water mark)."""
    entries = bundle.get("entry")
    if not isinstance(entries, list):
        return []
    found: list[Coding] = []
    for entry in entries:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        meta = resource.get("meta") if isinstance(resource, dict) else None
        labels = meta.get("security") if isinstance(meta, dict) else None
        found += [label for label in labels if isinstance(label, dict)] if isinstance(labels, list) else []
    return _once(found)
