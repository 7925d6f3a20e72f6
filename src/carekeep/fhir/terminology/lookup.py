"""``CodeSystem/$lookup`` (FHIR R4): everything that is known of one code."""

from collections.abc import Sequence
from typing import Any

from carekeep.fhir.terminology.code_system import CodeSystem, Concept
from carekeep.fhir.terminology.library import TerminologyRefused

Json = dict[str, Any]


def look_up(system: CodeSystem, code: str, properties: Sequence[str] = ()) -> Json:
    """The Parameters of the answer; ``properties`` narrows the properties to these codes, if there are any.

    Raises TerminologyRefused ("not-found") for a code that the system does not have.
    """
    concept = system.find(code)
    if concept is None:
        some = "" if system.complete else " It is loaded in part only, so the code may exist all the same."
        raise TerminologyRefused(f"The code system has no such code.{some}", "not-found")
    told: list[Json] = [{"name": "name", "valueString": system.name}]
    if system.version is not None:
        told.append({"name": "version", "valueString": system.version})
    # The standard wants a display; the code is what people see where a system gives its codes no names.
    told.append({"name": "display", "valueString": concept.display or concept.code})
    told += [_designation(each) for each in concept.designations]
    told += [each for each in _properties(concept) if not properties or each["part"][0]["valueCode"] in properties]
    return {"resourceType": "Parameters", "parameter": told}


def _designation(designation: Json) -> Json:
    parts: list[Json] = []
    if "language" in designation:
        parts.append({"name": "language", "valueCode": designation["language"]})
    if "use" in designation:
        parts.append({"name": "use", "valueCoding": designation["use"]})
    parts.append({"name": "value", "valueString": designation["value"]})
    return {"name": "designation", "part": parts}


def _properties(concept: Concept) -> list[Json]:
    told = [_property("parent", {"valueCode": parent}) for parent in concept.parents]
    told += [_property(each["code"], _value(each)) for each in concept.properties if each["code"] != "parent"]
    if concept.definition is not None:
        told.append(_property("definition", {"valueString": concept.definition}))
    return told


def _property(code: str, value: Json) -> Json:
    return {"name": "property", "part": [{"name": "code", "valueCode": code}, {"name": "value", **value}]}


def _value(property_: Json) -> Json:
    return {name: value for name, value in property_.items() if name.startswith("value")}
