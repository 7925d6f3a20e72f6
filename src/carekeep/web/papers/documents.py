"""A paper of a FHIR document: the narratives of its Composition, section by section.

The narratives are of our own making (``fhir.documents.narratives``): paragraphs, and tables whose first column names
what the row is about.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

from carekeep.web.papers.paper import Item, Paper, Section

Json = dict[str, Any]
_CELLS = frozenset({"p", "th", "td"})
_NOTHING = "-"  # how a table says that a cell is empty


def document_paper(bundle: Json) -> Paper:
    """The paper of a document Bundle of ours."""
    composition = bundle["entry"][0]["resource"]
    head = _read(composition["text"]["div"])
    title = composition["title"]
    about = tuple(text for text in head.paragraphs if text != title)
    sections = tuple(_section(each) for each in composition.get("section", ()))
    return Paper(title, about, sections, composition.get("language", "en"))


def _section(section: Json) -> Section:
    told = _read(section["text"]["div"])
    headers, *rows = told.rows or [[]]
    return Section(section["title"], tuple(_item(headers, row) for row in rows), tuple(told.paragraphs))


def _item(headers: list[str], row: list[str]) -> Item:
    first, *rest = row
    facts = zip(headers[1:], rest, strict=True)
    return Item(first, tuple((name, text) for name, text in facts if text != _NOTHING))


@dataclass(slots=True)
class _Told:
    paragraphs: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)


class _Reader(HTMLParser):
    """Collects the texts of paragraphs and cells."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.told = _Told()
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - none of ours
        """A row begins, or a text."""
        if tag == "tr":
            self.told.rows.append([])
        if tag in _CELLS:
            self._text = []

    def handle_data(self, data: str) -> None:
        """A part of a text."""
        self._text.append(data)

    def handle_endtag(self, tag: str) -> None:
        """A text is whole."""
        if tag == "p":
            self.told.paragraphs.append("".join(self._text))
        elif tag in _CELLS:
            self.told.rows[-1].append("".join(self._text))


def _read(div: str) -> _Told:
    reader = _Reader()
    reader.feed(div)
    reader.close()
    return reader.told
