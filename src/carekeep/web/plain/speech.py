"""The language in which something is told."""

import datetime
from decimal import Decimal
from functools import lru_cache
from gettext import NullTranslations

from babel.dates import format_date, format_datetime, format_skeleton
from babel.numbers import format_decimal

from carekeep.web.browser.languages import locale_of, moment_pattern, translations

_MOST_PLACES = 12


class Speech:
    """Texts, numbers and dates in one language. Get one with ``Speech.of``."""

    def __init__(self, language: str, texts: NullTranslations) -> None:
        self.language = language
        self._texts = texts
        self._locale = locale_of(language)

    @classmethod
    def of(cls, language: str) -> "Speech":
        """The speech of one of the pages' languages."""
        return _speech(language)

    def say(self, text: str, **values: str) -> str:
        """An English text of this room in the language, with its ``{names}`` filled in."""
        said = self._texts.gettext(text)
        return said.format(**values) if values else said

    def say_many(self, one: str, many: str, count: int) -> str:
        """A text for one, or for ``{count}``."""
        return self._texts.ngettext(one, many, count).format(count=self.number(Decimal(count)))

    def number(self, value: Decimal) -> str:
        """A number with the separators of the language, and with exactly the digits that it has."""
        exponent = value.as_tuple().exponent
        places = min(_MOST_PLACES, max(0, -exponent)) if isinstance(exponent, int) else 0
        pattern = "#,##0." + "0" * places if places else "#,##0"
        return format_decimal(value, format=pattern, locale=self._locale)

    def day(self, at: datetime.date) -> str:
        """A day: "March 1, 2026"."""
        return format_date(at, "long", locale=self._locale)

    def month(self, at: datetime.date) -> str:
        """A month: "March 2026"."""
        return format_skeleton("yMMMM", at, locale=self._locale)

    def short_month(self, at: datetime.date) -> str:
        """A month where there is little room: "Mar 2026"."""
        return format_skeleton("yMMM", at, locale=self._locale)

    def minute(self, at: datetime.datetime) -> str:
        """A day and a time, as they are in UTC."""
        return format_datetime(at, f"{moment_pattern(self._locale)} 'UTC'", locale=self._locale)


@lru_cache
def _speech(language: str) -> Speech:
    return Speech(language, translations(language, (__package__ or "",)))
