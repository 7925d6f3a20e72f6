"""URIs (FHIR R4 3.1.1.4.14): equal as written, or ``:below`` and ``:above`` along the path of a URL."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from carekeep.fhir.search.expressions import Path
from carekeep.fhir.search.values.text import BadValue, unescape


class Relation(Enum):
    """How a URI is compared."""

    EQUAL = "equal"
    BELOW = "below"
    ABOVE = "above"


def _without_version(path: Path, uri: str) -> str:
    return uri.partition("|")[0] if path.type == "canonical" else uri


def index(path: Path, element: Any) -> Iterable[bytes]:
    """The index values of an element."""
    return (_without_version(path, element).encode(),) if isinstance(element, str) else ()


@dataclass(frozen=True, slots=True)
class SoughtUri:
    """A URI; a canonical element is found with and without naming its version."""

    relation: Relation
    uri: str

    def matches(self, path: Path, element: Any) -> bool:
        """See Sought."""
        if not isinstance(element, str):
            return False
        if self.relation is Relation.EQUAL:
            return self.uri in {element, _without_version(path, element)}
        if self.relation is Relation.BELOW:
            return element == self.uri or element.startswith(self.uri.rstrip("/") + "/")
        return element in _above(self.uri)

    def terms(self, path: Path) -> Iterable[bytes] | None:
        """See Sought."""
        if self.relation is Relation.BELOW:
            return None
        uris = [self.uri] if self.relation is Relation.EQUAL else _above(self.uri)
        return [_without_version(path, uri).encode() for uri in uris]


def _above(uri: str) -> Iterator[str]:
    """The URI and all that it lies under, with and without the last slash."""
    yield uri
    scheme_end = uri.find("://") + 3
    for at in range(len(uri) - 1, scheme_end, -1):
        if uri[at] == "/":
            yield uri[:at]
            yield uri[: at + 1]


def parse(text: str, relation: Relation) -> SoughtUri:
    """A URI as queries write it. Raises BadValue."""
    uri = unescape(text)
    if relation is not Relation.EQUAL and "://" not in uri:
        raise BadValue("only URLs lie above or below one another")
    return SoughtUri(relation, uri)
