"""A paper of a whole chart: every record that was given, in the kinds that people know, the newest first."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from carekeep.fhir.documents import care_span_ms, words
from carekeep.fhir.documents.sections import SECTIONS
from carekeep.fhir.documents.words import Cell
from carekeep.web.papers.paper import Item, Paper, Section

Json = dict[str, Any]
_NAMELESS = "No name is recorded"


@dataclass(frozen=True, slots=True)
class _Kind:
    """A section of the paper: what belongs into it, and what is said of each; the first column is its title."""

    title: str
    types: frozenset[str]
    columns: tuple[tuple[str, Cell], ...]


def _first(*cells: Cell) -> Cell:
    """The first of several cells that says something."""

    def cell(resource: Json, known: Mapping[str, Json]) -> str:
        return next((text for each in cells if (text := each(resource, known))), "")

    return cell


def _texts(name: str, inner: str) -> Cell:
    """The texts of one element of each in a list, such as the payloads of a message."""
    return lambda resource, _: words.listed(str(each.get(inner, "")) for each in resource.get(name, ()))


def _people(*names: str) -> Cell:
    """Who is named in these elements, as they are displayed there or known."""

    def cell(resource: Json, known: Mapping[str, Json]) -> str:
        references = [each for name in names for each in words.several(resource.get(name))]
        said = (
            each.get("display") or words.human_name(known.get(each.get("reference", ""), {})) for each in references
        )
        return words.listed(said)

    return cell


def _class(resource: Json, _: Mapping[str, Json]) -> str:
    coding = resource.get("class", {})
    return str(coding.get("display") or coding.get("code", ""))


_STATUS: Final = ("Status", words.code("status"))
_NOTES: Final = ("Notes", words.notes)
_KINDS: Final = (
    *(_Kind(section.title, section.types, section.columns) for section in SECTIONS),
    _Kind(
        "Visits",
        frozenset({"Encounter"}),
        (
            ("Visit", _first(words.concept("type"), words.concept("serviceType"), _class)),
            ("When", words.when("period")),
            ("Reason", words.concept("reasonCode")),
            _STATUS,
        ),
    ),
    _Kind(
        "Appointments",
        frozenset({"Appointment"}),
        (
            ("Appointment", _first(words.code("description"), words.concept("serviceType"))),
            ("When", words.when("start")),
            _STATUS,
        ),
    ),
    _Kind(
        "Orders and plans",
        frozenset({"ServiceRequest", "CarePlan", "Goal", "CareTeam", "NutritionOrder"}),
        (
            ("Order", _first(words.concept("code"), words.concept("description"), words.code("title"))),
            ("When", words.when("authoredOn", "period", "startDate")),
            _STATUS,
            _NOTES,
        ),
    ),
    _Kind(
        "Documents and messages",
        frozenset({"DocumentReference", "Composition", "Communication", "QuestionnaireResponse"}),
        (
            (
                "Title",
                _first(words.code("description"), words.code("title"), words.concept("type"), words.concept("topic")),
            ),
            ("When", words.when("date", "sent", "authored")),
            ("From", _people("sender", "author")),
            ("Text", _texts("payload", "contentString")),
            _STATUS,
        ),
    ),
)
_OTHER: Final = _Kind(
    "Other records",
    frozenset(),
    (
        ("Record", _first(words.concept("code"), words.concept("type"), words.code("description"))),
        ("When", words.when("recorded", "created", "date", "period", "authoredOn", "dateTime")),
        _STATUS,
        _NOTES,
    ),
)


def chart_paper(
    title: str, patient: Json, records: Iterable[Json], directory: Sequence[Json], remarks: Sequence[str] = ()
) -> Paper:
    """Every one of ``records`` is told. ``directory``: what they refer to; ``remarks`` stand first."""
    known = {f"{each['resourceType']}/{each['id']}": each for each in directory}
    kind_of = {type_: kind for kind in _KINDS for type_ in kind.types}
    told: dict[str, list[Json]] = {}
    for record in sorted(records, key=_when, reverse=True):
        if record["resourceType"] != "Patient":
            told.setdefault(kind_of.get(record["resourceType"], _OTHER).title, []).append(record)
    sections = tuple(
        Section(kind.title, tuple(_item(record, kind, known) for record in told[kind.title]))
        for kind in (*_KINDS, _OTHER)
        if kind.title in told
    )
    about = (
        f"{words.human_name(patient) or _NAMELESS}, born {patient.get('birthDate', 'on a day that is not recorded')}"
    )
    return Paper(title, (about, *remarks), sections)


def _item(record: Json, kind: _Kind, known: Mapping[str, Json]) -> Item:
    (_, first), *rest = kind.columns
    facts = ((name, cell(record, known)) for name, cell in rest)
    title = first(record, known) or record["resourceType"]
    return Item(title, tuple((name, text) for name, text in facts if text))


def _when(record: Json) -> int:
    span = care_span_ms(record)
    return span[0] if span else 0
