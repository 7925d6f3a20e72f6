"""Elements of records as the words of a table's cell: plain text, still to be escaped."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

Json = dict[str, Any]
# A cell of a table: the record, and the records it may refer to by reference.
Cell = Callable[[Json, Mapping[str, Json]], str]
_DATED = ("DateTime", "Date", "Period", "Instant", "String", "Age", "Range")


def concept(name: str) -> Cell:
    """A CodeableConcept, or several."""
    return lambda resource, _: listed(concept_text(each) for each in several(resource.get(name)))


def code(name: str) -> Cell:
    """A code as it is."""
    return lambda resource, _: str(resource.get(name, ""))


def notes(resource: Json, _: Mapping[str, Json]) -> str:
    """The text of all annotations."""
    return listed(each.get("text", "") for each in resource.get("note", ()))


def when(*names: str) -> Cell:
    """The first of these elements that is there, of whatever type of time."""

    def cell(resource: Json, _: Mapping[str, Json]) -> str:
        for name in names:
            for key in (name, *(name + kind for kind in _DATED)):
                if key in resource:
                    return time_text(resource[key])
        return ""

    return cell


def referred(concept_name: str, reference_name: str) -> Cell:
    """What a record is about: said in a CodeableConcept, or in another record that it refers to."""

    def cell(resource: Json, known: Mapping[str, Json]) -> str:
        if concept_name in resource:
            return concept_text(resource[concept_name])
        return reference_text(resource.get(reference_name, {}), resource, known)

    return cell


def concept_text(value: Json) -> str:
    """The words that the author chose, else those of the code, else the code."""
    for coding in ({"display": value.get("text")}, *value.get("coding", ())):
        if coding.get("display"):
            return str(coding["display"])
    return listed(coding.get("code", "") for coding in value.get("coding", ()))


def reference_text(reference: Json, resource: Json, known: Mapping[str, Json]) -> str:
    """The name of what is referred to: in the reference, in a contained resource, or in another record."""
    if "display" in reference:
        return str(reference["display"])
    target = reference.get("reference", "")
    inside = {f"#{each.get('id')}": each for each in resource.get("contained", ())}
    found = inside.get(target) or known.get(target, {})
    names = [each.get("name", "") for each in found.get("deviceName", ())]
    return concept_text(found.get("code") or found.get("type") or {}) or listed(names)


def time_text(value: Any) -> str:
    """A date, period, range, quantity or words."""
    if not isinstance(value, dict):
        return str(value)
    if "start" in value or "end" in value:
        return f"{value.get('start', '…')} to {value.get('end', '…')}"
    if "low" in value or "high" in value:
        return f"{amount(value.get('low', {}))} to {amount(value.get('high', {}))}"
    return amount(value)


def amount(quantity: Json) -> str:
    """A Quantity, with its digits as they were written."""
    number = f"{quantity.get('comparator', '')}{quantity.get('value', '')}"
    return f"{number} {quantity.get('unit', quantity.get('code', ''))}".strip()


def result(resource: Json, _: Mapping[str, Json]) -> str:
    """What an Observation or DiagnosticReport says: its value, its components, or its conclusion."""
    parts = [f"{concept_text(each.get('code', {}))}: {_value(each)}" for each in resource.get("component", ())]
    return listed([_value(resource), *parts, resource.get("conclusion", "")])


def _value(element: Json) -> str:
    for name, value in element.items():
        if not name.startswith("value"):
            continue
        if name == "valueCodeableConcept":
            return concept_text(value)
        if name == "valueRatio":
            return f"{amount(value.get('numerator', {}))} / {amount(value.get('denominator', {}))}"
        if isinstance(value, bool):
            return "yes" if value else "no"
        return "see the record" if name == "valueSampledData" else time_text(value)
    return concept_text(element.get("dataAbsentReason", {}))


def dosage(resource: Json, _: Mapping[str, Json]) -> str:
    """How a medication is taken, as far as somebody wrote it in words."""
    lines = resource.get("dosage") or resource.get("dosageInstruction") or ()
    return listed(each.get("text") or each.get("patientInstruction", "") for each in lines)


def reactions(resource: Json, _: Mapping[str, Json]) -> str:
    """How an allergy showed itself."""
    shown = (each for reaction in resource.get("reaction", ()) for each in reaction.get("manifestation", ()))
    return listed(concept_text(each) for each in shown)


def human_name(resource: Json) -> str:
    """The first name of a person, in the order in which it is said."""
    for name in resource.get("name", ()):
        said = name.get("text") or " ".join((*name.get("given", ()), name.get("family", "")))
        if said.strip():
            return str(said)
    return ""


def several(value: Any) -> list[Json]:
    """One or many, or none, as a list."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def listed(texts: Iterable[str]) -> str:
    """The texts that say something, each once."""
    return "; ".join(dict.fromkeys(text for text in texts if text))
