"""Which other records of this server a resource refers to."""

from typing import Any

from carekeep.fhir.definitions import RESOURCE_TYPES
from carekeep.fhir.validation.references import RELATIVE


def local_references(resource: dict[str, Any]) -> tuple[str, ...]:
    """The literal references to this server (``Type/id``, without versions), wherever they stand, each once.

    In no particular order but always the same one. Absolute URLs, fragments and identifiers are not among them.
    """
    found: dict[str, None] = {}
    waiting: list[Any] = [resource]
    while waiting:
        item = waiting.pop()
        if type(item) is list:
            waiting.extend(item)
        elif type(item) is dict:
            reference = item.get("reference")
            if type(reference) is str and (match := RELATIVE.fullmatch(reference)) and match[1] in RESOURCE_TYPES:
                found[f"{match[1]}/{match[2]}"] = None
            waiting.extend(item.values())
    return tuple(found)
