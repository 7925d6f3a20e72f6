"""The walk of one resource along the rules of a profile."""

from typing import Protocol

from carekeep.fhir.fhirpath import Node, Work, children_named, is_a
from carekeep.fhir.validation.profiles.rules import ElementRule, Profile
from carekeep.fhir.validation.report import Enough, Place, Report, expression

_MAX_NESTED = 16
_MOST_WORK = 1_000_000  # items looked at, and rules asked of them; the largest document of IPS takes 20,000


class Profiles(Protocol):
    """Where profiles that elements name are found."""

    def conforming(self, canonical: str) -> Profile | None:
        """The compiled profile, or None if it is not known or cannot be used."""
        ...


class Checking:
    """Checks one resource against a profile and the profiles that its elements name."""

    __slots__ = ("_nested", "_profiles", "_report", "resource", "root", "work")

    def __init__(self, resource: Node, report: Report, profiles: Profiles) -> None:
        self.resource = resource
        self.root = resource
        self.work = Work(_MOST_WORK)
        self._report = report
        self._profiles = profiles
        self._nested = 0

    def profile(self, profile: Profile, node: Node, place: Place) -> None:
        """Check an item against a whole profile. Raises Undecided when that takes too much work."""
        if not is_a(node.kind, profile.type):
            self._breach("structure", place, f"The profile {profile.name} is for {profile.type}", profile.url)
            return
        if self._nested == _MAX_NESTED:
            return
        self._nested += 1
        outer = self.resource
        if isinstance(node.value, dict) and "resourceType" in node.value:
            self.resource = node
        for base in profile.based_on:
            self.profile(base, node, place)
        self._item(profile.root, node, place)
        self.resource = outer
        self._nested -= 1

    def conforms(self, canonical: str, node: Node) -> bool:
        """Whether an item follows a profile; so does everything where the profile is not known."""
        profile = self._profiles.conforming(canonical)
        if profile is None:
            return True
        nested, aside, self._report = self._nested, self._report, Report()
        try:
            self.profile(profile, node, (None, node.kind, None))
        except Enough:
            return False
        finally:
            self._nested = nested
            found, self._report = self._report.issues, aside
        return not any(issue.severity == "error" for issue in found)

    def contained_type(self, id_: str) -> str | None:
        """The type of a contained resource."""
        inner = children_named(self.root, "contained")
        return next((node.kind for node in inner if node.value.get("id") == id_), None)

    def _element(self, rule: ElementRule, owner: Node, place: Place) -> None:
        items = list(children_named(owner, rule.name))
        self._count(rule, len(items), place, rule.name)
        for position, item in enumerate(items):
            self._item(rule, item, self._at(rule, item, place, position))
        if rule.slices:
            self._slices(rule, items, place)

    def _at(self, rule: ElementRule, item: Node, place: Place, position: int) -> Place:
        step = f"{rule.name}.ofType({item.kind})" if rule.choice else rule.name
        return (place, step, position if rule.many else None)

    def _count(self, rule: ElementRule, number: int, place: Place, what: str) -> None:
        at: Place = (place, rule.name, None)
        if number < rule.minimum:
            need = f"at least {rule.minimum} of {what} " if rule.minimum > 1 else f"{what} "
            self._breach("required", at, f"{need}must be there")
        elif rule.maximum is not None and number > rule.maximum:
            may = f"at most {rule.maximum} of {what} may be there" if rule.maximum else f"{what} must not be there"
            self._breach("structure", at, may)

    def _item(self, rule: ElementRule, item: Node, place: Place) -> None:
        self.work.spend(1 + len(rule.demands) + len(rule.slices))
        if rule.kinds is not None and item.kind not in rule.kinds:
            self._breach("structure", place, f"Must be of type {' or '.join(sorted(rule.kinds))}")
            return
        for demand in rule.demands:
            breach = demand(item, self)
            if breach is not None:
                self._report.breach(breach.code, expression(place), breach.words, breach.severity)
        for child in rule.children.get(item.kind, ()):
            self._element(child, item, place)
        named = rule.profiles.get(item.kind)
        if named:
            self._named_profiles(named, item, place)

    def _named_profiles(self, named: tuple[str, ...], item: Node, place: Place) -> None:
        """An item must follow one of the profiles that its type names. One that is not known stands in nobody's way."""
        known = [self._profiles.conforming(canonical) for canonical in named]
        if None in known:
            return
        if len(known) == 1 and known[0] is not None:
            self.profile(known[0], item, place)
        elif not any(self.conforms(canonical, item) for canonical in named):
            self._breach("value", place, f"Must follow one of the profiles {', '.join(named)}")

    def _slices(self, rule: ElementRule, items: list[Node], place: Place) -> None:
        numbers: dict[str, int] = {each.name: 0 for each in rule.slices}
        for position, item in enumerate(items):
            at = self._at(rule, item, place, position)
            mine = next((each for each in rule.slices if all(test(item, self) for test in each.tests)), None)
            if mine is not None:
                numbers[mine.name] += 1
                self._item(mine.rule, item, at)
            elif rule.closed:
                self._breach("structure", at, f"Must be one of the slices {', '.join(numbers)}: others are not allowed")
        for each in rule.slices:
            self._count(each.rule, numbers[each.name], place, f"{rule.name}:{each.name}")

    def _breach(self, code: str, place: Place, words: str, of: str = "") -> None:
        self._report.breach(code, expression(place), f"{words} ({of})" if of else words)
