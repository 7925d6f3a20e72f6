"""What may go along with a message, by its content, and what the scanner says of it."""

import asyncio
import struct
import zlib

import pytest

from carekeep.web.attachments import AttachmentRefused, Clamd, ScannerFailed, check

EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + rb"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
PDF = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog>>\nendobj\n%%EOF\n"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(*extra: bytes, width: int = 1) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(extra) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The daemon's side of INSTREAM (clamd(8))."""
    assert await reader.readuntil(b"\0") == b"zINSTREAM\0"
    content = b""
    while length := struct.unpack(">I", await reader.readexactly(4))[0]:
        content += await reader.readexactly(length)
    writer.write(b"stream: Eicar-Test-Signature FOUND\0" if EICAR in content else b"stream: OK\0")
    await writer.drain()
    writer.close()


async def test_a_scanner_finds_what_it_knows_and_nothing_passes_without_it() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        scanner = Clamd(host="127.0.0.1", port=server.sockets[0].getsockname()[1])
        assert await scanner.scan(EICAR) == "Eicar-Test-Signature"
        assert (await check("a.pdf", PDF, scanner)).kind == "application/pdf"
        with pytest.raises(AttachmentRefused, match="virus scanner warns"):
            await check("a.txt", EICAR, scanner)
    with pytest.raises(ScannerFailed):
        await scanner.scan(PDF)
    with pytest.raises(AttachmentRefused, match="cannot be checked"):
        await check("a.txt", b"hello", scanner)


REFUSED = {
    "html": b"<html><script>alert(1)</script>",
    "svg": b"<svg onload=alert(1)>",
    "program": b"MZ\x90\x00",
    "zip": b"PK\x03\x04",
    "png and zip": png() + b"PK\x05\x06",
    "huge png": png(width=100_000),
    "broken png": png()[:-2],
    "jpeg of nothing": b"\xff\xd8\xff\xd9",
    "pdf without a scanner": PDF,
    "empty": b"",
    "not utf-8": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("content", REFUSED.values(), ids=REFUSED)
async def test_what_is_not_taken(content: bytes) -> None:
    with pytest.raises(AttachmentRefused):
        await check("a.png", content, None)


@pytest.mark.parametrize("more", [b"/JavaScript (x)\n", b"/J#61vaScript (x)\n", b"/Launch\n", b"/EmbeddedFile\n"])
async def test_a_pdf_that_does_something_is_not_taken(more: bytes) -> None:
    with pytest.raises(AttachmentRefused, match="run or hide"):
        await check("a.pdf", PDF.replace(b"endobj", more + b"endobj"), None)


async def test_of_a_picture_only_the_picture_is_kept_under_a_clean_name() -> None:
    kept = await check('..\\x/"evil".html', png(chunk(b"tEXt", b"<script>")), None)
    assert (kept.name, kept.kind) == ("evil.png", "image/png")
    assert kept.content == png()
