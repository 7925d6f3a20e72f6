"""``Patient/[id]/$everything``: a patient's whole chart, page by page (FHIR R4, patient-operation-everything.html)."""

import base64
import binascii
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from carekeep.access import Action
from carekeep.encryption import Tampered
from carekeep.fhir import RESOURCE_TYPES
from carekeep.fhir.documents import happened_within, instant_ms
from carekeep.records import Stored, Stretch, Walker
from carekeep.web.fhir.arguments import Arguments, read_arguments
from carekeep.web.fhir.disclosure import Disclosure, called, labelled_searchset
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

# A record with its number, which says where it stands and nothing of it.
Numbered = tuple[int, Stored]
_NAMES = ("start", "end", "_since", "_type", "_count", "_cursor")
_CURSOR = struct.Struct(">q")
_PAGE = 200
_MOST = 1_000
# Later than every version: a chart is given as it is, whatever the clocks of the servers say.
_NOW = 1 << 62


async def everything(passage: Passage, type_: str, id_: str) -> Response:
    """The Patient, every record of the patient's that the person may see, and who and what they refer to.

    Pages follow the order in which records were made, so that writes meanwhile shift none of them; each page brings
    the directory records that it refers to.
    """
    await passage.authenticate(Action.READ)
    arguments = await read_arguments(passage, *_NAMES)
    wish = _Wish.of(arguments)
    disclosure = Disclosure(passage)
    patient = await disclosure.subject(type_, id_)
    page = [patient] if wish.after is None and wish.of_type(type_) else []
    last, more = wish.after or 0, False
    async for number, stored in _compartment(passage, id_, last):
        shown = await disclosure.shown(stored)
        if stored.reference == patient.reference or shown is None or not wish.takes(shown):
            continue
        if len(page) >= wish.count:
            more = True
            break
        page.append(shown)
        last = number
    beside = [each for each in await disclosure.directory(each.resource for each in page) if wish.of_type(each.type)]
    disclosure.show(*page, *beside)
    await disclosure.record(called(f"{type_}/{id_}/$everything", arguments.given))
    url = f"{passage.services.fhir_url}/{type_}/{id_}/$everything"
    links = _links(url, arguments, last if more else None)
    total = len(page) if wish.after is None and not more else None
    return Response(200, labelled_searchset(passage.services.fhir_url, page, beside, links, total))


async def chart(passage: Passage, patient_id: str, after: int = 0) -> AsyncIterator[Numbered]:
    """The current records that are kept as a patient's, in the order of their making, each with its number.

    Not decided yet. Raises Tampered when one does not open: a chart that silently lacks a record is worse than none.
    """
    walker = Walker(passage.services.database, passage.services.keyring)
    scope = passage.services.keyring.scope_of(patient_id)
    async for each in _walk(lambda position: walker.of_patient(scope, position, _NOW, _PAGE), after):
        yield each


async def _compartment(passage: Passage, patient_id: str, after: int) -> AsyncIterator[Numbered]:
    """The chart, and in their places the records that belong to another patient first (an appointment of two)."""
    walker = Walker(passage.services.database, passage.services.keyring)
    guests = _walk(lambda position: walker.guests_of_patient(patient_id, position, _PAGE), after)
    guest = await anext(guests, None)
    async for each in chart(passage, patient_id, after):
        while guest is not None and guest[0] < each[0]:
            yield guest
            guest = await anext(guests, None)
        yield each
    while guest is not None:
        yield guest
        guest = await anext(guests, None)


async def _walk(stretch_after: Callable[[int], Awaitable[Stretch]], after: int) -> AsyncIterator[Numbered]:
    ended = False
    while not ended:
        stretch = await stretch_after(after)
        for found in stretch.found:
            if found.stored is None:
                raise Tampered("A record of the chart does not open.")
            if not found.stored.deleted:
                yield found.pointer.seq, found.stored
        after, ended = stretch.last, stretch.ended


@dataclass(frozen=True, slots=True)
class _Wish:
    types: frozenset[str]
    start: str | None
    end: str | None
    since_ms: int
    count: int
    after: int | None

    @classmethod
    def of(cls, arguments: Arguments) -> "_Wish":
        types = frozenset(arguments.texts("_type"))
        if not types <= RESOURCE_TYPES:
            raise problem(400, "value", "_type names a resource type that FHIR R4 does not have.", "_type")
        count = arguments.whole("_count")
        return cls(
            types=types,
            start=_date(arguments, "start"),
            end=_date(arguments, "end"),
            since_ms=instant_ms(since) if (since := _date(arguments, "_since")) else 0,
            count=_MOST if count is None else max(1, min(count, _MOST)),
            after=_position(arguments.text("_cursor")),
        )

    def of_type(self, type_: str) -> bool:
        return not self.types or type_ in self.types

    def takes(self, stored: Stored) -> bool:
        if not self.of_type(stored.type) or stored.last_updated_ms < self.since_ms:
            return False
        return (self.start is None and self.end is None) or happened_within(stored.resource, self.start, self.end)


def _date(arguments: Arguments, name: str) -> str | None:
    text = arguments.text(name)
    if text is None:
        return None
    text = text.replace(" ", "+")  # a URL decodes the plus of a zone as a space
    try:
        instant_ms(text)
    except ValueError:
        raise problem(400, "value", f"{name} must be a FHIR date, dateTime or instant.", name) from None
    return text


def _position(cursor: str | None) -> int | None:
    """Where a next link goes on: the number of a record, which says nothing of it. None: at the patient."""
    if cursor is None:
        return None
    try:
        (after,) = _CURSOR.unpack(base64.urlsafe_b64decode(cursor.encode("ascii") + b"="))
    except (ValueError, struct.error, binascii.Error):
        after = -1
    if after < 0:
        raise problem(400, "value", "Follow the next link as it was given.", "_cursor")
    return int(after)


def _links(url: str, arguments: Arguments, last: int | None) -> list[dict[str, Any]]:
    pairs = [(name, str(value)) for name, value in arguments.given if name != "_cursor"]
    links = [{"relation": "self", "url": f"{url}?{urlencode(pairs)}" if pairs else url}]
    if last is not None:
        cursor = base64.urlsafe_b64encode(_CURSOR.pack(last)).rstrip(b"=").decode()
        links.append({"relation": "next", "url": f"{url}?{urlencode([*pairs, ('_cursor', cursor)])}"})
    return links
