"""How a patch is refused, and what no patch may do."""

from typing import Any, Final

from carekeep.fhir.json_text import nesting
from carekeep.fhir.outcome import Issue

Json = dict[str, Any]
MAX_OPERATIONS: Final = 1_000
MAX_DEPTH: Final = 32


class PatchRefused(Exception):
    """A patch cannot be used.

    ``malformed``: it is no patch at all, whatever the record holds; otherwise it does not fit this version of the
    record. ``issue`` names the operation ("patch[2].path", "Parameters.parameter[2].part[1]").
    """

    def __init__(self, code: str, expression: str, words: str, *, malformed: bool = False) -> None:
        super().__init__(words)
        self.malformed = malformed
        self.issue = Issue("error", code, expression, words)


def check_kept(before: Json, after: Any, where: str) -> Json:
    """The patched resource, if it is still the same one. Raises PatchRefused.

    Its type and id are its identity, its version and time are the server's to give. To leave them out of a new
    ``meta`` is no attempt to change them.
    """
    if not isinstance(after, dict) or after.get("resourceType") != before["resourceType"]:
        raise PatchRefused("business-rule", where, "A patch cannot make another type of a resource")
    if after.get("id") != before.get("id"):
        raise PatchRefused("business-rule", where, "A patch cannot change the id of a resource")
    was, now = before.get("meta", {}), after.get("meta", {})
    if isinstance(now, dict) and any(now.get(name, was.get(name)) != was.get(name) for name in _OURS):
        raise PatchRefused("business-rule", where, "meta.versionId and meta.lastUpdated are given by the server")
    if nesting(after, MAX_DEPTH) > MAX_DEPTH:
        raise PatchRefused("too-costly", where, f"The patch nests the resource deeper than {MAX_DEPTH} levels")
    return after


_OURS = ("versionId", "lastUpdated")
