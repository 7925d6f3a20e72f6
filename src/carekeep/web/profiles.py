"""The profiles that are loaded: StructureDefinitions, ValueSets and CodeSystems of the vault, as this server's rules.

They hold for everybody, whoever may read them, and so are looked up as the server and not as a person. What was
compiled is kept until one of them changes, which every worker learns through the generation ``profiles``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from carekeep.fhir import FHIR_VERSION, Issue, parse_query, validate
from carekeep.fhir.terminology import Canonical
from carekeep.fhir.validation.profiles import Library, Profile, ProfileRefused, Wanted, conformance, needed_by
from carekeep.fhir.validation.strictness import Strictness
from carekeep.records import Stored, Vault

PROFILES_TOPIC: Final = "profiles"
PROFILE_TYPES: Final = frozenset({"StructureDefinition", "ValueSet", "CodeSystem"})
_CORE = "http://hl7.org/fhir/StructureDefinition/"
_MOST = 400  # definitions that one profile may be made from; the rest is "not evaluated"
_MOST_KEPT = 10_000  # definitions, and canonicals without one
_ERRORS = frozenset({"error", "fatal"})


@dataclass(slots=True)
class _Shelf:
    """What has been looked up since the last change; ``complete`` are profiles with all that they are made from."""

    definitions: dict[Wanted, dict[str, Any] | None] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    library: Library = field(init=False)

    def __post_init__(self) -> None:
        self.library = Library(self.definitions)


class Profiles:
    """Checks resources against the profiles that they claim or that are asked for. For one process."""

    def __init__(self, vault: Vault, strictness: Strictness) -> None:
        self._vault = vault
        self._shelf = _Shelf()
        self.strictness = strictness

    def forget_cached(self) -> None:
        """Look everything up anew. A look-up that is under way goes on with what it has."""
        self._shelf = _Shelf()

    async def find(self, canonical: str) -> Profile | ProfileRefused | None:
        """A profile by its URL (and ``|version``); why it cannot be used, or None if it is not loaded."""
        return (await self._shelf_with(canonical)).library.profile(canonical)

    async def issues(self, resource: dict[str, Any], asked: Sequence[str] = ()) -> list[Issue]:
        """All that is wrong with a resource: by the base standard, by the profiles it claims, and by those ``asked``.

        As strict as its type is validated. Profiles are looked at only if the resource can be read at all. A claimed
        profile that is not loaded, or cannot be used, is warned of: most resources in the world claim one that the
        server does not have. Whether those that are ``asked`` can be used, ``find`` tells before.
        """
        type_ = str(resource.get("resourceType"))
        lenient = self.strictness.is_lenient(type_)
        found = list(validate(resource, lenient=lenient))
        if any(issue.severity in _ERRORS for issue in found):
            return found
        found += await self._claimed(resource, lenient=lenient)
        for canonical in asked:
            shelf = await self._shelf_with(canonical)
            profile = shelf.library.profile(canonical)
            if isinstance(profile, Profile):
                found += conformance(resource, profile, shelf.library, lenient=lenient)
        return list(dict.fromkeys(found))

    async def breaches(self, resource: dict[str, Any]) -> list[Issue]:
        """The errors of a valid resource by the profiles that it claims; nothing for types that are lenient."""
        if not resource.get("meta", {}).get("profile") or self.strictness.is_lenient(resource["resourceType"]):
            return []
        return [issue for issue in await self._claimed(resource, lenient=False) if issue.severity in _ERRORS]

    async def _claimed(self, resource: dict[str, Any], *, lenient: bool) -> list[Issue]:
        type_ = resource["resourceType"]
        found: list[Issue] = []
        for position, canonical in enumerate(resource.get("meta", {}).get("profile", ())):
            if not isinstance(canonical, str) or is_base(canonical, type_):
                continue
            shelf = await self._shelf_with(canonical)
            profile = shelf.library.profile(canonical)
            at = f"{type_}.meta.profile[{position}]"
            if isinstance(profile, Profile):
                found += conformance(resource, profile, shelf.library, lenient=lenient)
            elif profile is None:
                found.append(Issue("warning", "not-found", at, "This profile is not loaded here: it was not checked."))
            else:
                found.append(Issue("warning", "not-supported", at, f"This profile cannot be checked: {profile}."))
        return found

    async def _shelf_with(self, canonical: str) -> _Shelf:
        """The shelf, once everything that a profile is made from has been looked up."""
        shelf = self._shelf
        if canonical in shelf.complete:
            return shelf
        if len(shelf.definitions) > _MOST_KEPT:  # claims are a client's words: any number of them may lead nowhere
            shelf = self._shelf = _Shelf()
        waiting: list[Wanted] = [("StructureDefinition", canonical)]
        asked = set(waiting)
        while waiting and len(asked) <= _MOST:
            wanted = waiting.pop()
            if wanted not in shelf.definitions:
                shelf.definitions[wanted] = await self._look_up(wanted)
            definition = shelf.definitions[wanted]
            if definition is not None:
                new = needed_by(wanted, definition) - asked
                asked |= new
                waiting.extend(new)
        shelf.complete.add(canonical)
        return shelf

    async def _look_up(self, wanted: Wanted) -> dict[str, Any] | None:
        """Of several with one URL, an active one; of these the one that was written last."""
        type_, text = wanted
        canonical = Canonical.parse(text)
        # As the value of a search parameter has to be written (R4 3.1.1.4.8).
        url = canonical.url.replace("\\", "\\\\").replace(",", "\\,").replace("$", "\\$")
        best: Stored | None = None
        if url:
            async for stored in self._vault.search_all(parse_query(type_, [("url", url)], lenient=False), ()):
                fits = canonical.version in {None, stored.resource.get("version")}
                if fits and (best is None or _rank(stored) > _rank(best)):
                    best = stored
        return None if best is None else best.resource


def is_base(canonical: str, type_: str) -> bool:
    """Whether a profile is the base standard itself."""
    return canonical in {_CORE + type_, f"{_CORE}{type_}|{FHIR_VERSION}"}


def _rank(stored: Stored) -> tuple[bool, int]:
    return stored.resource.get("status") == "active", stored.written
