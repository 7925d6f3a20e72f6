"""A small code system with a hierarchy, and value sets made from it."""

from typing import Any

from carekeep.fhir.terminology import Canonical, CodeSystem, Library, expand

Json = dict[str, Any]
ANIMALS = "https://example.org/animals"


def concept(code: str, *children: Json, display: str | None = None, **properties: str | bool) -> Json:
    """A concept with its children inside."""
    row: Json = {"code": code, "display": display or code.capitalize()}
    if properties:
        row["property"] = [
            {"code": name, ("valueBoolean" if isinstance(value, bool) else "valueCode"): value}
            for name, value in properties.items()
        ]
    if children:
        row["concept"] = list(children)
    return row


CODE_SYSTEM: Json = {
    "resourceType": "CodeSystem",
    "id": "animals",
    "url": ANIMALS,
    "version": "1",
    "name": "Animals",
    "status": "active",
    "content": "complete",
    "caseSensitive": True,
    "hierarchyMeaning": "is-a",
    "concept": [
        concept(
            "animal",
            concept("mammal", concept("dog", diet="meat"), concept("cat", diet="meat"), concept("cow", diet="grass")),
            concept("bird", concept("hen", diet="grain"), concept("dodo", inactive=True)),
            notSelectable=True,
        ),
        # Two parents: one by nesting in nothing, both said by properties.
        {
            "code": "bat",
            "display": "Bat",
            "property": [{"code": "parent", "valueCode": "mammal"}, {"code": "parent", "valueCode": "flier"}],
            "designation": [{"language": "de", "value": "Fledermaus"}],
        },
        {"code": "flier", "display": "Flier", "property": [{"code": "child", "valueCode": "bird"}]},
    ],
}
LIBRARY = Library(code_systems={Canonical(ANIMALS): CodeSystem.read(CODE_SYSTEM)})


def value_set(*include: Json, exclude: Json | None = None, url: str = "https://example.org/set", **more: Any) -> Json:
    """A ValueSet with a definition."""
    compose: Json = {"include": list(include), **more}
    if exclude is not None:
        compose["exclude"] = [exclude]
    return {"resourceType": "ValueSet", "url": url, "status": "active", "compose": compose}


def rule(*filters: tuple[str, str, str], codes: str = "", **more: Any) -> Json:
    """An include or exclude of animals: by filters, or of codes with spaces between them."""
    found: Json = {"system": ANIMALS, **more}
    if filters:
        found["filter"] = [{"property": name, "op": op, "value": value} for name, op, value in filters]
    if codes:
        found["concept"] = [{"code": code} for code in codes.split()]
    return found


def codes(definition: Json, library: Library = LIBRARY) -> str:
    """The codes of an expansion, with spaces between them."""
    return " ".join(code for _, code in expand(definition, library))
