"""Which slice an item belongs to (R4, profiling.html#discriminator).

A discriminator names a path. What a slice has there (a fixed value, a pattern, codes, a type, that it must or must not
be there) is read from the profile once; an item belongs to the slice if it has the same.
"""

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from carekeep.fhir.definitions import RESOURCE_TYPES
from carekeep.fhir.fhirpath import Node, children_named, is_a
from carekeep.fhir.validation.profiles.demands import Codes, equals, fits, has_code
from carekeep.fhir.validation.profiles.rules import Test
from carekeep.fhir.validation.profiles.tree import RESLICED, Branch

if TYPE_CHECKING:
    from carekeep.fhir.validation.profiles.checking import Checking

Json = dict[str, Any]
_CORE = "http://hl7.org/fhir/StructureDefinition/"
_STEP = re.compile(r"([A-Za-z][A-Za-z0-9]*)|ofType\(([A-Za-z]+)\)|extension\('([^']+)'\)")
_BY_URL = ({"type": "value", "path": "url"},)
_BY_TYPE = ({"type": "type", "path": "$this"},)

# (how a step is taken: "child", "type" or "extension"; its name)
Step = tuple[str, str]


class NotDecidable(Exception):
    """Slices that cannot be told apart here. The text says why."""


class SliceReader:
    """Reads the discriminators of one profile. ``codes`` gives the codes of a value set, if they are known."""

    def __init__(self, codes: Callable[[str], Codes | None]) -> None:
        self._codes = codes

    def read(self, branch: Branch) -> tuple[Json, dict[str, tuple[Test, ...]]]:
        """The slicing of an element, and the tests of each of its slices by name. Raises NotDecidable."""
        slicing: Json = branch.definition.get("slicing", {})
        discriminators = slicing.get("discriminator") or _implied(branch)
        if any(RESLICED in name for name in branch.slices):
            raise NotDecidable("slices of slices are not supported")
        tests = {
            name: tuple(self._test(str(each.get("type")), str(each.get("path")), slice_) for each in discriminators)
            for name, slice_ in branch.slices.items()
        }
        return slicing, tests

    def _test(self, kind: str, path: str, slice_: Branch) -> Test:
        match kind:
            case "value" | "pattern":
                return self._by_value(_steps(path), slice_)
            case "exists":
                return _by_presence(_steps(path), slice_)
            case "type" if path.endswith("resolve()"):
                return _by_target(_steps(path.removesuffix("resolve()").rstrip(".") or "$this"), slice_)
            case "type":
                return _by_type(_steps(path), slice_)
            case "profile":
                return _by_profile(_steps(path), slice_)
        raise NotDecidable(f"discriminators of the type {kind} are not supported")

    def _by_value(self, steps: tuple[Step, ...], slice_: Branch) -> Test:
        wanted = list(_wanted(slice_, steps))
        bound = [codes for branch in _branches(slice_, steps) if (codes := self._bound(branch)) is not None]
        if not wanted and not bound:
            raise NotDecidable(f"the slice {slice_.slice} has no value where they are told apart")

        def test(node: Node, _: "Checking") -> bool:
            found = list(_at(node, steps))
            if not wanted:
                return any(has_code(each, codes) for each in found for codes in bound)
            return all(any(_matches(each.value, want, loose=loose) for each in found) for want, loose in wanted)

        return test

    def _bound(self, branch: Branch) -> Codes | None:
        binding = branch.definition.get("binding", {})
        return self._codes(binding.get("valueSet", "")) if binding.get("strength") == "required" else None


def _implied(branch: Branch) -> tuple[Json, ...]:
    """Extensions are told apart by their URL and choices by their type, also where nobody says so."""
    if branch.name in {"extension", "modifierExtension"}:
        return _BY_URL
    if all("type" in each.definition for each in branch.slices.values()) and branch.definition.get("max", "1") == "1":
        return _BY_TYPE
    raise NotDecidable("nothing says how they are told apart")


def _steps(path: str) -> tuple[Step, ...]:
    if path == "$this":
        return ()
    steps: list[Step] = []
    # A URL in extension('…') has dots of its own.
    for text in re.findall(r"(?:[^.(]|\([^)]*\))+", path.removeprefix("$this.")):
        match = _STEP.fullmatch(text)
        if match is None:
            raise NotDecidable(f"the path {path} is not supported")
        steps.append(("child", match[1]) if match[1] else ("type", match[2]) if match[2] else ("extension", match[3]))
    return tuple(steps)


