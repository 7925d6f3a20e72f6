"""Changes to a resource that are told as a list of operations (FHIR R4, http.html#patch).

Two forms: JSON Patch (RFC 6902) and FHIRPath Patch (R4, fhirpatch.html). Both are read first and applied later, maybe
more than once, when somebody else changed the record in between. Applying never changes its argument: it gives a new
resource, or raises ``PatchRefused`` and says which operation could not be done. Whether the result is valid as a whole
is for ``validate`` to say. The id, the type and the version of a resource are not a client's to patch.

JSON Patch is written here because FHIR needs what the libraries do not give: decimals that keep their digits, a
``test`` that tells true from 1, and bounds on what a patch of a few bytes can make a resource grow to.
"""

from carekeep.fhir.patch.fhirpath_patch import FhirPathPatch, read_fhirpath_patch
from carekeep.fhir.patch.json_patch import JsonPatch, read_json_patch
from carekeep.fhir.patch.refusal import PatchRefused

Patch = JsonPatch | FhirPathPatch

__all__ = [
    "FhirPathPatch",
    "JsonPatch",
    "Patch",
    "PatchRefused",
    "read_fhirpath_patch",
    "read_json_patch",
]
