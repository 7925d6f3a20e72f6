"""My results: tests with their newest value, one test over time, and the reports of laboratories and others."""

import re
from typing import Any, Final
from urllib.parse import urlencode

from carekeep.records import Stored
from carekeep.web.browser.charts import gauge, trend
from carekeep.web.browser.languages import language_of
from carekeep.web.http import Response
from carekeep.web.plain import Speech
from carekeep.web.portal.files import hand_out
from carekeep.web.portal.measured import KINDS, Part, Test, grouped, happened_ms, same_test, told
from carekeep.web.portal.own_records import OwnRecords
from carekeep.web.portal.reports import Report, report_of
from carekeep.web.portal.seen import keep_seen
from carekeep.web.portal.trends import trend_of
from carekeep.web.sites import Visit, nothing_here

_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_MOST: Final = 1_000  # observations that are looked at
_MOST_REPORTS: Final = 100
_FIRST_REPORTS: Final = 8  # that stand on the first page
_MOST_ROWS: Final = 60  # of a table, unless all are asked for


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/results``, ``/results/reports``, ``/results/test/[id]``, ``/results/report/[id]`` and its files."""
    if method != "GET":
        raise nothing_here()
    own = await OwnRecords.of(to)
    match rest:
        case ():
            return await _overview(to, own)
        case ("reports",):
            return await _reports(to, own)
        case ("test", id_) if _ID.fullmatch(id_):
            return await _test(to, own, id_)
        case ("report", id_) if _ID.fullmatch(id_):
            return await _report(to, own, id_)
        case ("report", id_, "file", place) if _ID.fullmatch(id_):
            return await hand_out(own, "DiagnosticReport", id_, place)
    raise nothing_here()


async def _overview(to: Visit, own: OwnRecords) -> Response:
    """Every test with its newest value; a test is named by its newest observation."""
    speech = Speech.of(language_of(to.request))
    observations, more = await own.find("Observation", most=_MOST)
    reports, _ = await own.find("DiagnosticReport", most=_MOST_REPORTS)
    groups = grouped(stored.resource for stored in observations)
    tests = sorted((told(speech, group, 2) for group in groups), key=_order)
    shown = {reading.id for test in tests for reading in test.readings}
    newest = sorted(reports, key=_when, reverse=True)
    own.show(stored for stored in observations if stored.id in shown)
    own.show(newest[:_FIRST_REPORTS])
    await own.record(f"Observation?patient={own.patient}")
    return to.page(
        "results.html",
        sections=[(kind, [test for test in tests if test.kind == kind]) for kind in KINDS],
        reports=[report_of(speech, stored.resource, {}) for stored in newest[:_FIRST_REPORTS]],
        more_reports=len(newest) > _FIRST_REPORTS,
        more=more,
        gauge=_gauge,
    ).with_headers(keep_seen(to))


async def _reports(to: Visit, own: OwnRecords) -> Response:
    speech = Speech.of(language_of(to.request))
    reports, more = await own.find("DiagnosticReport", most=_MOST_REPORTS)
    own.show(reports)
    await own.record(f"DiagnosticReport?patient={own.patient}")
    newest = sorted(reports, key=_when, reverse=True)
    found = [report_of(speech, stored.resource, {}) for stored in newest]
    return to.page("reports.html", reports=found, more=more)


async def _test(to: Visit, own: OwnRecords, id_: str) -> Response:
    """One test over time: that of an observation."""
    speech = Speech.of(language_of(to.request))
    stored = await own.read("Observation", id_)
    codes = [coding for coding in (stored.resource.get("code") or {}).get("coding", ()) if coding.get("code")]
    asked = [("code", _token(codes[0]))] if codes else []
    found, _ = await own.find("Observation", *asked, most=_MOST)
    alike = {each.id: each for each in (*found, stored) if same_test(each.resource, stored.resource)}
    groups = grouped(each.resource for each in alike.values())
    if not groups:
        raise nothing_here()
    everything = "all" in dict(to.request.pairs())
    test = told(speech, groups[0], len(alike))
    own.show(alike.values())
    await own.record(f"Observation?{urlencode([('patient', own.patient), *asked])}")
    chart = trend_of(speech, test)
    return to.page(
        "result.html",
        test=test,
        rows=test.readings if everything else test.readings[:_MOST_ROWS],
        chart=trend(chart) if chart else None,
        gauge=_gauge,
    )


async def _report(to: Visit, own: OwnRecords, id_: str) -> Response:
    speech = Speech.of(language_of(to.request))
    stored = await own.read("DiagnosticReport", id_)
    members = await _members(own, stored)
    report: Report = report_of(speech, stored.resource, {each.reference: each.resource for each in members})
    own.show([stored, *members])
    await own.record(stored.reference)
    return to.page("report.html", report=report, gauge=_gauge)


async def _members(own: OwnRecords, report: Stored) -> list[Stored]:
    """The observations that a report is over, as far as they are this patient's and may be read."""
    references = [str(each.get("reference", "")) for each in report.resource.get("result", ())]
    ids = [reference.partition("/")[2] for reference in references if reference.startswith("Observation/")]
    if not ids:
        return []
    found, _ = await own.find("Observation", ("_id", ",".join(ids[:_MOST_REPORTS])), most=_MOST_REPORTS)
    return found


def _gauge(part: Part) -> Any:
    """A value on a line with its range."""
    band, number = part.band, part.value.number
    if band is None or number is None:
        return ""
    low, high = (None if bound is None else float(bound) for bound in (band.low, band.high))
    direction = part.standing.direction
    return gauge(float(number), low, high, 1 if direction > 0 else -1 if direction < 0 else 0)


def _order(test: Test) -> tuple[bool, int, str]:
    """What is not as usual first, then the newest."""
    return not test.latest.is_unusual, -test.latest.when.at_ms, test.name.plain


def _when(stored: Stored) -> int:
    return happened_ms(stored.resource)


def _token(coding: dict[str, Any]) -> str:
    """A coding as the value of a search parameter (FHIR R4 3.1.1.3: what separates is escaped)."""
    parts = (str(coding.get("system", "")), str(coding["code"]))
    system, code = (re.sub(r"([\\,|$])", r"\\\1", part) for part in parts)
    return f"{system}|{code}" if system else code
