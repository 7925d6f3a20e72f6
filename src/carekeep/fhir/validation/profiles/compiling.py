"""From a StructureDefinition to the rules that its instances are checked by.

The base standard is checked by the walk before, so only what a profile asks beyond it becomes a rule. A part that
cannot be checked (terminology that is not loaded, FHIRPath that is left out, a discriminator over a reference) is named
in ``left_out`` and never taken for fulfilled in silence.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from carekeep.fhir.definitions import DATATYPES, PRIMITIVES, RESOURCE_TYPES, type_facts
from carekeep.fhir.fhirpath import Slot, Unsupported, compile_predicate, elements_of
from carekeep.fhir.validation.profiles import demands
from carekeep.fhir.validation.profiles.demands import Codes
from carekeep.fhir.validation.profiles.rules import Demand, ElementRule, Profile, SliceRule
from carekeep.fhir.validation.profiles.slicing import NotDecidable, SliceReader
from carekeep.fhir.validation.profiles.tree import Branch, ProfileRefused, has_snapshot, read_tree
from carekeep.fhir.validation.rule import severity_of

Json = dict[str, Any]
CORE: Final = "http://hl7.org/fhir/StructureDefinition/"
_QUANTITIES = {CORE + name: "comparator.empty()" for name in ("SimpleQuantity", "MoneyQuantity")}
_UNIVERSAL = frozenset({"ele-1", "ext-1", "ref-1", "txt-1", "txt-2", "dom-2", "dom-3", "dom-4", "dom-5", "dom-6"})


class Compiler:
    """Compiles one definition. ``codes`` gives the codes of a value set, None where they are not known."""

    def __init__(self, definition: Json, codes: Callable[[str], Codes | None]) -> None:
        self._definition = definition
        self._codes = codes
        self._left_out: dict[str, None] = {}
        self._type = str(definition.get("type", ""))
        self._slices = SliceReader(codes)

    def profile(self, based_on: tuple[Profile, ...]) -> Profile:
        """The profile. Raises ProfileRefused."""
        if self._type not in RESOURCE_TYPES | DATATYPES:
            raise ProfileRefused("R4 has no type of the name that it constrains")
        root = replace(self._rule(read_tree(self._definition), self._type, None), minimum=0, maximum=None)
        url = str(self._definition.get("url", ""))
        name = str(self._definition.get("name") or url)
        return Profile(url, name, self._type, root, based_on, tuple(self._left_out))

    def _rule(self, branch: Branch, kind: str, slots: tuple[Slot, ...] | None) -> ElementRule:
        """The rule of an element or a slice. ``slots`` are its places in JSON, None for the root, of type ``kind``."""
        kinds = self._kinds(branch, slots)
        possible = kinds or frozenset({kind} if slots is None else {slot.kind for slot in slots})
        rule = ElementRule(
            name=branch.name,
            many=slots is not None and slots[0].many,
            choice=slots is not None and len(slots) > 1,
            minimum=branch.minimum,
            maximum=self._maximum(branch, slots),
            kinds=kinds,
            demands=tuple(self._demands(branch)),
            children=self._children(branch, possible),
            profiles=self._profiles(branch, kind),
        )
        return self._with_slices(rule, branch, kind, slots)

    def _maximum(self, branch: Branch, slots: tuple[Slot, ...] | None) -> int | None:
        """The tightened maximum: that there is at most one of what is no list, the base standard has said."""
        single = slots is not None and not slots[0].many
        return None if single and branch.maximum == 1 else branch.maximum

    def _kinds(self, branch: Branch, slots: tuple[Slot, ...] | None) -> frozenset[str] | None:
        """The types to which a choice, or a resource inside, is narrowed; None if it is not."""
        codes = {str(type_.get("code", "")) for type_ in branch.types} - {"Element", "BackboneElement", "Resource"}
        if slots is None or not codes:
            return None
        open_ = {slot.kind for slot in slots}
        if open_ == {"Resource"}:
            return frozenset(codes) if codes <= RESOURCE_TYPES else None
        narrowed = frozenset(codes & open_)
        return narrowed if narrowed and narrowed < open_ else None

    def _children(self, branch: Branch, kinds: frozenset[str]) -> Mapping[str, tuple[ElementRule, ...]]:
        found: dict[str, tuple[ElementRule, ...]] = {}
        for kind in kinds if branch.children else ():
            if kind == "Resource":
                self._leave_out(f"the elements of any resource at {branch.id}")
                continue
            rules = [
                rule for child in branch.children.values() if (rule := self._child(child, kind, len(kinds))) is not None
            ]
            found[kind] = tuple(rule for rule in rules if not rule.says_nothing)
        return {kind: rules for kind, rules in found.items() if rules}

    def _child(self, branch: Branch, kind: str, alternatives: int) -> ElementRule | None:
        elements = elements_of(kind)
        slots = elements.get(branch.name)
        if slots is not None:
            return self._rule(branch, kind, slots)
        if kind in PRIMITIVES and branch.name == "value":  # in JSON it is the primitive itself
            return None
        # "valueQuantity" is how older definitions write "value[x]", if it is a Quantity.
        for name, each in elements.items():
            if len(each) > 1 and any(slot.name == branch.name for slot in each):
                only = tuple(slot for slot in each if slot.name == branch.name)
                short = Branch(branch.id, name, "", {"slicing": {"rules": "open"}}, {}, {branch.name: branch})
                branch.definition.setdefault("type", [{"code": only[0].kind}])
                return self._rule(short, kind, each)
        if alternatives > 1:  # an element of another type of the choice
            return None
        raise ProfileRefused(f"{branch.id} is no element of R4")

    def _profiles(self, branch: Branch, kind: str) -> Mapping[str, tuple[str, ...]]:
        found = {}
        for type_ in branch.types:
            named = tuple(canonical for canonical in type_.get("profile", ()) if canonical not in _QUANTITIES)
            if named:
                found[str(type_.get("code", kind))] = named
        return found

    def _demands(self, branch: Branch) -> Iterator[Demand]:
        definition = branch.definition
        if (value := branch.demanded("fixed")) is not None:
            yield demands.fixed(value)
        if (value := branch.demanded("pattern")) is not None:
            yield demands.pattern(value)
        if (length := definition.get("maxLength")) is not None:
            yield demands.longest(int(length))
        for name in definition:
            if name.startswith(("minValue", "maxValue")):
                self._leave_out(f"{name} at {branch.id}")
        yield from self._binding(branch)
        yield from self._targets(branch)
        yield from self._constraints(branch)

    def _binding(self, branch: Branch) -> Iterator[Demand]:
        binding = branch.definition.get("binding", {})
        value_set = binding.get("valueSet")
        if binding.get("strength") != "required" or not value_set or branch.definition.get("max") == "0":
            return
        codes = self._codes(value_set)
        if codes is None:
            self._leave_out(f"the value set {value_set} at {branch.id}: its codes are not known here")
        else:
            yield demands.bound(codes, value_set)

    def _targets(self, branch: Branch) -> Iterator[Demand]:
        named = {target for type_ in branch.types for target in type_.get("targetProfile", ())}
        types = {target.removeprefix(CORE) for target in named}
        if types and types <= RESOURCE_TYPES:
            yield demands.targets(frozenset(types))
        elif types - {"Resource"}:
            self._leave_out("whether what references point to follows the profiles that are named for it")

    def _constraints(self, branch: Branch) -> Iterator[Demand]:
        said = [*branch.definition.get("constraint", ())]
        for canonical in branch.profiles():
            if canonical in _QUANTITIES:
                human = "The comparator is not used on a SimpleQuantity"
                said.append({"key": "sqty-1", "human": human, "expression": _QUANTITIES[canonical]})
        for one in {str(rule.get("key")): rule for rule in said}.values():
            key, text = str(one.get("key", "")), one.get("expression")
            if key in _UNIVERSAL or _is_core(one, self._type):
                continue
            try:
                predicate = compile_predicate(text or "")
            except Unsupported as reason:
                self._leave_out(f"the constraint {key} at {branch.id}: {reason}")
                continue
            human = str(one.get("human", "A constraint does not hold"))
            yield demands.constraint(predicate, key, human, severity_of(one.get("severity")))

    def _with_slices(self, rule: ElementRule, branch: Branch, kind: str, slots: tuple[Slot, ...] | None) -> ElementRule:
        if not branch.slices:
            return rule
        try:
            slicing, tests = self._slices.read(branch)
        except NotDecidable as reason:
            self._leave_out(f"the slices of {branch.id}: {reason}")
            return rule
        if slicing.get("ordered"):
            self._leave_out(f"the order of the slices of {branch.id}")
        slices = tuple(
            SliceRule(name, tests[name], self._rule(each, kind, slots)) for name, each in branch.slices.items()
        )
        return replace(rule, slices=slices, closed=slicing.get("rules") == "closed")

    def _leave_out(self, what: str) -> None:
        self._left_out[what] = None


def _is_core(constraint: Json, type_: str) -> bool:
    """Whether the base standard says it too: snapshots repeat what they inherit."""
    key, source = constraint.get("key"), str(constraint.get("source", ""))
    name = source.removeprefix(CORE) if source else type_
    if name in PRIMITIVES:
        return True
    if name not in RESOURCE_TYPES | DATATYPES and name not in {
        "DomainResource",
        "Resource",
        "Element",
        "BackboneElement",
    }:
        return False
    same = [rule for rule in type_facts(name).invariants if rule.key == key]
    return bool(same) and (bool(source) or any(rule.expression == constraint.get("expression") for rule in same))


def dependencies(definition: Json) -> tuple[frozenset[str], frozenset[str]]:
    """The canonicals of the profiles and of the value sets that a profile is checked with.

    These are its base, if it has no snapshot, the profiles of its types, and its required bindings.
    """
    profiles, value_sets = set(), set()
    part = "snapshot" if has_snapshot(definition) else "differential"
    for element in definition.get(part, {}).get("element", ()):
        for type_ in element.get("type", ()):
            profiles.update(type_.get("profile", ()))
        binding = element.get("binding", {})
        if binding.get("strength") == "required" and "valueSet" in binding:
            value_sets.add(binding["valueSet"])
    if not has_snapshot(definition) and "baseDefinition" in definition:
        profiles.add(definition["baseDefinition"])
    known = {canonical for canonical in profiles if canonical.removeprefix(CORE) in RESOURCE_TYPES | DATATYPES}
    return frozenset(profiles - known - _QUANTITIES.keys()), frozenset(value_sets)
