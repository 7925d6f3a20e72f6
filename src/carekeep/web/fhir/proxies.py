"""Whose a Binary is: that of the record which it names as its ``securityContext`` (FHIR R4, Binary).

A Binary says nothing of its content that a policy could read. Its security context stands in for it: the Binary belongs
to the same patients, is sealed under their key, and carries the same security labels. They are taken when it is
written; who moves or relabels the context writes the Binary again.
"""

from collections.abc import Callable
from typing import Any

from carekeep.access import Action
from carekeep.fhir import labels_of, patients_of
from carekeep.records import Forgotten, NotFound
from carekeep.web.passage import Passage, target_of, what_of
from carekeep.web.problems import problem

Json = dict[str, Any]
_WHERE = "Binary.securityContext"


class Proxies:
    """Finds security contexts for one unit of changes: among its own resources first, then in the store.

    ``own`` gives the resource of the unit that has a reference, with its labels.
    """

    __slots__ = ("_own", "_passage")

    def __init__(self, passage: Passage, own: Callable[[str], Json | None]) -> None:
        self._passage = passage
        self._own = own

    async def apply(self, resource: Json) -> tuple[Json, tuple[str, ...]]:
        """The resource as it is to be kept, and the patients to whom it belongs beside those that it names.

        Raises 422 for a context that is not on this server, 403 for one that the person may not read.
        """
        if resource["resourceType"] != "Binary" or "securityContext" not in resource:
            return resource, ()
        reference = resource["securityContext"].get("reference", "")
        if not isinstance(reference, str) or reference.startswith("Patient/"):
            return resource, ()
        patients, labels = await self._context(reference)
        if not patients:
            raise problem(422, "business-rule", "The security context belongs to no patient.", _WHERE)
        return _labelled(resource, labels), patients

    async def _context(self, reference: str) -> tuple[tuple[str, ...], list[Json]]:
        type_, _, id_ = reference.partition("/_history/")[0].partition("/")
        own = self._own(f"{type_}/{id_}")
        if own is not None:
            return patients_of(own), own.get("meta", {}).get("security", [])
        try:
            stored = await self._passage.services.vault.read(type_, id_)
        except (NotFound, Forgotten):
            raise problem(422, "not-found", "The security context is no record of this server.", _WHERE) from None
        await self._passage.demand(Action.READ, target_of(stored), what=(what_of(stored),))
        if stored.deleted:
            raise problem(422, "not-found", "The security context was deleted.", _WHERE)
        return stored.patients, stored.resource.get("meta", {}).get("security", [])


def _labelled(resource: Json, labels: list[Json]) -> Json:
    """The resource with these security labels beside its own."""
    meta = resource.get("meta", {})
    has = labels_of(resource)
    new = [label for label in labels if f"{label.get('system', '')}|{label.get('code', '')}" not in has]
    return {**resource, "meta": {**meta, "security": [*meta.get("security", []), *new]}} if new else resource
