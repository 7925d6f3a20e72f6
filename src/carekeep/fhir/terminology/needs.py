"""Which other resources a value set is made from."""

from collections.abc import Iterator
from typing import Any

from carekeep.fhir.terminology.canonical import Canonical

Json = dict[str, Any]


def needed_by(value_set: Json) -> tuple[frozenset[Canonical], frozenset[Canonical]]:
    """The value sets and the code systems that a ValueSet refers to, directly."""
    compose = value_set.get("compose", {})
    sets: set[Canonical] = set()
    systems: set[Canonical] = set()
    for rule in rules(compose):
        sets.update(Canonical.parse(each) for each in rule.get("valueSet", ()))
        if "system" in rule:
            systems.add(system_of(rule))
    return frozenset(sets), frozenset(systems)


def rules(compose: Json) -> Iterator[Json]:
    """All includes and excludes."""
    yield from compose.get("include", ())
    yield from compose.get("exclude", ())


def system_of(rule: Json) -> Canonical:
    """The code system that an include or exclude is about."""
    return Canonical(rule["system"], rule.get("version"))
