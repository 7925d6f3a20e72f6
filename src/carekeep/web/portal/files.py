"""Files in records: what they are called and how big they are, and handing them out as files and nothing else.

Whoever wrote the record chose the content, so it never becomes a page: a browser is told to keep it, and should it
open it all the same, to run nothing of it and to be on no origin.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from carekeep.web.http import PAGE_HEADERS, Response, number
from carekeep.web.plain import Speech
from carekeep.web.portal.own_records import OwnRecords
from carekeep.web.sites import nothing_here

Json = Mapping[str, Any]

# Types that are told to the browser as they are, and how such files end; all others are bytes without a type.
_TYPES: Final = {
    "application/pdf": "pdf",
    "text/plain": "txt",
    "image/png": "png",
    "image/jpeg": "jpg",
    "application/dicom": "dcm",
}
_LOCAL: Final = re.compile(r"Binary/([A-Za-z0-9.-]{1,64})")
_THOUSAND: Final = 1024
_AS_A_FILE: Final = (
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cache-control", b"no-store"),
)


@dataclass(frozen=True, slots=True)
class File:
    """A file that can be had: its place in the record, its title, and what it is, in words."""

    number: int
    title: str
    kind: str


def files_of(speech: Speech, resource: Json) -> tuple[File, ...]:
    """The files of a DocumentReference or a DiagnosticReport that are kept here."""
    return tuple(
        File(place, str(each.get("title") or speech.say("File {number}", number=str(place + 1))), _kind(speech, each))
        for place, each in enumerate(_attachments(resource))
        if "data" in each or _LOCAL.fullmatch(str(each.get("url", "")))
    )


def _attachments(resource: Json) -> list[Json]:
    if resource.get("resourceType") == "DiagnosticReport":
        return list(resource.get("presentedForm", ()))
    return [each["attachment"] for each in resource.get("content", ()) if isinstance(each.get("attachment"), dict)]


def _kind(speech: Speech, attachment: Json) -> str:
    ending = _TYPES.get(_media(attachment), "")
    size = attachment.get("size")
    if size is None and "data" in attachment:
        size = len(str(attachment["data"])) * 3 // 4
    parts = [ending.upper()] if ending else []
    if isinstance(size, int):
        parts.append(f"{speech.number(Decimal(-(-size // _THOUSAND)))} KB")
    return ", ".join(parts)


def _media(attachment: Json) -> str:
    return str(attachment.get("contentType", "")).partition(";")[0].strip().lower()


async def hand_out(own: OwnRecords, type_: str, id_: str, place: str) -> Response:
    """The file at a place of a record, recorded. Raises 403 and 404 as a read of the record or Binary does."""
    stored = await own.read(type_, id_)
    attachments, index = _attachments(stored.resource), number(place)
    own.show([stored])
    if index is None or index >= len(attachments):
        await own.record(stored.reference)
        raise nothing_here()
    attachment = attachments[index]
    data, media = attachment.get("data"), _media(attachment)
    elsewhere = _LOCAL.fullmatch(str(attachment.get("url", "")))
    if data is None and elsewhere:
        binary = await own.read("Binary", elsewhere[1])
        own.show([binary])
        data, media = binary.resource.get("data"), _media(binary.resource)
    await own.record(stored.reference)
    content = _decoded(data)
    if content is None:
        raise nothing_here()
    ending = _TYPES.get(media, "bin")
    kind = media.encode("ascii") if media in _TYPES else b"application/octet-stream"
    name = f'attachment; filename="document-{index + 1}.{ending}"'.encode("ascii")
    return Response(200, content, kind, ((b"content-disposition", name), *_AS_A_FILE), PAGE_HEADERS)


def _decoded(data: object) -> bytes | None:
    try:
        return base64.b64decode(str(data), validate=True) if data is not None else None
    except (binascii.Error, ValueError):
        return None
