"""The languages of the pages: texts in English in the code, other languages in ``languages/<tag>.po`` of each room.

The catalogues are read as people write them: there is nothing to compile, and nothing that could be out of date.
"""

import io
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib import resources
from typing import Final

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from carekeep.web.browser.cookies import Header, cookie, read_cookie
from carekeep.web.http import Request

LANGUAGES: Final = {"en": "English", "de": "Deutsch"}
"""Tags (BCP 47) and how each language calls itself; the first is the one of the code."""

COOKIE: Final = "language"
_YEAR_S = 365 * 86_400
_DEFAULT = "en"


def language_of(request: Request) -> str:
    """The language that a person chose, or that their browser asks for first among ours (RFC 9110 §12.5.4)."""
    chosen = read_cookie(request, COOKIE)
    if chosen in LANGUAGES:
        return chosen
    return _best(request.headers.get(b"accept-language", b"").decode("latin-1"))


def language_cookie(tag: str) -> Header:
    """The choice of a person, remembered for a year by this browser. Raises KeyError for another language."""
    return cookie(COOKIE, tag if LANGUAGES[tag] else "", same_site="Lax", seconds=_YEAR_S)


def locale_of(language: str) -> Locale:
    """How dates and numbers are written in a language."""
    return Locale.parse("en_US" if language == "en" else language)


def moment_pattern(locale: Locale) -> str:
    """How a day and a time are written together, the month as a word so that no one takes it for the day."""
    return "d. MMM y, HH:mm" if locale.language == "de" else "d MMM y, HH:mm"


@lru_cache
def translations(language: str, rooms: tuple[str, ...]) -> NullTranslations:
    """What the texts of these packages are in a language; later packages win."""
    found: NullTranslations = NullTranslations()
    for room in rooms:
        file = resources.files(room) / "languages" / f"{language}.po"
        if file.is_file():
            read = _read(file.read_bytes())
            read.add_fallback(found)
            found = read
    return found


def _read(content: bytes) -> GNUTranslations:
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(content)))
    compiled.seek(0)
    return GNUTranslations(compiled)


def _best(header: str) -> str:
    wishes = sorted(map(_wish, header[:500].split(",")), reverse=True)
    return next((tag for weight, tag in wishes if weight > 0 and tag in LANGUAGES), _DEFAULT)


def _wish(text: str) -> tuple[float, str]:
    tag, _, weight = text.partition(";q=")
    try:
        return float(weight or 1), tag.strip().lower().partition("-")[0]
    except ValueError:
        return 0.0, ""
