"""Profiles: StructureDefinitions that constrain R4 further, compiled at run time to what a resource is checked by.

Cardinalities, types, fixed values and patterns, required bindings, targets, slices and FHIRPath constraints are
checked; what cannot be is named, never passed over in silence. A profile without a snapshot is checked together with
its base, which comes to the same as generating one. ``mustSupport`` says nothing about instances and is not looked at.
"""

from carekeep.fhir.validation.profiles.library import Kind, Library, Wanted, conformance, needed_by
from carekeep.fhir.validation.profiles.rules import Profile
from carekeep.fhir.validation.profiles.tree import ProfileRefused

__all__ = ["Kind", "Library", "Profile", "ProfileRefused", "Wanted", "conformance", "needed_by"]
