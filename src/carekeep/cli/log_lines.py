"""The lines of the process's own log: one event, one line, and a time that means the same everywhere."""

import logging
import time

_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
# What ends a line or turns the direction of text, in some viewer.
_FORMATS = {
    code: f"\\u{code:04x}" for code in (0x2028, 0x2029, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}
_SHOWN = {**_CONTROLS, **_FORMATS, ord("\n"): "\\n", ord("\r"): "\\r", ord("\t"): "\\t"}


class OneLine(logging.Formatter):
    """Time in UTC (RFC 3339), level, name and message; what would end the line is written out (ASVS 16.2.2, 16.4.1)."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        return super().format(record).translate(_SHOWN)


def log_to_stderr() -> None:
    """From now on every logger of the process writes such lines to stderr, from INFO on."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
