"""``_text`` and ``_content`` (FHIR R4 3.1.1.4.2): words in the narrative, or anywhere in the resource.

The standard leaves the matching to the server. Here every word of a value must begin a word of the text, without
regard to case and accents. The index does not hold words of texts, which would say too much of them.
"""

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from carekeep.fhir.search.criteria import Clause
from carekeep.fhir.search.expressions import Json
from carekeep.fhir.search.values.text import BadValue, normalise, unescape

_TAG = re.compile(r"<[^>]*>")
_UNREAD = frozenset({"resourceType", "div"})


@dataclass(frozen=True, slots=True)
class Words:
    """All words of one of the alternatives; ``everywhere``: in any string, not in the narrative alone."""

    alternatives: tuple[tuple[str, ...], ...] = field(repr=False)
    everywhere: bool

    def matches(self, resource: Json) -> bool:
        """See Criterion."""
        texts = [_narrative(resource)]
        if self.everywhere:
            texts.extend(_strings(resource))
        words = {word for text in texts for word in normalise(text).split(" ")}
        return any(
            all(any(word.startswith(start) for word in words) for start in starts) for starts in self.alternatives
        )

    def clauses(self, _type: str) -> Iterable[Clause]:
        """See Criterion."""
        return ()


def parse_words(code: str, texts: Iterable[str]) -> Words:
    """The values of ``_text`` or ``_content``. Raises BadValue."""
    alternatives = tuple(tuple(normalise(unescape(text)).split(" ")) for text in texts)
    if not all(word for words in alternatives for word in words):
        raise BadValue("the text has no letters or digits")
    return Words(alternatives, everywhere=code == "_content")


def _narrative(resource: Json) -> str:
    text = resource.get("text")
    div = text.get("div") if isinstance(text, dict) else None
    return html.unescape(_TAG.sub(" ", div)) if isinstance(div, str) else ""


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in _UNREAD:
                yield from _strings(each)
