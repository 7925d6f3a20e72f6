"""How a Consent is taken apart: what can be read is read, and everything that cannot is written down with its place.

Bounded: so many issues, so many items of a list, so many provisions, so deep. Elements that are not named here are
refused, not skipped, for what is skipped is not enforced.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from carekeep.access.spans import ALWAYS, NEVER, Span, period
from carekeep.fhir import Issue

MOST_ISSUES: Final = 20
MOST_ITEMS: Final = 100
_LOCAL = re.compile(r"([A-Z][A-Za-z]{1,40}/[A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?", re.ASCII)
_LONGEST = 300


class ConsentRefused(ValueError):
    """A Consent that cannot be enforced. ``issues`` say where and why, without repeating what stands there."""

    def __init__(self, issues: tuple[Issue, ...]) -> None:
        super().__init__("; ".join(f"{issue.expression}: {issue.diagnostics}" for issue in issues))
        self.issues = issues


class Refusals:
    """What is wrong, as it is found."""

    def __init__(self) -> None:
        self._issues: list[Issue] = []

    def add(self, at: str, why: str, code: str = "business-rule") -> None:
        """Write one down."""
        if len(self._issues) < MOST_ISSUES:
            self._issues.append(Issue("error", code, at, why))

    def demand_none(self) -> None:
        """Raise ConsentRefused if there is any."""
        if self._issues:
            raise ConsentRefused(tuple(self._issues))


class Reading:
    """One element of a Consent and its place, with what was found wrong until now."""

    __slots__ = ("_at", "_element", "_refusals")

    def __init__(self, element: Mapping[str, Any], at: str, refusals: Refusals) -> None:
        self._element = element
        self._at = at
        self._refusals = refusals

    def refuse(self, name: str, why: str, code: str = "business-rule") -> None:
        """Write down what is wrong with a child element ("" for this one)."""
        self._refusals.add(f"{self._at}.{name}" if name else self._at, why, code)

    def only(self, known: Collection[str], why: str) -> None:
        """Refuse every child element beside these."""
        for name in self._element:
            if name not in known:
                shown = name if re.fullmatch(r"_?[A-Za-z]{1,40}", name) else ""
                self.refuse(shown, why, "not-supported")

    def has(self, name: str) -> bool:
        """Whether there is such a child element."""
        return name in self._element

    def text(self, name: str) -> str | None:
        """A child that is a string; any other is refused."""
        value = self._element.get(name)
        if value is not None and not isinstance(value, str):
            self.refuse(name, "This must be a string.", "structure")
            return None
        return value

    def child(self, name: str) -> "Reading | None":
        """A child that is an object; any other is refused."""
        value = self._element.get(name)
        if isinstance(value, Mapping):
            return Reading(value, f"{self._at}.{name}", self._refusals)
        if value is not None:
            self.refuse(name, "This must be an object.", "structure")
        return None

    def each(self, name: str) -> Iterator["Reading"]:
        """Children that are objects in a list; anything else is refused, and more than a bounded number."""
        value = self._element.get(name)
        if value is None:
            return
        if not isinstance(value, list) or not value:
            self.refuse(name, "This must be a list with something in it.", "structure")
            return
        if len(value) > MOST_ITEMS:
            self.refuse(name, f"There are more than {MOST_ITEMS} of these.", "too-costly")
            return
        for number, item in enumerate(value):
            if isinstance(item, Mapping):
                yield Reading(item, f"{self._at}.{name}[{number}]", self._refusals)
            else:
                self.refuse(f"{name}[{number}]", "This must be an object.", "structure")

    def coding(self) -> str | None:
        """The Coding as "system|code"; one without either is refused."""
        self.only(
            ("id", "system", "version", "code", "display", "userSelected"), "This may change what the code means."
        )
        system, code = self.text("system"), self.text("code")
        if not system or not code or len(system) > _LONGEST or len(code) > _LONGEST:
            self.refuse("", "A code with its system is needed here.", "code-invalid")
            return None
        return f"{system}|{code}"

    def codings(self) -> frozenset[str]:
        """The codings of the CodeableConcept; words alone are refused, for nobody can enforce them."""
        self.only(("id", "coding", "text"), "This may change what the code means.")
        found = [each.coding() for each in self.each("coding")]
        if not found:
            self.refuse("", "A code is needed here; a text alone cannot be enforced.", "code-invalid")
        return frozenset(each for each in found if each is not None)

    def reference(self, name: str, types: Collection[str]) -> str | None:
        """The "Type/id" of a child that refers to a record of these types here; any other reference is refused."""
        child = self.child(name)
        text = None
        if child is not None:
            child.only(("id", "reference", "type", "identifier", "display"), "This may change who or what is meant.")
            text = child.text("reference")
        match = _LOCAL.fullmatch(text) if text is not None else None
        if match is None:
            self.refuse(name, "This must be a literal reference to a record of this server (Type/id).")
            return None
        if match[1].partition("/")[0] not in types:
            self.refuse(name, f"This must refer to one of: {', '.join(sorted(types))}.", "not-supported")
            return None
        return match[1]

    def span(self, name: str) -> Span | None:
        """A child that is a Period; one that cannot be read, or that ends before it begins, is refused."""
        if not self.has(name):
            return None
        child = self.child(name)
        if child is None:
            return NEVER
        child.only(("id", "start", "end"), "This may change what the period means.")
        span = period(self._element[name])
        if span == ALWAYS or span.since >= span.until:
            self.refuse(name, "This must be a period that begins or ends, and does not end before it begins.", "value")
        return span
