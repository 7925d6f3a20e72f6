"""Reads one value of a query by the type of its parameter and its modifier."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from carekeep.fhir.search.links import RELATIONS
from carekeep.fhir.search.parameters import SearchParameter, searchable_types
from carekeep.fhir.search.values import dates, numbers, references, strings, tokens, uris
from carekeep.fhir.search.values.sought import Sought

# (text, parameter, now in ms since 1970) -> what is sought; raises BadValue.
Reader = Callable[[str, SearchParameter, int], Sought]

_READERS: Mapping[tuple[str, str], Reader] = MappingProxyType(
    {
        ("date", ""): lambda text, _parameter, now: dates.parse(text, now),
        ("number", ""): lambda text, _parameter, _now: numbers.parse_number(text),
        ("quantity", ""): lambda text, _parameter, _now: numbers.parse_quantity(text),
        ("string", ""): lambda text, _parameter, _now: strings.parse(text, strings.How.STARTS),
        ("string", "exact"): lambda text, _parameter, _now: strings.parse(text, strings.How.EXACT),
        ("string", "contains"): lambda text, _parameter, _now: strings.parse(text, strings.How.CONTAINS),
        ("token", ""): lambda text, _parameter, _now: tokens.parse(text),
        ("token", "not"): lambda text, _parameter, _now: tokens.parse(text),
        ("token", "text"): lambda text, _parameter, _now: tokens.parse_text(text),
        ("token", "of-type"): lambda text, _parameter, _now: tokens.parse_of_type(text),
        ("reference", ""): lambda text, parameter, _now: references.parse(text, parameter.targets),
        ("reference", "identifier"): lambda text, _p, _now: references.SoughtIdentifier(tokens.parse(text)),
        ("uri", ""): lambda text, _parameter, _now: uris.parse(text, uris.Relation.EQUAL),
        ("uri", "below"): lambda text, _parameter, _now: uris.parse(text, uris.Relation.BELOW),
        ("uri", "above"): lambda text, _parameter, _now: uris.parse(text, uris.Relation.ABOVE),
    }
)
# Answered for a narrower set of elements than the parameter type says.
_IDENTIFIERS_ONLY = "of-type"


def reader(parameter: SearchParameter, modifier: str) -> Reader | None:
    """How a value of this parameter is read under this modifier; None if there is no such thing."""
    if parameter.type == "reference" and modifier in searchable_types():
        if modifier not in parameter.targets:
            return None
        return lambda text, _parameter, _now: references.parse(text, (modifier,))
    if modifier == _IDENTIFIERS_ONLY and not any(path.type == "Identifier" for path in parameter.paths):
        return None
    return _READERS.get((parameter.type, modifier))


def modifiers(parameter: SearchParameter) -> tuple[str, ...]:
    """The modifiers that a parameter takes, without the names of types, sorted."""
    known = {name for kind, name in _READERS if kind == parameter.type and name and reader(parameter, name)}
    if parameter.type == "token":
        known |= RELATIONS.keys()
    return tuple(sorted(known | {"missing"}))
