"""A store for random questions, and the questions: made of what is in the store, so that they often find something."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from carekeep.fhir import search_parameters
from carekeep.fhir.search import SearchParameter
from carekeep.simulation import Hospital
from tests.web.search_model import Json, Store, codings, plain, strings, values

PREFIXES = ["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]
TYPES = ["Patient", "Observation", "Encounter", "Condition", "Appointment", "MedicationRequest", "DiagnosticReport",
         "Practitioner", "PractitionerRole", "Organization", "CareTeam", "Device", "Immunization", "Group"]  # fmt: skip
# Parameters whose rules the model does not tell, or whose values the questions do not make.
LEFT_OUT = {"near", "phonetic", "_text", "_content", "_query", "_id"}
Pair = tuple[str, str]


def charts(patients: int) -> list[Json]:
    """The charts and the directory of a small hospital, thinned out, with the odd records that it never writes."""
    hospital = Hospital(5, patients, datetime(2026, 6, 1, tzinfo=UTC))
    seen: dict[tuple[str, str], int] = {}
    kept: list[Json] = []
    for chart in hospital.people():
        for resource in chart.resources:
            key = (chart.resources[0]["id"], resource["resourceType"])
            seen[key] = seen.get(key, 0) + 1
            if seen[key] <= 6:
                kept.append(resource)
    for resource in hospital.directory():
        key = ("", resource["resourceType"])
        seen[key] = seen.get(key, 0) + 1
        if seen[key] <= 8:
            kept.append(resource)
    first, second = [each["id"] for each in kept if each["resourceType"] == "Patient"][:2]
    return [*kept, *odd(first, second)]


def odd(first: str, second: str) -> list[Json]:
    """Two patients in one record, records of nobody, versions in references, open periods, comparators."""
    one, two = {"reference": f"Patient/{first}"}, {"reference": f"Patient/{second}"}
    unit = {"system": "http://unitsofmeasure.org", "code": "mg", "unit": "mg"}
    coded = {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}], "text": "Pulse"}
    return [
        {"resourceType": "Appointment", "id": "both", "status": "booked",
         "participant": [{"actor": one, "status": "accepted"}, {"actor": two, "status": "accepted"}]},
        {"resourceType": "Appointment", "id": "both-turned", "status": "fulfilled",
         "participant": [{"actor": two, "status": "accepted"}, {"actor": one, "status": "accepted"}]},
        {"resourceType": "Group", "id": "pair", "type": "person", "actual": True, "name": "Pair",
         "member": [{"entity": two}, {"entity": one}]},
        {"resourceType": "Observation", "id": "of-nobody", "status": "final", "code": coded,
         "valueQuantity": {"value": 5.40, **unit}},
        {"resourceType": "Observation", "id": "of-a-group", "status": "final", "code": coded,
         "subject": {"reference": "Group/pair"}, "performer": [one], "valueQuantity": {"value": 5.4, "code": "g"}},
        {"resourceType": "Observation", "id": "versioned", "status": "final", "code": {"text": "Puls"},
         "subject": {"reference": f"Patient/{second}/_history/1"}, "effectivePeriod": {"start": "2025-03"}},
        {"resourceType": "Condition", "id": "named-only",
         "subject": {**one, "identifier": {"system": "urn:mrn", "value": "77"}},
         "onsetPeriod": {"end": "2025-03-04T10:00:00+05:00"}},
        # Nobody but a system may read the Observation that belongs to nobody, though all may read around it.
        {"resourceType": "DiagnosticReport", "id": "on-nobody", "status": "final", "code": coded, "subject": one,
         "result": [{"reference": "Observation/of-nobody"}]},
        {"resourceType": "Observation", "id": "about-one", "status": "final", "code": coded, "focus": [one, two],
         "hasMember": [{"reference": "Observation/versioned"}, {"reference": "Observation/of-nobody"}]},
        {"resourceType": "Organization", "id": "part", "name": "Łódź O'Brien Part-Clinic",
         "partOf": {"reference": "Organization/whole"}},
        {"resourceType": "Organization", "id": "whole", "name": "Whole Clinic",
         "partOf": {"reference": "Organization/part"}},
    ]  # fmt: skip


@st.composite
def questions(draw: st.DrawFn, store: Store) -> tuple[str, list[Pair]]:
    """A type and one to three parameters."""
    type_ = draw(st.sampled_from([each for each in TYPES if _of(store, each)]))
    pairs = [draw(pair(store, type_, 0)) for _ in range(draw(st.integers(1, 3)))]
    return type_, pairs


@st.composite
def pair(draw: st.DrawFn, store: Store, type_: str, depth: int) -> Pair:
    """One parameter of a type, made of a resource in the store."""
    resource = draw(st.sampled_from(_of(store, type_)))
    kind = draw(st.integers(0, 6)) if depth < 2 else 0
    if kind in {3, 4} and (chained := draw(_chain(store, resource, depth))):
        return chained
    if kind in {5, 6} and (has := draw(_has(store, resource, depth))):
        return has
    usable = [each for each in search_parameters(type_).values() if _usable(each, resource)]
    parameter = draw(st.sampled_from(usable))
    if draw(st.integers(0, 11)) == 0:
        return f"{parameter.code}:missing", draw(st.sampled_from(["true", "false"]))
    element = draw(st.sampled_from(values(resource, parameter)))
    modifier, text = draw(_VALUES[parameter.type](element, parameter))
    return parameter.code + (f":{modifier}" if modifier else ""), text


def _of(store: Store, type_: str) -> list[Json]:
    return [each for each in store.values() if each["resourceType"] == type_]


def _usable(parameter: SearchParameter, resource: Json) -> bool:
    known = parameter.code not in LEFT_OUT and parameter.type in _VALUES and "exists()" not in parameter.expression
    return known and any(_asks(parameter, each) for each in values(resource, parameter))


def _asks(parameter: SearchParameter, element: Any) -> bool:
    if parameter.type == "reference":
        return isinstance(element, dict) and "/" in element.get("reference", "")
    if parameter.type == "token":
        return any(True for _ in codings(element))
    if parameter.type == "string":
        return bool(strings(element))
    if parameter.type == "quantity":
        return isinstance(element, dict) and "value" in element
    return parameter.type != "date" or isinstance(element, str) or bool({"start", "end"} & set(element))


def pointing(store: Store) -> list[tuple[str, str, str]]:
    """Every way in which a record refers to another: its type, the parameter, and the record that it refers to."""
    if id(store) not in _POINTING:
        _POINTING[id(store)] = sorted(
            {
                (other["resourceType"], parameter.code, each["reference"])
                for other in store.values()
                for parameter in search_parameters(other["resourceType"]).values()
                if parameter.type == "reference"
                for each in values(other, parameter)
                if isinstance(each, dict)
                and each.get("reference") in store
                and each["reference"].partition("/")[0] in parameter.targets
            }
        )
    return _POINTING[id(store)]


_POINTING: dict[int, list[tuple[str, str, str]]] = {}


@st.composite
def _chain(draw: st.DrawFn, store: Store, resource: Json, depth: int) -> Pair | None:
    parameters = search_parameters(resource["resourceType"]).values()
    links = [
        (parameter, each["reference"])
        for parameter in parameters
        if parameter.type == "reference"
        for each in values(resource, parameter)
        if isinstance(each, dict) and each.get("reference") in store
    ]
    if not links:
        return None
    parameter, reference = draw(st.sampled_from(links))
    type_ = reference.partition("/")[0]
    name, value = draw(pair(store, type_, depth + 1))
    if name.startswith("_has"):
        return None
    plain_link = len(parameter.targets) == 1 and draw(st.booleans())
    return f"{parameter.code}{'' if plain_link else ':' + type_}.{name}", value


@st.composite
def _has(draw: st.DrawFn, store: Store, resource: Json, depth: int) -> Pair | None:
    links = [each[:2] for each in pointing(store) if each[2].startswith(f"{resource['resourceType']}/")]
    if not links:
        return None
    type_, code = draw(st.sampled_from(links))
    name, value = draw(pair(store, type_, depth + 1))
    return f"_has:{type_}:{code}:{name}", value


@st.composite
def _token(draw: st.DrawFn, element: Any, parameter: SearchParameter) -> Pair:
    del parameter
    system, code = draw(st.sampled_from(list(codings(element))))
    text = element.get("text") if isinstance(element, dict) and "coding" in element else None
    if text is not None and draw(st.integers(0, 5)) == 0:
        return "text", text[: draw(st.integers(1, 8))]
    forms = [code, *([f"{system}|{code}", f"{system}|"] if system else []), "nothing", f"urn:other|{code}"]
    if isinstance(element, str):  # a code has a system that only the definitions know
        forms = [code, "nothing"]
    return draw(st.sampled_from(["", "", "not"])), draw(st.sampled_from(forms))


@st.composite
def _string(draw: st.DrawFn, element: Any, parameter: SearchParameter) -> Pair:
    del parameter
    text = draw(st.sampled_from(strings(element)))
    modifier = draw(st.sampled_from(["", "", "exact", "contains"]))
    start = draw(st.integers(0, max(0, len(text) - 3))) if modifier == "contains" else 0
    piece = text[start:] if modifier == "exact" else text[start : start + draw(st.integers(1, 9))]
    if modifier != "exact" and not plain(piece):
        piece = "x"
    return modifier, piece.replace(",", " ") if modifier != "exact" else piece.replace(",", r"\,")


@st.composite
def _date(draw: st.DrawFn, element: Any, parameter: SearchParameter) -> Pair:
    del parameter
    texts = [element] if isinstance(element, str) else [element[name] for name in ("start", "end") if name in element]
    text = draw(st.sampled_from([*texts, "2025-03-04"]))
    shorter = [text[:length] for length in (4, 7, 10) if length < len(text)]
    return "", draw(st.sampled_from(PREFIXES)) + draw(st.sampled_from([text, *shorter]))


@st.composite
def _quantity(draw: st.DrawFn, element: Any, parameter: SearchParameter) -> Pair:
    number = element["value"] if isinstance(element, dict) else element
    text = draw(
        st.sampled_from([str(number), str(round(number)), str(number + 1), f"{number / 1000:f}", f"{number * 1000:f}"])
    )
    units = [""]
    if parameter.type == "quantity":
        units += [f"|{element.get('system', '')}|{element['code']}"] if "code" in element else []
        units += ["||mg", "|http://unitsofmeasure.org|kg", "|http://unitsofmeasure.org|[lb_av]"]
    return "", draw(st.sampled_from(PREFIXES)) + text + draw(st.sampled_from(units))


@st.composite
def _reference(draw: st.DrawFn, element: Any, parameter: SearchParameter) -> Pair:
    reference: str = element["reference"]
    type_, id_ = reference.split("/")[:2]
    forms: list[Pair] = [("", f"{type_}/{id_}"), ("", f"{type_}/{id_},{type_}/other"), ("", reference), (type_, id_)]
    if len(parameter.targets) < 40:
        forms.append(("", id_))
    if "identifier" in element:
        forms.append(("identifier", element["identifier"]["value"]))
    return draw(st.sampled_from(forms))


@st.composite
def _uri(draw: st.DrawFn, element: str, parameter: SearchParameter) -> Pair:
    del parameter
    if "://" not in element:
        return "", element
    return draw(st.sampled_from([("", element), ("below", element.rpartition("/")[0]), ("above", f"{element}/more")]))


_VALUES: dict[str, Callable[[Any, SearchParameter], st.SearchStrategy[Pair]]] = {
    "token": _token,
    "string": _string,
    "date": _date,
    "quantity": _quantity,
    "number": _quantity,
    "reference": _reference,
    "uri": _uri,
}
