"""Where people work, by their roles in the directory; each record is decided like any other."""

from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.fhir.verdicts import Verdicts
from carekeep.web.passage import Passage

_PERSON = "Practitioner/"


class Organizations:
    """Looks places up for one page, at most ``most`` of them; those of further people are not told."""

    def __init__(self, passage: Passage, most: int) -> None:
        self._passage = passage
        self._verdicts = Verdicts(passage)
        self._left = most
        self._names: dict[str, str] = {}
        self._places: dict[str, str] = {}

    async def of(self, who: str) -> str:
        """The name of the organization of "Practitioner/x"; "" where none is known."""
        if not who.startswith(_PERSON):
            return ""
        if who not in self._places and self._left:
            self._left -= 1
            self._places[who] = await self._look_up(who)
        return self._places.get(who, "")

    async def name(self, reference: str) -> str:
        """The name of "Organization/x"; "" where it is not known, or not for this person."""
        if reference not in self._names:
            stored = await self._read(reference)
            self._names[reference] = str(stored.resource.get("name", "")) if stored else ""
        return self._names[reference]

    async def _look_up(self, who: str) -> str:
        roles = await self._passage.services.vault.find("PractitionerRole", [("practitioner", who)], None)
        for role in roles:
            stored = await self._read(f"PractitionerRole/{role.get('id')}")
            place = stored.resource.get("organization", {}) if stored else {}
            if name := await self.name(str(place.get("reference", ""))) or str(place.get("display", "")):
                return name
        return ""

    async def _read(self, reference: str) -> Stored | None:
        type_, _, id_ = reference.partition("/")
        if not id_:
            return None
        try:
            stored = await self._passage.services.vault.read(type_, id_)
        except (NotFound, Forgotten):
            return None
        return None if stored.deleted else await self._verdicts.shown(stored)
