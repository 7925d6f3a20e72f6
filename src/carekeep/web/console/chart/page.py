"""Everything below a patient's chart: which page answers what."""

from dataclasses import replace
from typing import Final

from carekeep.web.console.chart import break_glass, ordering, record
from carekeep.web.console.chart.drafts import may_change
from carekeep.web.console.chart.gathering import NEWEST, WHOLE, Chart, patient_of, read_chart, record_view
from carekeep.web.console.chart.items import Item, header, item_of, newest_first
from carekeep.web.console.chart.place import Place, place_of
from carekeep.web.console.chart.results import results_of
from carekeep.web.console.chart.trend import course_of, spark_of
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.http import Response
from carekeep.web.sites import Visit, nothing_here

SECTIONS: Final[dict[str, tuple[str, ...]]] = {
    "problems": ("Condition",),
    "medicines": ("MedicationRequest", "MedicationStatement"),
    "allergies": ("AllergyIntolerance",),
    "results": ("Observation",),
    "reports": ("DiagnosticReport",),
    "tests": ("ServiceRequest",),
    "visits": ("Encounter",),
    "notes": ("DocumentReference",),
    "immunizations": ("Immunization",),
    "procedures": ("Procedure",),
}
"""The parts of a chart by the names in its URLs, and the types of records in each."""
_ALL = 1_000  # of a section that is opened by itself


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/patient/{id}`` and ``/emergency/{id}``, and what is below."""
    if not rest:
        raise nothing_here()
    place = await place_of(to, rest[0])
    match (method, *rest[1:]):
        case ("GET",):
            return await _whole(to, place)
        case ("GET", section) if section in SECTIONS:
            return await _section(to, place, section)
        case ("POST", "close"):
            return await break_glass.close(to, place)
        case (_, "record", *which):
            return await record.answer(to, place, method, tuple(which))
        case (_, "write", kind, *which) if len(which) <= 1:
            return await ordering.answer(to, place, method, kind, *which)
    raise nothing_here()


async def _whole(to: Visit, place: Place) -> Response:
    """The chart as it opens. Its head is of everything, its sections of the newest."""
    disclosure = Disclosure(to.passage)
    patient = await patient_of(to, disclosure, place.patient_id)
    chart = await read_chart(to, disclosure, patient, {**WHOLE, **NEWEST})
    await record_view(disclosure, "chart", patient, (each for found in chart.records.values() for each in found))
    return to.page(
        "chart/chart.html",
        place=place,
        head=_head(to, chart),
        sections={name: _items(to, chart, types) for name, types in SECTIONS.items() if name != "results"},
        results=results_of(chart.of("Observation")),
        spark_of=spark_of,
        more={name for name, types in SECTIONS.items() if chart.more.intersection(types)},
        now_ms=to.services.clock(),
    )


async def _section(to: Visit, place: Place, section: str) -> Response:
    """One section with everything in it, up to a thousand records."""
    disclosure = Disclosure(to.passage)
    patient = await patient_of(to, disclosure, place.patient_id)
    limits = {**WHOLE, **dict.fromkeys(SECTIONS[section], _ALL)}
    chart = await read_chart(to, disclosure, patient, limits)
    await record_view(disclosure, f"{section} in the chart", patient, chart.of(*limits))
    return to.page(
        "chart/section.html",
        place=place,
        head=_head(to, chart),
        section=section,
        items=() if section == "results" else _items(to, chart, SECTIONS[section]),
        results=results_of(chart.of("Observation")) if section == "results" else (),
        course_of=course_of,
        more=bool(chart.more.intersection(SECTIONS[section])),
        now_ms=to.services.clock(),
    )


def _head(to: Visit, chart: Chart) -> object:
    return header(chart.patient, chart.of("AllergyIntolerance"), chart.of("Flag"), to.services.clock())


def _items(to: Visit, chart: Chart, types: tuple[str, ...]) -> tuple[Item, ...]:
    me = to.account.fhir_user
    return newest_first(
        replace(item_of(stored), changeable=may_change(stored.type, stored.resource, me)) for stored in chart.of(*types)
    )
