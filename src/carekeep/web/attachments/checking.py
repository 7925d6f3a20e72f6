"""Whether a file may be kept, and what of it."""

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Final

from carekeep.web.attachments.pictures import PictureRefused, bare_jpeg, bare_png
from carekeep.web.attachments.scanning import Scanner, ScannerFailed

LARGEST: Final = 10 * 1024 * 1024
PDF: Final = "application/pdf"
TEXT: Final = "text/plain; charset=utf-8"
_LONGEST_NAME: Final = 80
_ENDINGS: Final = {"image/jpeg": ".jpg", "image/png": ".png", PDF: ".pdf", TEXT: ".txt"}
_TAIL: Final = 1024
# What makes a PDF do something when it is opened (ISO 32000-2 §12.6); names may be written with #xx.
_ACTIVE: Final = re.compile(
    rb"/(JavaScript|JS|Launch|EmbeddedFiles?|OpenAction|AA|RichMedia|XFA|SubmitForm|ImportData)\b"
)
_ESCAPED: Final = re.compile(rb"#([0-9A-Fa-f]{2})")
# Beginnings of what is something else than text, whatever it is called.
_OTHER: Final = re.compile(r"\s*(<[!?a-zA-Z/]|%PDF|\{\\rtf|#!|MZ|PK\x03\x04|%!PS)", re.ASCII)
_MARKUP: Final = re.compile(rb"<(?:script|html|svg|!doctype|\?php|iframe)", re.IGNORECASE)
_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_NOT_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|;%\u200b-\u200f\u202a-\u202e\u2066-\u2069]+')


class AttachmentRefused(Exception):
    """The file is not taken; the text says why, to whoever attached it, and holds nothing of it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that may be kept: the name that it gets, its type by its content, and the content."""

    name: str = field(repr=False)
    kind: str
    content: bytes = field(repr=False)


async def check(name: str, content: bytes, scanner: Scanner | None) -> Checked:
    """The file as it is kept. Raises AttachmentRefused."""
    if not content:
        raise AttachmentRefused("The file is empty.")
    if len(content) > LARGEST:
        raise AttachmentRefused("The file is larger than 10 MB.")
    kind, kept = _bare(content)
    if scanner is None:
        if kind == PDF:
            raise AttachmentRefused("PDF files are not taken here: nothing checks them for viruses.")
    else:
        await _scan(scanner, content)
    return Checked(clean_name(name, kind), kind, kept)


def clean_name(name: str, kind: str) -> str:
    """A name that is only a name, with the ending of what the file is."""
    plain = _NOT_IN_NAMES.sub(" ", unicodedata.normalize("NFC", name.replace("\\", "/").rpartition("/")[2]))
    stem = " ".join(plain.rpartition(".")[0].split() or plain.split()).strip(". ")
    return (stem[:_LONGEST_NAME] or "attachment") + _ENDINGS[kind]


def _bare(content: bytes) -> tuple[str, bytes]:
    """The type by the content, and what of it is kept. Raises AttachmentRefused."""
    try:
        if content.startswith(b"\xff\xd8\xff"):
            return "image/jpeg", bare_jpeg(content)
        if content.startswith(b"\x89PNG\r\n\x1a\n"):
            return "image/png", bare_png(content)
    except PictureRefused as refused:
        raise AttachmentRefused(str(refused)) from None
    if content.startswith(b"%PDF-"):
        return PDF, _pdf(content)
    return TEXT, _text(content)


def _pdf(content: bytes) -> bytes:
    """A PDF that is nothing else besides, and does nothing when it is opened."""
    end = content.rstrip().rfind(b"%%EOF")
    if end < 0 or len(content.rstrip()) - end != len(b"%%EOF"):
        raise AttachmentRefused("The PDF file is not whole, or something follows it.")
    if _MARKUP.search(content[:_TAIL]) or b"PK\x05\x06" in content[-65_557:]:
        raise AttachmentRefused("The file is more than a PDF file.")
    plain = _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), content)
    if _ACTIVE.search(plain):
        raise AttachmentRefused("The PDF file has parts that run or hide something. Print it to a new PDF file.")
    return content


def _text(content: bytes) -> bytes:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\x00"
    if _NOT_TEXT.search(text) or _OTHER.match(text):
        raise AttachmentRefused("Only JPEG and PNG pictures, PDF files and plain text are taken.")
    return text.encode()


async def _scan(scanner: Scanner, content: bytes) -> None:
    try:
        found = await scanner.scan(content)
    except ScannerFailed:
        raise AttachmentRefused(
            "The file cannot be checked for viruses now. Try again later, or send it without."
        ) from None
    if found is not None:
        raise AttachmentRefused("The file was not taken: the virus scanner warns of it.")
