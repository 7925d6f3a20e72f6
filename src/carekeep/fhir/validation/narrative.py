"""Which XHTML a narrative may hold (FHIR R4, Narrative: txt-1 and txt-2).

People read narratives in browsers, so what could run there is refused at the door. The text is read by Expat with
everything off that could expand or fetch: a document type is refused, so there are no entities but XHTML's own.
"""

from collections.abc import Mapping
from html.entities import name2codepoint
from xml.parsers import expat

_XHTML = "http://www.w3.org/1999/xhtml"
# The elements of HTML 4.0 chapters 7-11 (without section 4 of chapter 9) and 15, <a>, images and tables.
_ELEMENT_NAMES = """
    a abbr acronym b big blockquote br caption cite code col colgroup dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img li
    ol p pre q samp small span strong sub sup table tbody td tfoot th thead tr tt ul var
"""
_ATTRIBUTE_NAMES = """
    abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char charoff cite class
    color cols colspan compact dir frame headers height href hspace id lang longdesc name noshade nowrap rel rev rows
    rowspan rules scope shape size span src start style summary tabindex title type valign value vspace width
"""
_ELEMENTS = frozenset(_ELEMENT_NAMES.split())
_ATTRIBUTES = frozenset(_ATTRIBUTE_NAMES.split())
_LINKS = frozenset({"href", "src", "cite", "longdesc"})
_SCHEMES = frozenset({"http", "https", "mailto", "tel", "ftp", "cid", "urn"})
_IMAGE = "data:image/"
_MAX_DEPTH = 64


class _Unsafe(Exception):
    """The narrative holds something that is not allowed."""


def narrative_is_safe(text: str) -> bool:
    """True if the text is one well-formed <div> of the XHTML namespace with formatting and some content only."""
    reader = _Reader()
    try:
        reader.read(text)
    except (_Unsafe, expat.ExpatError, UnicodeEncodeError):
        return False
    return reader.has_content


class _Reader:
    def __init__(self) -> None:
        self.has_content = False
        self._depth = 0

    def read(self, text: str) -> None:
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.UseForeignDTD(True)  # noqa: FBT003  # hands over &nbsp; and the like, which would be errors
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.SkippedEntityHandler = self._entity
        parser.XmlDeclHandler = _refuse
        parser.StartDoctypeDeclHandler = _refuse
        parser.ProcessingInstructionHandler = _refuse
        parser.Parse(text.encode(), True)  # noqa: FBT003  # Expat takes no names

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        namespace, _, tag = name.rpartition(" ")
        root = self._depth == 0
        self._depth += 1
        if namespace != _XHTML or tag not in _ELEMENTS or (root and tag != "div") or self._depth > _MAX_DEPTH:
            raise _Unsafe
        for attribute, value in attributes.items():
            _check_attribute(attribute, value)
        self.has_content = self.has_content or tag == "img"

    def _end(self, _: str) -> None:
        self._depth -= 1

    def _characters(self, data: str) -> None:
        self.has_content = self.has_content or not data.isspace()

    def _entity(self, name: str, is_parameter: object) -> None:
        if is_parameter or name not in name2codepoint:
            raise _Unsafe
        self.has_content = True


def _check_attribute(name: str, value: str) -> None:
    if name.removeprefix("http://www.w3.org/XML/1998/namespace ") not in _ATTRIBUTES:
        raise _Unsafe
    lowered = "".join(value.split()).lower()
    if name in _LINKS:
        scheme, colon, _ = lowered.partition(":")
        relative = not colon or any(mark in scheme for mark in "/?#")
        if not relative and scheme not in _SCHEMES and not (name == "src" and lowered.startswith(_IMAGE)):
            raise _Unsafe
    # Style sheets reach out and, in old browsers, run code. Backslashes hide both.
    if name == "style" and any(word in lowered for word in ("url(", "expression(", "javascript:", "@import", "\\")):
        raise _Unsafe


def _refuse(*_: object) -> None:
    raise _Unsafe