def _at(node: Node, steps: tuple[Step, ...]) -> Iterator[Node]:
    """The nodes at a path below an item."""
    if not steps:
        yield node
        return
    (how, name), rest = steps[0], steps[1:]
    if how == "type":
        inner = iter((node,) if is_a(node.kind, name) else ())
    elif how == "extension":
        inner = (each for each in children_named(node, "extension") if each.value.get("url") == name)
    else:
        inner = children_named(node, name)
    for each in inner:
        yield from _at(each, rest)


def _branches(branch: Branch, steps: tuple[Step, ...]) -> list[Branch]:
    """Where the definition of a slice speaks of a path: there, or in slices that must be there on the way."""
    if not steps:
        return [branch]
    (how, name), rest = steps[0], steps[1:]
    if how == "type":
        return _branches(branch, rest)
    if how == "extension":
        extensions = branch.children.get("extension")
        inner = [each for each in extensions.slices.values() if name in each.profiles()] if extensions else []
    else:
        child = branch.children.get(name)
        inner = [child, *(each for each in child.slices.values() if each.minimum)] if child else []
    return [found for each in inner for found in _branches(each, rest)]


def _matches(value: Any, wanted: Any, *, loose: bool) -> bool:
    return fits(value, wanted) if loose else equals(value, wanted)


def _wanted(branch: Branch, steps: tuple[Step, ...]) -> Iterator[tuple[Any, bool]]:
    """The values that a slice has at a path, each with whether more may stand beside it (a pattern)."""
    for length in range(len(steps) + 1):
        for at in _branches(branch, steps[:length]):
            rest = steps[length:]
            for prefix in ("fixed", "pattern"):
                value = at.demanded(prefix)
                if value is not None:
                    yield from ((part, prefix == "pattern") for part in _dig(value, rest))
            if rest == (("child", "url"),) and "url" not in at.children:
                yield from ((canonical.partition("|")[0], False) for canonical in at.profiles())


def _dig(value: Any, steps: tuple[Step, ...]) -> list[Any]:
    """What a value has at a path."""
    values = value if isinstance(value, list) else [value]
    if not steps:
        return [each for each in values if each is not None]
    (how, name), rest = steps[0], steps[1:]
    if how != "child":
        return []
    return [found for each in values if isinstance(each, dict) for found in _dig(each.get(name), rest)]


def _by_presence(steps: tuple[Step, ...], slice_: Branch) -> Test:
    branches = _branches(slice_, steps)
    must = any(branch.minimum for branch in branches)
    if not must and not any(branch.maximum == 0 for branch in branches):
        raise NotDecidable(f"the slice {slice_.slice} does not say what must be there")
    return lambda node, _checking: any(True for _ in _at(node, steps)) == must


def _types(steps: tuple[Step, ...], slice_: Branch) -> frozenset[str]:
    codes = frozenset(str(type_.get("code")) for branch in _branches(slice_, steps) for type_ in branch.types)
    if not codes:
        raise NotDecidable(f"the slice {slice_.slice} names no type")
    return codes


def _by_type(steps: tuple[Step, ...], slice_: Branch) -> Test:
    codes = _types(steps, slice_)
    return lambda node, _checking: any(is_a(each.kind, code) for each in _at(node, steps) for code in codes)


def _by_target(steps: tuple[Step, ...], slice_: Branch) -> Test:
    """By the type of resource that a reference points to, as far as the reference tells it."""
    named = [t for b in _branches(slice_, steps) for type_ in b.types for t in type_.get("targetProfile", ())]
    types = {target.removeprefix(_CORE) for target in named}
    if not types or not types <= RESOURCE_TYPES:
        raise NotDecidable(f"the slice {slice_.slice} names profiles of what is referred to")

    def test(node: Node, _: "Checking") -> bool:
        return any(_target_type(each.value) in types for each in _at(node, steps))

    return test


def _target_type(reference: Any) -> str:
    if not isinstance(reference, dict):
        return ""
    steps = str(reference.get("reference", "")).partition("/_history/")[0].split("/")
    return steps[-2] if len(steps) > 1 else str(reference.get("type", ""))


def _by_profile(steps: tuple[Step, ...], slice_: Branch) -> Test:
    """By the profiles of a type; where it names none, the type itself is the profile."""
    branches = _branches(slice_, steps)
    canonicals = [canonical for branch in branches for canonical in branch.profiles()]
    if not canonicals:
        return _by_type(steps, slice_)

    def test(node: Node, checking: "Checking") -> bool:
        return any(checking.conforms(canonical, each) for each in _at(node, steps) for canonical in canonicals)

    return test
