"""Random resources of any type with values where search looks, and random queries about them.

Values come from small pools, so that queries often match.
"""

from typing import Any

from hypothesis import strategies as st

from carekeep.fhir.search import SearchParameter, search_parameters
from carekeep.fhir.search.grammar import Step
from carekeep.fhir.search.parameters import elements, parts_about, searchable_types

Json = dict[str, Any]
CODES = ["a", "b", "final", "A b", "ä", "true"]
SYSTEMS = ["urn:s", "http://t.org"]
IDS = ["1", "2", "x-3"]
WORDS = ["Maria", "maría", "O'Brien", "Łódź", "van der Berg", "X", "王 小明", "12 Main-Street", "--", "Ma"]
DATES = ["1890", "1999-12", "2000-01-01", "2000-01-01T10:00:00Z", "2000-01-01T23:30:00-05:00", "2000-01-02", "2001",
         "2020-02-29T12:00:00.5+01:00", "2100-06-07"]  # fmt: skip
NUMBERS = [0, 1, 1.0, 5.4, 5.44, -5.4, 100, 104.9, 0.0001, 2e9, -1e-9, 1e300]
URLS = ["http://x.org/a", "http://x.org/a/b", "http://x.org/a|1", "urn:oid:1.2"]
PREFIXES = ["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"]


def maybe(**pieces: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=pieces)


codes, systems, words, dates, urls = (st.sampled_from(pool) for pool in (CODES, SYSTEMS, WORDS, DATES, URLS))
numbers = st.sampled_from(NUMBERS)
coding = maybe(system=systems, code=codes, display=words)
concept = maybe(coding=st.lists(coding, max_size=2), text=words)
identifier = maybe(system=systems, value=codes, type=concept)
UCUM = "http://unitsofmeasure.org"
quantity = maybe(
    value=numbers, comparator=st.sampled_from(["<", "<=", ">=", ">"]), system=systems, code=codes, unit=words
) | st.builds(
    lambda value, code: {"value": value, "system": UCUM, "code": code},
    numbers,
    st.sampled_from(["mg", "g", "[lb_av]", "Cel", "K"]),
)
reference = maybe(
    reference=st.sampled_from([f"{type_}/{id_}" for type_ in ("Patient", "Group") for id_ in IDS])
    | st.sampled_from(["Patient/1/_history/2", "http://x.org/Patient/1", "#p", "urn:uuid:1"]),
    identifier=identifier,
    type=st.just("Patient"),
)
period = maybe(start=dates, end=dates)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "boolean": st.booleans(),
    "code": codes,
    "id": st.sampled_from(IDS),
    "string": words,
    "markdown": words,
    "date": dates,
    "dateTime": dates,
    "instant": dates,
    "decimal": numbers,
    "integer": st.integers(-5, 200),
    "uri": urls,
    "url": urls,
    "canonical": urls,
    "Coding": coding,
    "CodeableConcept": concept,
    "Identifier": identifier,
    "ContactPoint": maybe(
        system=st.sampled_from(["phone", "email"]), value=st.sampled_from(["+1 (5) 5", "A@b.c", "155"])
    ),
    "Reference": reference,
    "Period": period,
    "Timing": maybe(event=st.lists(dates, max_size=2), repeat=maybe(boundsPeriod=period)),
    "HumanName": maybe(family=words, given=st.lists(words, max_size=2), text=words),
    "Address": maybe(line=st.lists(words, max_size=2), city=words, postalCode=words, use=st.just("home")),
    "Range": maybe(low=quantity, high=quantity),
    "Money": maybe(value=numbers, currency=st.just("EUR")),
    "Resource": maybe(resourceType=st.just("Patient"), id=st.sampled_from(IDS)),
    "SampledData": st.just({"dimensions": 1}),
    "Attachment": maybe(url=urls),
} | dict.fromkeys(["Quantity", "Age", "Duration", "Count", "Distance"], quantity)


@st.composite
def resources(draw: st.DrawFn, type_: str) -> Json:
    """A resource with values for a few of its parameters; of a choice element, one type at a time."""
    resource: Json = {"resourceType": type_}
    parameters = [each for each in search_parameters(type_).values() if each.paths and each.type != "composite"]
    taken: set[str] = set()
    for parameter in draw(st.lists(st.sampled_from(parameters), max_size=6)):
        part = draw(st.sampled_from(parts_about(parameter.expression, type_)))
        if not part.steps or part.steps[0].name in taken:
            continue
        taken.add(part.steps[0].name)
        resource.update(draw(_body(type_ if part.root in {"", type_} else part.root, part.steps)))
    return resource


