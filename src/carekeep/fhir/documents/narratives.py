"""XHTML of our own making (FHIR R4, narrative.html).

What came out of a record gets in through ``written`` and no other way, so that a name or a note is always text and
never markup.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

# XML 1.0 has no way to write these at all.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NOTHING = "-"


def written(text: str) -> str:
    """Any text, as the content of an element."""
    return escape(_NO_XML.sub("\ufffd", text), quote=True)


def paragraph(text: str) -> str:
    """One paragraph of text."""
    return f"<p>{written(text)}</p>"


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of text; an empty cell says by a dash that nothing is recorded."""
    head = "".join(f"<th>{written(header)}</th>" for header in headers)
    body = "".join(_row(row) for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<td>{written(cell or _NOTHING)}</td>' for cell in cells)}</tr>"


def narrative(*blocks: str) -> dict[str, Any]:
    """A Narrative of paragraphs and tables, in English."""
    div = f'<div xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">{"".join(blocks)}</div>'
    return {"status": "generated", "div": div}
