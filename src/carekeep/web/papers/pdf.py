"""A paper as PDF: tagged, titled and with its language, so that it reads aloud as it reads on paper (WCAG 2.2, PDF/UA).

Written by fpdf2. Its own tags are for pictures only, so those of text are set here. Fonts come with the assets; what
they have no letters for (Chinese, Japanese, Korean and others) shows as an empty box.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from fpdf import FPDF, ViewerPreferences

from carekeep.web.papers.paper import Item, Paper, Section

_FONT = "DejaVu"
_FONTS = Path(str(resources.files("carekeep.web"))) / "assets" / "built"
_MARGIN_MM = 18.0
_FOOTER_MM = 15.0


@dataclass(frozen=True, slots=True)
class _Style:
    """How a block looks: its tag, size in points, height of a line and space before it in millimetres."""

    tag: str
    size: float
    line: float
    before: float
    bold: bool = False


_TITLE = _Style("H1", 18, 9, 0, bold=True)
_HEADING = _Style("H2", 13, 7, 6, bold=True)
_ITEM = _Style("H3", 10, 5.2, 2.5, bold=True)
_TEXT = _Style("P", 10, 5.2, 1)
_FACT = _Style("P", 10, 5.2, 0)
_SMALL = 8


def pdf_of(paper: Paper, footer: str) -> bytes:
    """The PDF. ``footer`` stands on each page, beside its number. It takes a while: not in the event loop."""
    writer = _Writer(paper, footer)
    for text in paper.about:
        writer.block(_TEXT, text)
    for section in paper.sections:
        _write_section(writer, section)
    return bytes(writer.output())


def _write_section(writer: "_Writer", section: Section) -> None:
    writer.block(_HEADING, section.title)
    for item in section.items:
        _write_item(writer, item)
    for remark in section.remarks:
        writer.block(_TEXT, remark)


def _write_item(writer: "_Writer", item: Item) -> None:
    writer.block(_ITEM, item.title)
    for name, text in item.facts:
        writer.block(_FACT, f"{name}: {text}")


class _Writer(FPDF):
    """Blocks of text from the top to the bottom, each with its tag."""

    def __init__(self, paper: Paper, footer: str) -> None:
        super().__init__(format="A4")
        self._footer = footer
        self.set_lang(paper.language)
        self.set_title(paper.title)
        self.viewer_preferences = ViewerPreferences(display_doc_title=True)
        for style, file in (("", "DejaVuSans.ttf"), ("B", "DejaVuSans-Bold.ttf")):
            self.add_font(_FONT, style, _FONTS / file)
        self.set_margins(_MARGIN_MM, _MARGIN_MM)
        self.set_auto_page_break(auto=False, margin=_FOOTER_MM + _MARGIN_MM)
        self.set_font(_FONT, "", _TEXT.size)
        self.add_page()
        self.block(_TITLE, paper.title)

    def block(self, style: _Style, text: str) -> None:
        """A heading or a paragraph; what does not fit goes on over the page."""
        self.set_font(_FONT, "B" if style.bold else "", style.size)
        lines = self._broken(style, text)
        needed = style.line * (min(len(lines), 2) + (2 if style.bold else 0))  # no heading alone at the foot of a page
        if self.y + style.before + needed > self.page_break_trigger:
            self.add_page()
        else:
            self.y += style.before
        while lines:
            fitting = max(1, int((self.page_break_trigger - self.y) / style.line))
            with self._tagged(style.tag):
                self._lines(lines[:fitting], style.line)
            lines = lines[fitting:]
            if lines:
                self.add_page()

    def _broken(self, style: _Style, text: str) -> list[str]:
        """The lines of a text."""
        lines = self.multi_cell(0, style.line, _plain(text), align="L", dry_run=True, output="LINES")
        return lines if isinstance(lines, list) else []

    def footer(self) -> None:
        """Not a part of the text: readers pass over it."""
        self.set_y(-_FOOTER_MM)
        self.set_font(_FONT, "", _SMALL)
        self._out("/Artifact BMC")
        self.cell(0, 5, f"{self._footer}   {self.page_no()}", align="R")
        self._out("EMC")

    def _lines(self, lines: Sequence[str], height: float) -> None:
        for line in lines:
            self.cell(0, height, line, new_x="LMARGIN", new_y="NEXT")

    @contextmanager
    def _tagged(self, tag: str) -> Iterator[None]:
        mcid = self.struct_builder.next_mcid_for_page(self.page)
        self._add_marked_content(struct_type=f"/{tag}", mcid=mcid)
        self._out(f"/{tag} <</MCID {mcid}>> BDC")
        yield
        self._out("EMC")


def _plain(text: str) -> str:
    """Without what cannot be drawn: control characters, and halves of characters."""
    text = " ".join(text.split())
    return "".join(each if each.isprintable() else "\ufffd" for each in text) or "-"
