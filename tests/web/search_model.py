"""Search as plain as it can be said: every parameter by its FHIRPath (fhirpathpy), every rule as the standard puts it.

Nothing here is fast, and nothing is shared with the product but the table of definitions. It knows the values that
``search_questions`` asks for, no others. A store is a dictionary of resources by reference.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import fhirpathpy
from fhirpathpy.models import models

from carekeep.fhir import patients_of, search_parameters
from carekeep.fhir.search import SearchParameter

Json = dict[str, Any]
Store = Mapping[str, Json]
Span = tuple[datetime, datetime]

FAR_BACK, FAR_ON = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
UCUM = "http://unitsofmeasure.org"
MASSES = {"mg": Fraction(1), "g": Fraction(1000), "kg": Fraction(1_000_000), "[lb_av]": Fraction("453592.37")}
PHONES = {"phone", "fax", "email", "pager", "url", "sms", "other"}


@cache
def compiled(expression: str) -> Any:
    """An expression for fhirpathpy, which has no ``resolve()``, and its ``as`` takes single items only."""
    text = re.sub(r"\((\S+) as (\w+)\)", r"\1.ofType(\2)", expression)
    text = re.sub(r"\.as\((\w+)\)", r".ofType(\1)", text)
    text = re.sub(r"where\(resolve\(\) is (\w+)\)", r"where(reference.startsWith('\1/'))", text)
    return fhirpathpy.compile(text, models["r4"])


def parts_of(expression: str, type_: str) -> list[str]:
    """The parts of a union that are about a type."""
    parts = [part.strip() for part in expression.split("|")]
    return [part for part in parts if re.match(rf"\(?({type_}|Resource|DomainResource)\b", part)]


def values(resource: Json, parameter: SearchParameter) -> list[Any]:
    """What a parameter finds."""
    type_ = resource["resourceType"]
    texts = (
        re.sub(r"^(\(?)(Resource|DomainResource)\b", rf"\1{type_}", each)
        for each in parts_of(parameter.expression, type_)
    )
    return [value for text in texts for value in compiled(text)(resource)]


def answer(store: Store, type_: str, pairs: list[tuple[str, str]], now: datetime) -> set[str]:
    """The references of all resources of a type that meet every pair."""
    return {
        reference
        for reference, resource in store.items()
        if resource["resourceType"] == type_ and all(meets(store, resource, *pair, now) for pair in pairs)
    }


def meets(store: Store, resource: Json, name: str, value: str, now: datetime) -> bool:
    """Whether a resource meets one parameter."""
    if name.startswith("_has:"):
        _, type_, reference, rest = name.split(":", 3)
        me = f"{resource['resourceType']}/{resource['id']}"
        return any(
            other["resourceType"] == type_
            and me in pointers(other, search_parameters(type_)[reference])
            and meets(store, other, rest, value, now)
            for other in store.values()
        )
    head, _, rest = name.partition(".")
    code, _, modifier = head.partition(":")
    parameter = search_parameters(resource["resourceType"])[code]
    if rest:
        targets = (store.get(pointer) for pointer in pointers(resource, parameter))
        return any(
            target is not None
            and modifier in {"", target["resourceType"]}
            and rest.split(":")[0].split(".")[0] in search_parameters(target["resourceType"])
            and meets(store, target, rest, value, now)
            for target in targets
        )
    found = values(resource, parameter)
    if modifier == "missing":
        return bool(found) is (value == "false")
    if modifier == "not":
        return not any(equal(parameter, each, "", value, now) for each in found)
    return any(equal(parameter, each, modifier, one, now) for each in found for one in value.split(","))


def pointers(resource: Json, parameter: SearchParameter) -> set[str]:
    """Where a reference parameter leads, without versions."""
    return {
        each["reference"].partition("/_history/")[0]
        for each in values(resource, parameter)
        if isinstance(each, dict) and "reference" in each
    }


def equal(parameter: SearchParameter, element: Any, modifier: str, value: str, now: datetime) -> bool:
    """Whether one element meets one value."""
    rules: dict[str, Callable[[], bool]] = {
        "token": lambda: token(element, modifier, value),
        "string": lambda: string(element, modifier, value),
        "date": lambda: date(element, value, now),
        "quantity": lambda: quantity(element, value),
        "number": lambda: quantity({"value": element}, value),
        "reference": lambda: reference(element, modifier, value, parameter.targets),
        "uri": lambda: uri(element, modifier, value),
    }
    return rules[parameter.type]()


def codings(element: Any) -> Iterator[tuple[str, str]]:
    """System and code of everything in an element that is a token."""
    if isinstance(element, bool):
        yield "", str(element).lower()
    elif isinstance(element, str):
        yield "", element
    elif "coding" in element:
        yield from ((each.get("system", ""), each["code"]) for each in element["coding"] if "code" in each)
    elif "value" in element and element.get("system") in PHONES:
        yield (
            "",
            re.sub(r"[\s().\-/]", "", element["value"]) if "@" not in element["value"] else element["value"].lower(),
        )
    elif "value" in element:
        yield element.get("system", ""), element["value"]
    elif "code" in element:
        yield element.get("system", ""), element["code"]


def token(element: Any, modifier: str, value: str) -> bool:
    if modifier == "text":
        texts = [
            element.get("text"),
            element.get("display"),
            *(each.get("display") for each in element.get("coding", ())),
        ]
        return any(text is not None and plain(text).startswith(plain(value)) for text in texts)
    system, bar, code = value.rpartition("|")
    return any(
        (not code or code == its_code) and (not bar or its_system == system)
        for its_system, its_code in codings(element)
    )


def plain(text: str) -> str:
    """Letters and digits in lower case without accents, words with one blank between them."""
    folded = unicodedata.normalize("NFKD", text.casefold().replace("'", ""))
    letters = "".join(each for each in folded if not unicodedata.combining(each)).replace("ł", "l").replace("ø", "o")
    return " ".join(re.findall(r"[^\W_]+", letters))


def strings(element: Any) -> list[str]:
    if isinstance(element, str):
        return [element]
    # Of a HumanName or Address: everything but what says how it is used.
    inside = [element[name] for name in element if name not in {"use", "period", "type", "id", "extension"}]
    return [text for each in inside for text in (each if isinstance(each, list) else [each]) if isinstance(text, str)]


def string(element: Any, modifier: str, value: str) -> bool:
    texts = strings(element)
    if modifier == "exact":
        return value in texts
    if modifier == "contains":
        return any(plain(value) in plain(text) for text in texts)
    if isinstance(element, str):
        return plain(element).startswith(plain(value))
    words = [word for text in texts for word in plain(text).split()]
    return all(any(word.startswith(start) for word in words) for start in plain(value).split())


def span(text: str) -> Span:
    """From when to when a FHIR date lasts."""
    if len(text) == 4:
        return datetime(int(text), 1, 1, tzinfo=UTC), datetime(int(text) + 1, 1, 1, tzinfo=UTC)
    if len(text) == 7:
        start = datetime.fromisoformat(f"{text}-01T00:00:00+00:00")
        return start, (start + timedelta(days=32)).replace(day=1)
    if len(text) == 10:
        start = datetime.fromisoformat(f"{text}T00:00:00+00:00")
        return start, start + timedelta(days=1)
    start = datetime.fromisoformat(text)
    start = start if start.tzinfo else start.replace(tzinfo=UTC)
    return start, start + (timedelta(milliseconds=1) if "." in text else timedelta(seconds=1))


def times(element: Any) -> Span | None:
    if isinstance(element, str):
        return span(element)
    if "start" not in element and "end" not in element:
        return None
    start = span(element["start"])[0] if "start" in element else FAR_BACK
    return start, span(element["end"])[1] if "end" in element else FAR_ON


def date(element: Any, value: str, now: datetime) -> bool:
    its = times(element)
    if its is None:
        return False
    prefix, (low, high) = prefix_of(value), span(bare(value))
    if prefix == "ap":
        margin = max(abs(now - low), abs(now - high)) / 10
        low, high = low - margin, high + margin
    start, end = its
    within = low <= start and end <= high
    return {
        "eq": within,
        "ne": not within,
        "gt": end > high,
        "lt": start < low,
        "ge": end > high or within,
        "le": start < low or within,
        "sa": start >= high,
        "eb": end <= low,
        "ap": start < high and end > low,
    }[prefix]


def prefix_of(value: str) -> str:
    return value[:2] if value[:1].isalpha() else "eq"


def bare(value: str) -> str:
    return value[2:] if value[:1].isalpha() else value


def quantity(element: Any, value: str) -> bool:
    text, _, unit = value.partition("|")
    if not isinstance(element, dict) or "value" not in element:
        return False
    if unit:
        system, _, code = unit.partition("|")
        its_code = element.get("code", "")
        if (system, element.get("system")) == (UCUM, UCUM) and {code, its_code} <= MASSES.keys():
            return amount(text, Fraction(str(element["value"])) * MASSES[its_code] / MASSES[code])
        if system and (element.get("system"), its_code) != (system, code):
            return False
        if not system and code not in {its_code, element.get("unit")}:
            return False
    return amount(text, Fraction(str(element["value"])))


def amount(text: str, its: Fraction) -> bool:
    """Whether an amount meets a number with its prefix."""
    written, number = Decimal(bare(text)), Fraction(bare(text))
    half = Fraction(10) ** int(written.as_tuple().exponent) / 2
    within = number - half <= its < number + half
    return {
        "eq": within,
        "ne": not within,
        "gt": its > number,
        "lt": its < number,
        "ge": its >= number,
        "le": its <= number,
        "sa": its > number,
        "eb": its < number,
        "ap": abs(its - number) <= abs(number) / 10,
    }[prefix_of(text)]


def reference(element: Any, modifier: str, value: str, targets: tuple[str, ...]) -> bool:
    if not isinstance(element, dict):
        return bool(element.partition("|")[0] == value)
    if modifier == "identifier":
        return "identifier" in element and token(element["identifier"], "", value)
    its, _, version = element.get("reference", "").partition("/_history/")
    if "/" not in value:
        return its in {f"{type_}/{value}" for type_ in ([modifier] if modifier else targets)}
    wanted, _, wanted_version = value.partition("/_history/")
    return bool(its == wanted and wanted_version in {"", version})


def uri(element: Any, modifier: str, value: str) -> bool:
    if modifier == "below":
        return bool(element == value or element.startswith(f"{value}/"))
    if modifier == "above":
        return bool(value == element or value.startswith(element.rstrip("/") + "/"))
    return bool(element == value)


def belongs_to(resource: Json, patients: frozenset[str]) -> bool:
    """Whether a resource is in the compartment of one of these, or of nobody."""
    owners = patients_of(resource)
    return not owners or not patients.isdisjoint(owners)
