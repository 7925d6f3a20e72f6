"""How moments, days and numbers are written for people, in their language. Pages show times in UTC and say so."""

import datetime
from collections.abc import Callable
from decimal import Decimal

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal

from carekeep.web.browser.languages import locale_of, moment_pattern


class Formats:
    """The filters of templates, for one language. Moments are milliseconds since 1970 (UTC)."""

    def __init__(self, language: str) -> None:
        self._locale = locale_of(language)

    def filters(self) -> dict[str, Callable[..., str]]:
        """By the names that templates use."""
        return {
            "moment": self.moment,
            "day": self.day,
            "clock": self.clock,
            "number": self.number,
        }

    def moment(self, at_ms: int) -> str:
        """A day and a time."""
        return format_datetime(_utc(at_ms), moment_pattern(self._locale), locale=self._locale)

    def day(self, at: int | datetime.date) -> str:
        """A day, of a moment or as it is."""
        return format_date(_utc(at) if isinstance(at, int) else at, "long", locale=self._locale)

    def clock(self, at_ms: int) -> str:
        """The time of day."""
        return format_time(_utc(at_ms), "HH:mm", locale=self._locale)

    def number(self, value: Decimal | int) -> str:
        """A number with the separators of the language, and with no more digits than it had."""
        return format_decimal(value, locale=self._locale, decimal_quantization=False)


def _utc(at_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
