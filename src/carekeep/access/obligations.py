"""Minimum necessary: what a permission leaves out of a record (45 CFR 164.502(b)).

A permit says it in the annotation ``@obligation``: parts with ``;`` between. ``omit Patient.name, *.note`` leaves out
elements (``*`` is any type), ``only-labels N, L`` shows only records whose security labels are all among these (codes,
or whole ``system|code``; a record without labels has none that is not), ``summary`` leaves what FHIR calls the summary.

Of the permits that decided, one without an obligation lifts them all; else all of them hold together.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from carekeep.fhir import RESOURCE_TYPES, summarised
from carekeep.fhir.definitions import type_facts
from carekeep.fhir.search.subset import SUBSETTED

LONGEST = 4_000  # characters
MOST_OMITTED = 200
_PATH = re.compile(r"(\*|[A-Z][A-Za-z]{0,63})((?:\.[a-z][A-Za-z0-9]{0,63}){1,6})")
_LABEL = re.compile(r"[!-:<-~]{1,200}")  # printable ASCII without spaces and without the semicolon
_ANY_TYPE = "*"
_NARRATIVE = ("text", "_text")
_KEPT = frozenset({"id", "meta", "implicitRules"})
_FIRST = 1
_WORDS = frozenset({"display", "_display", "identifier"})
_OF_REFERENCE = _WORDS | {"reference", "_reference", "type", "id", "extension"}

Json = dict[str, Any]


class ObligationRefused(ValueError):
    """An obligation that cannot be held; the message says why."""


@dataclass(frozen=True, slots=True)
class Obligations:
    """What is left out of records that a decision shows.

    ``omit`` are paths like ``Patient.name`` or ``*.note``; ``labels`` are the only ones that a record may have (None:
    any). ``policies`` are the ids of the permits that say so.
    """

    omit: frozenset[str] = frozenset()
    labels: frozenset[str] | None = None
    summary: bool = False
    policies: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str, policy: str = "") -> "Obligations":
        """Read an annotation. Raises ObligationRefused."""
        if len(text) > LONGEST:
            raise ObligationRefused(f"@obligation is longer than {LONGEST} characters")
        omit: frozenset[str] = frozenset()
        labels: frozenset[str] | None = None
        summary = False
        for part in text.split(";"):
            word, _, rest = part.strip().partition(" ")
            if word == "omit":
                omit |= _paths(rest)
            elif word == "only-labels":
                found = _labels(rest)
                labels = found if labels is None else labels & found
            elif word == "summary" and not rest.strip():
                summary = True
            else:
                raise ObligationRefused(
                    '@obligation has parts "omit Type.element, …", "only-labels A, B" and "summary"'
                )
        return cls(omit, labels, summary, (policy,) if policy else ())

    @classmethod
    def together(cls, obligations: Iterable["Obligations | None"]) -> "Obligations | None":
        """What holds for all permits that decided: nothing if one of them says nothing."""
        known: Obligations | None = None
        for each in obligations:
            if each is None:
                return None
            known = each if known is None else known.and_also(each)
        return known

    def and_also(self, other: "Obligations") -> "Obligations":
        """Both at once."""
        labels = (
            self.labels if other.labels is None else other.labels if self.labels is None else self.labels & other.labels
        )
        policies = tuple(dict.fromkeys((*self.policies, *other.policies)))
        return Obligations(self.omit | other.omit, labels, self.summary or other.summary, policies)

    def shows(self, labels: Iterable[str]) -> bool:
        """Whether a record with these labels (``system|code``) may be shown at all."""
        allowed = self.labels
        return allowed is None or all(label in allowed or label.rpartition("|")[2] in allowed for label in labels)

    def omitted_of(self, type_: str) -> frozenset[str]:
        """The first elements of a type of which something is left out."""
        return frozenset(path.split(".")[_FIRST] for path in self.omit if path.partition(".")[0] in {_ANY_TYPE, type_})

    def narrowed(self, resource: Json) -> Json:
        """What is left of a resource. Marked SUBSETTED if that is not all; never changes the resource that is given."""
        left = summarised(resource, "true") if self.summary else resource
        if not self.omit:
            return left
        found: Json = _without(left, self)
        return left if found == left else _marked(found)

    def __str__(self) -> str:
        parts = [f"left out: {', '.join(sorted(self.omit))}"] if self.omit else []
        if self.labels is not None:
            parts.append(f"only records labelled {', '.join(sorted(self.labels))}")
        return "; ".join([*parts, *(["summary only"] if self.summary else [])])


def _paths(text: str) -> frozenset[str]:
    paths = frozenset(path.strip() for path in text.split(","))
    if len(paths) > MOST_OMITTED:
        raise ObligationRefused(f"@obligation omits more than {MOST_OMITTED} elements")
    for path in paths:
        _check(path)
    return paths


def _check(path: str) -> None:
    """Raises ObligationRefused for an element that is not there, or that no record can be understood without."""
    if not _PATH.fullmatch(path):
        raise ObligationRefused(f"{path[:80]!r} is no element like Patient.name")
    type_, *names = path.split(".")
    if type_ != _ANY_TYPE and type_ not in RESOURCE_TYPES:
        raise ObligationRefused(f"FHIR R4 has no resource type {type_}")
    types = RESOURCE_TYPES if type_ == _ANY_TYPE else (type_,)
    elements = [element for each in types for element in type_facts(each).children("") if element.name == names[0]]
    if not elements:
        raise ObligationRefused(f"{type_} has no element {names[0]}")
    if names[0] in _KEPT:
        raise ObligationRefused(f"{path}: every record keeps its {names[0]}")
    if len(names) == 1 and type_ != _ANY_TYPE and any(each.minimum > 0 or each.modifier for each in elements):
        raise ObligationRefused(f"{path} must be there, or changes the meaning of the record; forbid the type instead")


def _labels(text: str) -> frozenset[str]:
    labels = frozenset(label.strip() for label in text.split(","))
    for label in labels:
        if not _LABEL.fullmatch(label):
            raise ObligationRefused("only-labels takes codes, or system|code, with commas between")
    return labels


def _without(value: Any, obligations: Obligations) -> Any:
    """A value without what is left out, at every depth: resources can be contained in others."""
    if isinstance(value, list):
        return [_without(each, obligations) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(type_ := value.get("resourceType"), str):
        value = _stripped(value, type_, obligations)
    elif _names_somebody(value, obligations):
        value = {name: each for name, each in value.items() if name not in _WORDS}
    return {name: _without(each, obligations) for name, each in value.items()}


def _stripped(resource: Json, type_: str, obligations: Obligations) -> Json:
    found = resource
    for path in obligations.omit:
        of_type, _, below = path.partition(".")
        if of_type in {_ANY_TYPE, type_}:
            found = _cut(found, below.split("."))
    if obligations.omit and any(name in found for name in _NARRATIVE):
        # A narrative may tell in words what was left out as an element.
        found = {name: each for name, each in found.items() if name not in _NARRATIVE}
    return found


def _cut(value: Any, path: list[str]) -> Any:
    if isinstance(value, list):
        return [_cut(each, path) for each in value]
    if not isinstance(value, dict):
        return value
    name, rest = path[0], path[1:]
    members = {each for each in value if _is_called(each.removeprefix("_"), name)}
    if not members:
        return value
    if not rest:
        return {each: inner for each, inner in value.items() if each not in members}
    return {each: _cut(inner, rest) if each in members else inner for each, inner in value.items()}


def _is_called(member: str, name: str) -> bool:
    """``value`` is ``valueQuantity`` and its like as well (FHIR R4, choice of data types)."""
    return member == name or (member.startswith(name) and member[len(name) :][:1].isupper())


def _names_somebody(value: Json, obligations: Obligations) -> bool:
    """Whether a value is a Reference whose words may say what is left out of the record that it leads to."""
    if not value.keys() <= _OF_REFERENCE or not value.keys() & _WORDS:
        return False
    type_ = _type_of(value)
    return type_ not in RESOURCE_TYPES or bool(obligations.omitted_of(type_))


def _type_of(reference: Json) -> str:
    """The type of what a Reference leads to; "" where it does not say."""
    found, says = reference.get("reference"), reference.get("type")
    if isinstance(found, str) and not found.startswith("#"):
        return found.split("/_history/")[0].rpartition("/")[0].rpartition("/")[2]
    return says if isinstance(says, str) else ""


def _marked(resource: Json) -> Json:
    """With the tag SUBSETTED, so that no client takes it for the whole and writes it back."""
    meta = resource.get("meta", {})
    tags = [tag for tag in meta.get("tag", ()) if tag != dict(SUBSETTED)]
    return {**resource, "meta": {**meta, "tag": [*tags, dict(SUBSETTED)]}}
