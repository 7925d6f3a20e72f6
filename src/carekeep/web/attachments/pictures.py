"""Pictures taken to pieces and put together from only what draws them: no comments, places, thumbnails, or passengers.

PNG (ISO/IEC 15948), JPEG (ITU-T T.81, Exif 2.32). Of what cameras write only the orientation is kept.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Final

MOST_PIXELS: Final = 50_000_000
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_DRAWS: Final = frozenset(
    {b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs", b"IDAT", b"IEND"}
)
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # markers without a length
_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})  # baseline, extended, progressive
_KEPT: Final = frozenset({0xDB, 0xC4, 0xDD, 0xEE, 0xE0, 0xDA, *_FRAMES})  # tables, restart, Adobe, JFIF, scan
_OTHER_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC8, 0xCC}  # as far as they are not kept
_APP1, _SOS, _EOI = 0xE1, 0xDA, 0xD9
_ORIENTATION: Final = 0x0112
_SIDES: Final = range(2, 9)


class PictureRefused(Exception):
    """The picture is broken, too large, or more than a picture. The text says so."""


def bare_png(content: bytes) -> bytes:
    """A PNG with only the chunks that draw it. Raises PictureRefused."""
    kept = [_PNG]
    names: list[bytes] = []
    at = len(_PNG)
    while not names or names[-1] != b"IEND":
        if at + 12 > len(content):
            raise PictureRefused("The picture is not whole.")
        (length,) = struct.unpack_from(">I", content, at)
        chunk = content[at : at + 12 + length]
        name, data, check = chunk[4:8], chunk[8:-4], chunk[-4:]
        if len(chunk) != 12 + length or zlib.crc32(name + data) != struct.unpack(">I", check)[0]:
            raise PictureRefused("The picture is broken.")
        if not names:
            if name != b"IHDR" or length != 13:  # noqa: PLR2004 - ISO/IEC 15948 §11.2.1
                raise PictureRefused("The picture is broken.")
            _bound(*struct.unpack_from(">II", data))
        names.append(name)
        if name in _DRAWS:
            kept.append(chunk)
        elif name[:1].isupper():  # a critical chunk that we do not know
            raise PictureRefused("The picture is of a kind that is not taken.")
        at += len(chunk)
    if at != len(content):
        raise PictureRefused("Something follows the picture in the file.")
    if b"IDAT" not in names:
        raise PictureRefused("The picture is empty.")
    return b"".join(kept)


def bare_jpeg(content: bytes) -> bytes:
    """A JPEG with only the segments that draw it, and its orientation. Raises PictureRefused."""
    kept: list[bytes] = []
    side, drawn, ended = 0, False, False
    for marker, segment in _segments(content):
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", segment, 5)
            _bound(width, height)
            drawn = True
        if marker == _APP1:
            side = side or _orientation(segment[4:])
        if marker == _EOI:
            ended = True
        elif marker in _KEPT or marker in _ALONE:
            kept.append(segment)
        elif marker in _OTHER_FRAMES:
            raise PictureRefused("The picture is of a kind that is not taken.")
    if not drawn or not ended:
        raise PictureRefused("The picture is not whole.")
    return b"\xff\xd8" + (_exif(side) if side in _SIDES else b"") + b"".join(kept) + b"\xff\xd9"


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and whole segment; of a scan with the data that follows it. Nothing may come after the end."""
    at = 2
    while at + 2 <= len(content):
        if content[at] != 0xFF:  # noqa: PLR2004 - T.81 §B.1.1.2
            raise PictureRefused("The picture is broken.")
        marker = content[at + 1]
        if marker == _EOI:
            if at + 2 != len(content):
                raise PictureRefused("Something follows the picture in the file.")
            yield marker, content[at : at + 2]
            return
        if marker in _ALONE:
            yield marker, content[at : at + 2]
            at += 2
            continue
        if at + 4 > len(content):
            break
        (length,) = struct.unpack_from(">H", content, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(content) or (marker in _FRAMES and length < 8):  # noqa: PLR2004
            break
        if marker == _SOS:
            end = _scan_end(content, end)
        yield marker, content[at:end]
        at = end
    raise PictureRefused("The picture is not whole.")


def _scan_end(content: bytes, at: int) -> int:
    """Where the data of a scan ends: before a marker that is neither stuffing nor a restart."""
    while (at := content.find(b"\xff", at)) >= 0 and at + 1 < len(content):
        after = content[at + 1]
        if after != 0 and after not in _ALONE:
            return at
        at += 2
    raise PictureRefused("The picture is not whole.")


def _orientation(exif: bytes) -> int:
    """Which side of the picture is up (1 to 8), of the first directory; 0 where it does not say."""
    if not exif.startswith(b"Exif\x00\x00"):
        return 0
    tiff = exif[6:]
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    try:
        if order is None:
            return 0
        (at,) = struct.unpack_from(f"{order}I", tiff, 4)
        (count,) = struct.unpack_from(f"{order}H", tiff, at)
        for number in range(min(count, 100)):
            tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, at + 2 + 12 * number)
            if (tag, kind) == (_ORIENTATION, 3):
                return int(value)
    except struct.error:
        return 0
    return 0


def _exif(side: int) -> bytes:
    """A segment that says which side is up, and nothing more."""
    entry = struct.pack(">HHIHH", _ORIENTATION, 3, 1, side, 0)
    body = b"Exif\x00\x00" + b"MM\x00\x2a" + struct.pack(">I", 8) + struct.pack(">H", 1) + entry + bytes(4)
    return b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body


def _bound(width: int, height: int) -> None:
    if not 0 < width * height <= MOST_PIXELS:
        raise PictureRefused("The picture has too many pixels.")
