"""References inside of a Bundle: those that only mean something there are replaced by ``Type/id``.

R4 (http.html#trules) asks for it in ``Reference.reference`` and in elements of the types uri and url. It names oid and
uuid too, but ``Type/id`` is neither, so those stay. Strings of other types are never touched, even if they are equal to
a fullUrl: an ``Identifier.value`` is what somebody else calls the thing. Links in narratives stay as they are.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from carekeep.fhir.definitions import RESOURCE_TYPES
from carekeep.fhir.validation.references import CONDITIONAL, RELATIVE
from carekeep.fhir.validation.shapes import RESOURCE, Member, Shape, shape_of

Json = dict[str, Any]
Replace = Callable[[str], str]
_RESTFUL_URL = re.compile(r"(https?://\S+/)[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}")
_REWRITTEN = frozenset({"uri", "url"})
_NO_KINDS = frozenset[str]()


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

    rewritten: Json = _resource(resource, replace, _REWRITTEN)
    return rewritten


def relative_references(resource: Json, base: str) -> Json:
    """The resource with references to records below ``base`` (a URL without a slash at its end) made relative.

    Only in ``Reference.reference``: a url or canonical is a name, which stays whatever server it is at. Resources in a
    Bundle stay too: a document is what its author put together. The argument is left as it is.
    """
    start = f"{base}/"

    def replace(reference: str) -> str:
        rest = reference.removeprefix(start)
        return rest if rest is not reference and RELATIVE.fullmatch(rest) else reference

    relative: Json = resource if resource.get("resourceType") == "Bundle" else _resource(resource, replace, _NO_KINDS)
    return relative


def conditional_references(resource: Json) -> tuple[str, ...]:
    """The searches that stand for references ("Practitioner?identifier=…"), each once, in their order."""
    found: dict[str, None] = {}

    def note(reference: str) -> str:
        if CONDITIONAL.fullmatch(reference):
            found[reference] = None
        return reference

    _resource(resource, note, _REWRITTEN)
    return tuple(found)


def _resource(resource: Any, replace: Replace, kinds: frozenset[str]) -> Any:
    name = resource.get("resourceType") if type(resource) is dict else None
    if type(name) is not str or name not in RESOURCE_TYPES:
        return resource
    return _object(resource, shape_of(name), replace, kinds)


def _object(value: Json, shape: Shape, replace: Replace, kinds: frozenset[str]) -> Json:
    """``kinds`` are the types of which elements are replaced, beside references."""
    changed: Json | None = None
    for name, item in value.items():
        member = shape.members.get(name)
        if member is None:
            continue
        if member.shape:
            new = _member(item, member, replace, kinds)
        elif member.kind in kinds or (name == "reference" and shape.name == "Reference"):
            new = _text(item, replace)
        else:
            continue
        if new is not item:
            changed = dict(value) if changed is None else changed
            changed[name] = new
    return value if changed is None else changed


def _member(item: Any, member: Member, replace: Replace, kinds: frozenset[str]) -> Any:
    if type(item) is list:
        new = [_member(inner, member, replace, kinds) for inner in item]
        return new if any(one is not other for one, other in zip(new, item, strict=True)) else item
    if type(item) is not dict:
        return item
    if member.shape == RESOURCE:
        return _resource(item, replace, kinds)
    return _object(item, shape_of(member.shape), replace, kinds)


def _text(item: Any, replace: Replace) -> Any:
    if type(item) is list:
        new = [_text(inner, replace) for inner in item]
        return new if new != item else item
    return replace(item) if type(item) is str else item
