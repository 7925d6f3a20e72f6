"""Looking for traces of text in files, in every form in which a program may have left it there."""

import base64
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

_BLOCK = 1 << 24
_SHORTEST = 8  # bytes: a shorter needle would be found by chance


@dataclass(frozen=True, slots=True)
class Trace:
    """A find: where, and in which form."""

    path: Path
    form: str
    offset: int


def forms_of(text: str) -> dict[str, bytes]:
    """The bytes that text becomes in each encoding, by the name of the encoding. Lower case, but for base64."""
    utf8 = text.encode()
    forms = {
        "utf-8": utf8.lower(),
        "utf-16-le": text.encode("utf-16-le").lower(),
        "utf-16-be": text.encode("utf-16-be").lower(),
        "hex": utf8.hex().encode(),
        "json": json.dumps(text)[1:-1].encode().lower(),
        "percent": quote(text, safe="").encode().lower(),
    }
    for name, content in (("", utf8), (" of utf-16-le", text.encode("utf-16-le"))):
        for alignment in range(3):
            forms[f"base64+{alignment}{name}"] = base64_inside(content, alignment)
            forms[f"base64url+{alignment}{name}"] = base64_inside(content, alignment, b"-_")
    return forms


def base64_inside(content: bytes, alignment: int, others: bytes = b"+/") -> bytes:
    """The characters of base64 that ``content`` alone decides, when it begins ``alignment`` bytes after a boundary."""
    encoded = base64.b64encode(bytes(alignment) + content + bytes(-(alignment + len(content)) % 3), altchars=others)
    start = -(-alignment * 8 // 6)
    end = (alignment + len(content)) * 8 // 6
    return encoded[start:end]


def traces_in(folders: Iterable[Path], texts: Iterable[str]) -> list[Trace]:
    """Every form of every text that stands in a file below the folders. Case is ignored but in base64."""
    needles = [(f"{form} of {number}", needle) for number, text in enumerate(texts) for form, needle in _forms(text)]
    return [trace for folder in folders for path in files_below(folder) for trace in _search(path, needles)]


def files_below(folder: Path) -> Iterator[Path]:
    """All that can be read there; sockets and pipes hold nothing."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _forms(text: str) -> Iterator[tuple[str, bytes]]:
    for form, needle in forms_of(text).items():
        assert len(needle) >= _SHORTEST
        yield form, needle


def _search(path: Path, needles: list[tuple[str, bytes]]) -> Iterator[Trace]:
    longest = max(len(needle) for _, needle in needles)
    with path.open("rb") as file:
        start, kept = 0, b""
        while block := file.read(_BLOCK):
            exact = kept + block
            folded = exact.lower()  # ASCII letters only, which is what is wanted
            for form, needle in needles:
                at = (exact if form.startswith("base64") else folded).find(needle)
                if at >= 0:
                    yield Trace(path, form, start + at)
            kept = exact[-longest:]
            start += len(exact) - len(kept)
