"""The facts of a type in the form in which a resource is checked fastest.

A shape is one kind of JSON object: a resource, a datatype or a backbone element ("Observation.component"). It maps
each property name that may occur to a member, which says how the value is checked. Shapes refer to each other by name
and are made when they are first met, so that a type costs nothing before and only what it really uses then.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from carekeep.fhir.definitions import PRIMITIVES, Element, ElementType, TypeFacts, type_facts
from carekeep.fhir.validation.codes import CodeCheck
from carekeep.fhir.validation.invariants import rules_of
from carekeep.fhir.validation.primitives import PRIMITIVE
from carekeep.fhir.validation.rule import Rule

RESOURCE: Final = "Resource"
ELEMENT: Final = "Element"


class _NoValue:
    """A type that no JSON value has: members that are never one plain value carry it."""


def _never(_: object) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Member:
    """What one property name may hold.

    Of every member:
        step: the element's name in FHIRPath.
        many: whether the value is a list.
        alternative: for a choice, the element ("value") and which of its types this is.
    Of primitives:
        plain, test: decide the commonest case, one value of exactly this Python type.
        kind, json_type, words: the type's name, its Python type, and the rule in words ("must be …").
        wrong: the IssueType of a value that fails the test.
        sibling: the property that carries ids and extensions (``_birthDate``); "" if there is none.
    Of objects:
        shape: the name of their shape; "" for primitives.
        extends: the property whose other half this is; "" if it stands for itself.
        concept: the required binding of a CodeableConcept.
        targets: the types to which a Reference may point, empty for any; None if it is no Reference.
    """

    step: str
    many: bool
    alternative: tuple[str, str] | None = None
    plain: type = _NoValue
    test: Callable[[Any], object] = _never
    kind: str = ""
    json_type: type = _NoValue
    words: str = ""
    wrong: str = "value"
    sibling: str = ""
    shape: str = ""
    extends: str = ""
    concept: CodeCheck | None = None
    targets: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Required:
    """An element that must be there: under one of these property names, of which ``first`` is the usual one."""

    step: str
    first: str
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of object."""

    name: str
    members: dict[str, Member]
    required: tuple[Required, ...]
    rules: tuple[Rule, ...]


@cache
def shape_of(name: str) -> Shape:
    """The shape of a type ("Patient", "Period") or of a backbone element ("Patient.contact"). KeyError for others."""
    type_name, _, path = name.partition(".")
    facts = type_facts(type_name)
    members: dict[str, Member] = {}
    required: list[Required] = []
    if facts.resource and not path:
        # The walk has read it already, to find this shape.
        members["resourceType"] = Member("resourceType", many=False, plain=str, test=name.__eq__)
    for element in facts.children(path):
        mine = _members(facts, element)
        members.update(mine)
        if element.minimum:
            required.append(Required(element.name, next(iter(mine)), frozenset(mine)))
    return Shape(name, members, tuple(required), rules_of(name))


def _members(facts: TypeFacts, element: Element) -> dict[str, Member]:
    """The members of an element, by property name: several for a choice of types, and two for each primitive."""
    if element.content is not None:
        return {element.name: Member(element.name, element.maximum != 1, shape=element.content)}
    found = {}
    for name, kind in zip(element.json_names(), element.types, strict=True):
        if kind.name in PRIMITIVES:
            member = found[name] = _primitive(facts, element, name, kind)
            if member.sibling:
                found[member.sibling] = Member(
                    member.step, member.many, member.alternative, shape=ELEMENT, extends=name
                )
        else:
            found[name] = _object(facts, element, name, kind)
    return found


def _primitive(facts: TypeFacts, element: Element, name: str, kind: ElementType) -> Member:
    primitive = PRIMITIVE[kind.name]
    codes = CodeCheck.of(element.value_set) if kind.name == "code" else None
    # XML writes ids and the URL of an extension as attributes, which have no extensions.
    alone = element.name == "id" or (facts.name == "Extension" and element.name == "url")
    return Member(
        step=_step(element, kind),
        many=element.maximum != 1,
        alternative=(element.name, name) if element.choice else None,
        plain=primitive.json_type if element.maximum == 1 else _NoValue,
        test=codes.codes.__contains__ if codes else primitive.test,
        kind=kind.name,
        json_type=primitive.json_type,
        words=codes.words if codes else primitive.words,
        wrong="code-invalid" if codes else "value",
        sibling="" if alone else "_" + name,
    )


def _object(facts: TypeFacts, element: Element, name: str, kind: ElementType) -> Member:
    backbone = kind.name in {"BackboneElement", ELEMENT}
    return Member(
        step=_step(element, kind),
        many=element.maximum != 1,
        alternative=(element.name, name) if element.choice else None,
        shape=f"{facts.name}.{element.path}" if backbone else kind.name,
        concept=CodeCheck.of(element.value_set) if kind.name == "CodeableConcept" else None,
        targets=frozenset(kind.targets) - {RESOURCE} if kind.name == "Reference" else None,
    )


def _step(element: Element, kind: ElementType) -> str:
    return f"{element.name}.ofType({kind.name})" if element.choice else element.name
