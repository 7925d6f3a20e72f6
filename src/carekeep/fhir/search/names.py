"""Names of search parameters as queries write them: ``code``, ``code:modifier``, ``code:Type.rest``, ``_has:…``.

The whole grammar is read here, so that what is not answered is recognised and refused by its name.
"""

import re
from dataclasses import dataclass

_NAME = re.compile(r"([A-Za-z_][A-Za-z0-9_\-]{0,63})(?::([A-Za-z\-]{1,64}))?(?:\.([A-Za-z0-9_:.\-]{1,256}))?", re.ASCII)
_PRINTABLE = re.compile(r"[A-Za-z0-9_:.\-]{1,64}", re.ASCII)

_HAS = re.compile(r"_has:([A-Za-z]{1,64}):([A-Za-z0-9_\-]{1,64}):([A-Za-z0-9_:.\-]{1,512})", re.ASCII)

# R4 3.1.1.5: these shape the result. They are read by :mod:`carekeep.fhir.search.control`.
CONTROLS = frozenset({"_count", "_sort", "_summary", "_elements", "_total", "_format", "_pretty"})
# R4 3.1.1.5.4: these bring other records along. They are read by :mod:`carekeep.fhir.search.includes`.
INCLUDES = frozenset({"_include", "_revinclude"})
# Known to the standard, not answered.
REFUSED = frozenset({"_contained", "_containedType", "_filter", "_query"})


@dataclass(frozen=True, slots=True)
class Name:
    """``modifier`` and ``chain`` are empty if not written. ``chain`` is what follows the first dot."""

    code: str
    modifier: str = ""
    chain: str = ""


@dataclass(frozen=True, slots=True)
class HasName:
    """``_has:type:reference:rest``: records of a type that refer to the match, and what they must meet."""

    type: str
    reference: str
    rest: str


def parse_name(text: str) -> Name | HasName | None:
    """The name, or None if it is none."""
    if text.startswith("_has"):
        has = _HAS.fullmatch(text)
        return None if has is None else HasName(has[1], has[2], has[3])
    found = _NAME.fullmatch(text)
    return None if found is None else Name(found[1], found[2] or "", found[3] or "")


def shown(text: str) -> str:
    """How a name is repeated to the client: only if it is a plain word, for people type data in the wrong place."""
    return f'"{text}"' if _PRINTABLE.fullmatch(text) else "a parameter whose name is no plain word"
