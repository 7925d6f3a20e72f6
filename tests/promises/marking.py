"""Resources that carry a mark in every element that can hold text, made from the facts of FHIR itself.

A mark begins with one of a few cores, so that a trace of any of thousands of marks is found by looking for the cores.
"""

import base64
import re
from itertools import count
from typing import Any

from carekeep.fhir import validate
from carekeep.fhir.definitions import PRIMITIVES, Element, ElementType, TypeFacts, type_facts, value_set

Json = dict[str, Any]

CORE = "zq7markedfield"  # lower case and plain, as an index or a tokenizer would make it too
ACCENTED = "Žq7märkédFïeld"
HEX_CORE = "c0ffee0ddba11ad0"
DIGITS = 48151623427391
CORES = (CORE, ACCENTED, HEX_CORE, str(DIGITS))
PATIENT = f"{CORE}-patient"
DEPTH = 5

# A contained resource must be referred to, and implicit rules must be known: marks cannot meet that.
LEFT_OUT = frozenset({"contained", "implicitRules"})
# A Bundle's rules leave no free choice, and a Linkage needs two items.
BY_HAND = frozenset({"Bundle", "Linkage"})
_STEP = re.compile(r"([A-Za-z]+)(?:\[(\d+)\])?(?:\.ofType\(([A-Za-z]+)\))?\.?")


class Unmarkable(ValueError):
    """The rules of a type leave nothing of what can be made up."""


class Marks:
    """Makes marked resources. ``made`` counts the marks that stand in them."""

    def __init__(self) -> None:
        self._numbers = count()
        self.made = 0

    def resource(self, type_: str, id_: str, variant: int = 0) -> Json:
        """A valid resource of a type; ``variant`` turns the choices of types over. Raises Unmarkable."""
        resource = {"resourceType": type_, "id": id_, **self._object(type_facts(type_), "", (type_,), variant)}
        resource["id"] = id_
        while issues := [issue for issue in validate(resource) if issue.severity in {"error", "fatal"}]:
            for issue in issues:
                cut(resource, issue.expression)
        self.made += str(resource).count(CORE) + str(resource).count(HEX_CORE)
        return resource

    def bundle(self, id_: str) -> Json:
        """A document of sorts, kept as one resource."""
        inner = self.resource("Patient", self.word())
        entry = {"fullUrl": f"https://example.org/{self.word()}", "resource": inner}
        return {"resourceType": "Bundle", "id": id_, "type": "collection", "entry": [entry]}

    def linkage(self, id_: str) -> Json:
        """Two records that are one."""
        item = {"type": "source", "resource": {"display": self.text()}}
        return {"resourceType": "Linkage", "id": id_, "item": [item, item]}

    def text(self) -> str:
        """A mark as text."""
        return f"{CORE}{next(self._numbers)} {ACCENTED}"

    def word(self) -> str:
        """A mark without spaces and accents."""
        return f"{CORE}{next(self._numbers)}"

    def _object(self, facts: TypeFacts, path: str, above: tuple[str, ...], variant: int) -> Json:
        found: Json = {}
        for element in facts.children(path):
            if element.name in LEFT_OUT:
                continue
            if len(above) > 1 and element.name in {"extension", "modifierExtension"}:
                continue
            names = list(zip(element.json_names(), element.types, strict=False))
            if not names:
                continue
            name, kind = names[variant % len(names)]
            value = self._value(facts, element, kind, above, variant)
            if value is not None and value != {}:
                found[name] = value if element.maximum == 1 else [value]
        return found

    def _value(
        self, facts: TypeFacts, element: Element, kind: ElementType, above: tuple[str, ...], variant: int
    ) -> Any:
        if kind.name in PRIMITIVES:
            return self._primitive(element, kind.name)
        if kind.name in {"BackboneElement", "Element"}:
            return self._object(facts, element.path, (*above, element.path), variant)
        if kind.name in above or kind.name == "Resource" or len(above) >= DEPTH:
            return None
        if kind.name == "Reference":
            return self._reference(kind)
        made = self._object(type_facts(kind.name), "", (*above, kind.name), variant)
        codes = value_set(element.value_set) if element.value_set else None
        if kind.name == "CodeableConcept" and codes:
            system = min(codes)
            made["coding"] = [{"system": system, "code": min(codes[system]), "display": self.text()}]
        return made

    def _reference(self, kind: ElementType) -> Json:
        if not kind.targets or {"Patient", "Resource"} & set(kind.targets):
            return {"reference": f"Patient/{PATIENT}", "display": self.text()}
        return {"reference": f"{kind.targets[0]}/{self.word()}", "display": self.text()}

    def _primitive(self, element: Element, kind: str) -> Any:
        codes = value_set(element.value_set) if element.value_set and kind == "code" else None
        if codes:
            return min(codes[min(codes)])
        number = next(self._numbers)
        return {
            "base64Binary": base64.b64encode(f"{CORE}{number}".encode()).decode(),
            "boolean": True,
            "code": f"{CORE}{number}",
            "date": "1987-06-05",
            "dateTime": "2021-06-05T04:03:02Z",
            "decimal": DIGITS / 1000,
            "id": f"{CORE}-{number}",
            "instant": "2021-06-05T04:03:02Z",
            "integer": 481516,
            "oid": f"urn:oid:1.2.{DIGITS}.{number}",
            "positiveInt": 481516,
            "time": "04:03:02",
            "unsignedInt": 481516,
            "uuid": f"urn:uuid:c0ffee0d-dba1-41ad-8000-{number:012}",
            "uri": f"urn:{CORE}:{number}",
            "url": f"https://example.org/{CORE}/{number}",
            "xhtml": f'<div xmlns="http://www.w3.org/1999/xhtml">{CORE}{number} {ACCENTED}</div>',
            "canonical": f"https://example.org/{CORE}/{number}",
        }.get(kind, f"{CORE}{number} {ACCENTED}")


def cut(resource: Json, expression: str) -> None:
    """Take out what an issue speaks of: the deepest part of its place that is there."""
    place: Any = resource
    owner: Any = None
    key: Any = None
    for name, index, kind in _STEP.findall(expression.partition(".")[2]):
        step = name + kind[:1].upper() + kind[1:] if kind else name
        if not isinstance(place, dict):
            break
        if step not in place:
            step = next((other for other in place if other.startswith(name) and other[len(name) :][:1].isupper()), "")
        if step not in place:
            break
        owner, key, place = place, step, place[step]
        if index and isinstance(place, list) and int(index) < len(place):
            owner, key, place = place, int(index), place[int(index)]
    if owner is None:
        owner, key = resource, most_disturbing(resource)
    del owner[key]
    if owner == []:
        cut_empty(resource)


def most_disturbing(resource: Json) -> str:
    """The element without which most is right: rules of a whole resource do not say which element breaks them."""
    names = [name for name in resource if name not in {"resourceType", "id"}]
    if not names:
        raise Unmarkable(resource["resourceType"])
    return min(names, key=lambda name: len(validate({other: resource[other] for other in resource if other != name})))


def cut_empty(value: Any) -> None:
    """FHIR JSON has no empty arrays and objects."""
    for name, inner in list(value.items()) if isinstance(value, dict) else list(enumerate(value)):
        if isinstance(inner, dict | list):
            cut_empty(inner)
            if not inner and isinstance(value, dict):
                del value[name]