@st.composite
def _body(draw: st.DrawFn, place: str, steps: tuple[Step, ...]) -> Json:
    step, rest = steps[0], steps[1:]
    element = elements()[f"{place}.{step.name}"]
    kind = draw(st.sampled_from([each for each in element.types if step.type in {None, each}] or element.types))
    name = step.name + (kind[:1].upper() + kind[1:] if element.choice else "")
    below = kind.removeprefix("#")
    below = f"{place}.{step.name}" if below in {"BackboneElement", "Element"} else below
    if rest and f"{below}.{rest[0].name}" in elements():
        one = _body(below, rest)
    else:
        one = VALUES.get(kind, st.just({"id": "x"}))
    return {name: draw(st.lists(one, max_size=3) if element.many else one)}


def value_text(kind: str) -> st.SearchStrategy[str]:
    """A value of a query for a kind of parameter, not always one that can be read."""
    prefix = st.sampled_from(PREFIXES)
    texts: dict[str, st.SearchStrategy[str]] = {
        "token": st.one_of(codes, st.builds("{}|{}".format, st.sampled_from([*SYSTEMS, ""]), codes), st.just("urn:s|"),
                           st.sampled_from(["155", "a@b.c", "1", "false"])),
        "string": words | st.sampled_from(["ma", "van", "berg", "m", "王", "obrien", "12 main st", "lo"]),
        "date": st.builds("{}{}".format, prefix, dates),
        "number": st.builds("{}{}".format, prefix, st.sampled_from(["5.4", "100", "1e2", "0", "-5", "1"])),
        "quantity": st.builds("{}{}{}".format, prefix, st.sampled_from(["5.4", "100", "1e2", "0", "-5", "1"]),
                              st.sampled_from(["", "|urn:s|a", "||b", f"|{UCUM}|g", f"|{UCUM}|kg", f"|{UCUM}|[degF]"])),
        "reference": st.sampled_from(IDS) | st.builds("Patient/{}".format, st.sampled_from(IDS)) | urls
        | st.sampled_from(["http://x.org/Patient/1", "Patient/1/_history/2"]),
        "uri": urls,
    }  # fmt: skip
    return texts[kind]


MODIFIERS = {
    "token": ["", "", "not", "text"],
    "string": ["", "", "exact", "contains"],
    "reference": ["", "", "identifier", "Patient"],
    "uri": ["", "below", "above"],
}


@st.composite
def pair(draw: st.DrawFn, parameter: SearchParameter) -> tuple[str, str]:
    """One parameter of a query."""
    if draw(st.integers(0, 9)) == 0:
        return f"{parameter.code}:missing", draw(st.sampled_from(["true", "false"]))
    if parameter.type == "composite":
        return parameter.code, "$".join(draw(value_text(component.type)) for component in parameter.components)
    modifier = draw(st.sampled_from(MODIFIERS.get(parameter.type, [""])))
    kind = {"identifier": "token", "text": "string"}.get(modifier, parameter.type)
    texts = draw(st.lists(value_text(kind), min_size=1, max_size=2))
    return parameter.code + (f":{modifier}" if modifier else ""), ",".join(text.replace(",", r"\,") for text in texts)


@st.composite
def searches(draw: st.DrawFn) -> tuple[Json, list[tuple[str, str]]]:
    """A resource and a query about its type."""
    # Three of four are of the types that people search most.
    common = st.sampled_from(
        ["Observation", "Patient", "Encounter", "Condition", "MolecularSequence", "RiskAssessment"]
    )
    type_ = draw(common | st.sampled_from(sorted(searchable_types() - {"Parameters"})))
    resource = draw(resources(type_))
    supported = [each for each in search_parameters(type_).values() if each.supported]
    there = [each for each in supported if each.type != "composite" and any(path.find(resource) for path in each.paths)]
    chosen = draw(st.lists(st.sampled_from(there or supported) | st.sampled_from(supported), min_size=1, max_size=3))
    return resource, [draw(pair(parameter)) for parameter in chosen]
