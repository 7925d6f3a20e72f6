"""The text of a narrative, as text: its markup is read to know where lines end, and is shown to nobody.

Narratives are other people's HTML. It is checked when it is written; a page does not rely on that and shows text only.
"""

import re
from html.parser import HTMLParser
from typing import Final

_BLOCKS: Final = frozenset(
    {
        "blockquote",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "table",
        "tr",
        "ul",
    }
)
_CELLS: Final = frozenset({"td", "th"})
_SILENT: Final = frozenset({"script", "style", "template", "title", "head", "noscript", "iframe", "object", "svg"})
_MOST: Final = 20_000  # characters
_SPACE: Final = re.compile(r"[^\S\n]+")


def text_of(narrative: object) -> tuple[str, ...]:
    """The lines of a ``Narrative.div``, at most 20,000 characters; nothing for what is no text."""
    if not isinstance(narrative, str):
        return ()
    reader = _Reader()
    reader.feed(narrative[: _MOST * 4])
    reader.close()
    lines = (_SPACE.sub(" ", line).strip(" ·") for line in "".join(reader.parts)[:_MOST].split("\n"))
    return tuple(line for line in lines if line)


class _Reader(HTMLParser):
    """Collects text; block elements end a line, cells of a table are kept apart."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base class's
        if tag in _SILENT:
            self._silent += 1
        elif tag in _BLOCKS:
            self.parts.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the same
        if tag in _BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent = max(0, self._silent - 1)
        elif tag in _BLOCKS:
            self.parts.append("\n")
        elif tag in _CELLS:
            self.parts.append(" · ")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data.replace("\n", " "))
