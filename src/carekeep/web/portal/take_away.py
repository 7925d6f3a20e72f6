"""Take it away: my summary and my whole record, for programs (FHIR) and for people (PDF)."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import orjson

from carekeep.access import Action, Target
from carekeep.fhir import format_instant
from carekeep.records import Stored
from carekeep.web.browser import read_form
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.fhir.operations.everything import chart
from carekeep.web.fhir.operations.summary import summary_of
from carekeep.web.http import PAGE_HEADERS, Response
from carekeep.web.labelling import remark_for
from carekeep.web.papers import Paper, chart_paper, document_paper, pdf_of
from carekeep.web.portal.own_patient import own_patient
from carekeep.web.problems import problem
from carekeep.web.sites import Visit, nothing_here

_AT_ONCE: Final = 1_500  # records of one ledger entry; the directory beside them has room
_MOST: Final = 20_000
_MOST_ON_PAPER: Final = 3_000
_TITLE: Final = "My health record"
_JSON, _NDJSON, _PDF = b"application/fhir+json", b"application/fhir+ndjson", b"application/pdf"
_ALONE: Final = (
    (b"content-security-policy", b"default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True, slots=True)
class _Whole:
    """Everything of a patient that they may read, and the people, places and things that it refers to."""

    patient: Stored
    records: list[Stored] = field(default_factory=list)
    directory: dict[str, Stored] = field(default_factory=dict)


async def answer(to: Visit, method: str, rest: tuple[str, ...]) -> Response:
    """``/take-away``; the files are answers to forms, so that nothing but a press of the button makes one."""
    patient = own_patient(to)
    match method, rest:
        case "GET", ():
            return await _page(to, patient)
        case "POST", ("summary",):
            return await _summary(to, patient)
        case "POST", ("record",):
            return await _record(to, patient)
    raise nothing_here()


async def _page(to: Visit, patient: str) -> Response:
    decision = await to.require(Action.PATIENT_EXPORT, Target("Patient", (patient,), ()))
    await to.passage.record(
        Action.PATIENT_EXPORT,
        "permitted",
        decision=decision,
        patients=(patient,),
        query="portal: what can be taken away",
    )
    return to.page("take_away.html", categories=to.services.labelling.rules.categories)


async def _summary(to: Visit, patient: str) -> Response:
    form = await read_form(to.request)
    await to.require(Action.PATIENT_EXPORT, Target("Patient", (patient,), ()))
    wanted = None if form.get("sensitive") == "yes" else frozenset[str]()
    kept = "all" if wanted is None else "none"
    document = await summary_of(to.passage, patient, f"Patient/{patient}/$summary?sensitive={kept}", wanted)
    if form.get("as") == "pdf":
        return await _on_paper(to, document_paper(orjson.loads(document)), "summary")
    return _file(document, _JSON, "summary.json")


async def _record(to: Visit, patient: str) -> Response:
    form = await read_form(to.request)
    await to.require(Action.PATIENT_EXPORT, Target("Patient", (patient,), ()))
    whole = await _everything(to, patient)
    if form.get("as") == "pdf":
        return await _on_paper(to, _paper(whole), "record")
    every = (whole.patient, *whole.records, *whole.directory.values())
    return _file(b"".join(each.body + b"\n" for each in every), _NDJSON, "record.ndjson")


async def _everything(to: Visit, patient: str) -> _Whole:
    """All of it is decided one by one, and recorded in entries of bounded size before any of it leaves."""
    disclosure = Disclosure(to.passage)
    whole = _Whole(await disclosure.subject("Patient", patient))
    disclosure.show(whole.patient)
    batch: list[Stored] = []
    async for _, stored in chart(to.passage, patient):
        shown = None if stored.reference == whole.patient.reference else await disclosure.shown(stored)
        if shown is None:
            continue
        batch.append(shown)
        if len(whole.records) + len(batch) > _MOST:
            raise problem(
                422, "too-costly", "Your record is too large for one file. Use an app, or ask for it on paper."
            )
        if len(batch) == _AT_ONCE:
            await _disclosed(disclosure, whole, batch)
            disclosure, batch = Disclosure(to.passage), []
    await _disclosed(disclosure, whole, batch)
    return whole


async def _disclosed(disclosure: Disclosure, whole: _Whole, batch: list[Stored]) -> None:
    beside = await disclosure.directory(each.resource for each in (whole.patient, *batch))
    disclosure.show(*batch, *beside)
    await disclosure.record(f"{whole.patient.reference}/$everything")
    whole.records.extend(batch)
    whole.directory.update((each.reference, each) for each in beside)


def _paper(whole: _Whole) -> Paper:
    if len(whole.records) > _MOST_ON_PAPER:
        raise problem(422, "too-costly", f"A PDF holds at most {_MOST_ON_PAPER:,} records. Take the file for programs.")
    resources = [each.resource for each in whole.records]
    notice = remark_for(resources)
    remarks = (notice.text,) if notice else ()
    directory = [each.resource for each in whole.directory.values()]
    return chart_paper(_TITLE, whole.patient.resource, resources, directory, remarks)


async def _on_paper(to: Visit, paper: Paper, name: str) -> Response:
    """In a thread: a long record takes seconds, in which others are answered."""
    made = format_instant(to.services.clock())[:10]
    return _file(await asyncio.to_thread(pdf_of, paper, f"Carekeep, {made}"), _PDF, f"{name}.pdf")


def _file(content: bytes, media_type: bytes, name: str) -> Response:
    disposition = (b"content-disposition", f'attachment; filename="{name}"'.encode("ascii"))
    return Response(200, content, media_type, (disposition, *_ALONE), PAGE_HEADERS)
