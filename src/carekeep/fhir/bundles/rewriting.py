"""References inside of a Bundle: those that only mean something there are replaced by ``Type/id``.

R4 (http.html#trules) asks for it in ``Reference.reference`` and in elements of the types uri and url. It names oid and
uuid too, but ``Type/id`` is neither, so those stay. Strings of other types are never touched, even if they are equal to
a fullUrl: an ``Identifier.value`` is what somebody else calls the thing. Links in narratives stay as they are.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from carekeep.fhir.definitions import RESOURCE_TYPES
from carekeep.fhir.validation.references import CONDITIONAL
from carekeep.fhir.validation.shapes import RESOURCE, Member, Shape, shape_of

Json = dict[str, Any]
Replace = Callable[[str], str]
_RESTFUL_URL = re.compile(r"(https?://\S+/)[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}")
_REWRITTEN = frozenset({"uri", "url"})


def rewrite_references(resource: Json, targets: Mapping[str, str], full_url: str | None = None) -> Json:
    """The resource with references replaced as ``targets`` says (fullUrl or conditional reference → "Type/id").

    A relative reference is also looked up as a URL beside ``full_url``, the entry's own. The argument is left as it is;
    parts that do not change are shared with it. Anything goes: what is not FHIR is not touched.
    """
    base = _RESTFUL_URL.fullmatch(full_url) if full_url else None

    def replace(reference: str) -> str:
        found = targets.get(reference)
        if found is None and base is not None:
            found = targets.get(base[1] + reference)
        return reference if found is None else found

    rewritten: Json = _resource(resource, replace)
    return rewritten


def conditional_references(resource: Json) -> tuple[str, ...]:
    """The searches that stand for references ("Practitioner?identifier=…"), each once, in their order."""
    found: dict[str, None] = {}

    def note(reference: str) -> str:
        if CONDITIONAL.fullmatch(reference):
            found[reference] = None
        return reference

    _resource(resource, note)
    return tuple(found)


def _resource(resource: Any, replace: Replace) -> Any:
    name = resource.get("resourceType") if type(resource) is dict else None
    if type(name) is not str or name not in RESOURCE_TYPES:
        return resource
    return _object(resource, shape_of(name), replace)


def _object(value: Json, shape: Shape, replace: Replace) -> Json:
    changed: Json | None = None
    for name, item in value.items():
        member = shape.members.get(name)
        if member is None:
            continue
        if member.shape:
            new = _member(item, member, replace)
        elif member.kind in _REWRITTEN or (name == "reference" and shape.name == "Reference"):
            new = _text(item, replace)
        else:
            continue
        if new is not item:
            changed = dict(value) if changed is None else changed
            changed[name] = new
    return value if changed is None else changed


def _member(item: Any, member: Member, replace: Replace) -> Any:
    if type(item) is list:
        new = [_member(inner, member, replace) for inner in item]
        return new if any(one is not other for one, other in zip(new, item, strict=True)) else item
    if type(item) is not dict:
        return item
    return _resource(item, replace) if member.shape == RESOURCE else _object(item, shape_of(member.shape), replace)


def _text(item: Any, replace: Replace) -> Any:
    if type(item) is list:
        new = [_text(inner, replace) for inner in item]
        return new if new != item else item
    return replace(item) if type(item) is str else item
