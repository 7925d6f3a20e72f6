"""Reports of laboratories and others in plain words: what was concluded, the values together, the files. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from carekeep.web.plain import Moment, Name, Speech, moment_of, name_of, name_of_reference, spoken_status, text_of
from carekeep.web.portal.files import File, files_of
from carekeep.web.portal.measured import Reading, kind_of, reading

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Member:
    """One value of a report."""

    name: Name
    reading: Reading
    is_result: bool


@dataclass(frozen=True, slots=True)
class Report:
    """A DiagnosticReport. ``says`` sums its values up; it is empty where nothing can be said."""

    id: str
    name: Name
    when: Moment
    who: str
    status: str
    conclusion: str
    lines: tuple[str, ...]
    members: tuple[Member, ...]
    files: tuple[File, ...]
    says: str

    @property
    def is_unusual(self) -> bool:
        """Whether one of its values is not as usual."""
        return any(member.reading.is_unusual for member in self.members)


def report_of(speech: Speech, resource: Json, known: Mapping[str, Json]) -> Report:
    """A report; ``known`` are the Observations that it may refer to, by reference."""
    results = [known[each["reference"]] for each in resource.get("result", ()) if each.get("reference") in known]
    members = tuple(
        Member(name_of(speech, each.get("code")), reading(speech, each), kind_of(each) is not None) for each in results
    )
    performers = (name_of_reference(each) for each in resource.get("performer", ()))
    return Report(
        id=str(resource.get("id", "")),
        name=name_of(speech, resource.get("code")),
        when=moment_of(speech, resource),
        who=", ".join(each for each in performers if each),
        status=spoken_status(speech, resource),
        conclusion=str(resource.get("conclusion", "")),
        lines=text_of((resource.get("text") or {}).get("div")),
        members=members,
        files=files_of(speech, resource),
        says=_summed_up(speech, members),
    )


def _summed_up(speech: Speech, members: tuple[Member, ...]) -> str:
    parts = [part for member in members for part in member.reading.parts]
    judged = [part for part in parts if part.says]
    unusual = sum(part.standing.is_unusual for part in judged)
    if unusual:
        return speech.say_many("One value is not as usual.", "{count} values are not as usual.", unusual)
    if judged and len(judged) == len(parts):
        return speech.say("All values are in the usual range.")
    return ""
