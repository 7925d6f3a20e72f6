"""Links to other pages of a search. They are sealed: they tell nothing, cannot be forged, and serve one account.

So names and numbers that were posted stay out of URLs, and so do the values by which a sorted search goes on.
A link names no page number but the last match, so pages neither skip nor repeat when records are written between them.
"""

import base64
import binascii
from dataclasses import dataclass, field

import orjson

from carekeep.encryption import Tampered, associated_data
from carekeep.records import Position
from carekeep.web.fhir.sight import Mark, SortedPosition
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

CURSOR = "_cursor"
_LONGEST = 12_000  # characters; URLs are bounded
_PURPOSE = "search-page"


@dataclass(frozen=True, slots=True)
class Continuation:
    """A search and where in it a page begins (None: at the start). ``path`` is below the base of the server."""

    path: str
    pairs: tuple[tuple[str, str], ...] = field(repr=False)
    posted: bool
    after: Mark | None = field(repr=False)

    def url(self, passage: Passage) -> str:
        """A URL that gives the page, for the person who asks now. Raises 400 when it would be too long."""
        content = orjson.dumps((self.path, self.pairs, self.posted, _mark(self.after)))
        sealed = passage.services.keyring.links.seal(content, _binding(passage))
        token = base64.urlsafe_b64encode(sealed).rstrip(b"=").decode("ascii")
        if len(token) > _LONGEST:
            raise problem(400, "too-costly", "This search is too long to be given in pages. Ask with a higher _count.")
        return f"{passage.services.fhir_url}/{self.path}?{CURSOR}={token}".replace("/?", "?")


def continuation(passage: Passage, path: str, token: str) -> Continuation:
    """The page behind a link of ours. Raises 400 for anything else, and for a link of another account."""
    try:
        sealed = base64.urlsafe_b64decode(token.encode("ascii") + b"==")
        content = passage.services.keyring.links.open(sealed, _binding(passage))
    except (ValueError, binascii.Error, Tampered):
        raise _not_ours() from None
    named, pairs, posted, mark = orjson.loads(content)
    if named != path:
        raise _not_ours()
    return Continuation(path, tuple((name, value) for name, value in pairs), posted, _read_mark(mark))


def _not_ours() -> Exception:
    return problem(
        400, "value", "Follow the link of a page as it was given, with the account that it was given to.", CURSOR
    )


def _binding(passage: Passage) -> bytes:
    return associated_data(_PURPOSE, passage.principal.account_id)


def _mark(mark: Mark | None) -> list[object] | None:
    if mark is None:
        return None
    if isinstance(mark, Position):
        return [mark.scope, mark.seq]
    return [mark.values, mark.reference]


def _read_mark(written: list[object] | None) -> Mark | None:
    match written:
        case [int(scope), int(seq)]:
            return Position(scope, seq)
        case [list(values), str(reference)]:
            return SortedPosition(tuple(values), reference)
    return None
