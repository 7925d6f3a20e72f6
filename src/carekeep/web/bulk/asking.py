"""Reading the kick-off of an export (Bulk Data Access 3.0.0): from a URL's parameters or a Parameters resource."""

import datetime
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from carekeep.fhir import RESOURCE_TYPES, patient_compartment
from carekeep.web.bulk.selecting import read_filter, split_filters
from carekeep.web.problems import Problem, problem

Pair = tuple[str, str]

_FORMATS = frozenset({"application/fhir+ndjson", "application/ndjson", "ndjson"})
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_PATIENT = re.compile(r"Patient/([A-Za-z0-9\-.]{1,64})", re.ASCII)
_UNSUPPORTED = frozenset({"_elements", "includeAssociatedData"})
_MANY = frozenset({"_type", "_typeFilter", "patient"})
_ONCE = frozenset({"_outputFormat", "_since", "_until", "organizeOutputBy", "allowPartialManifests", "_format"})
MOST_PARAMETERS = 100_000
MOST_FILTERS = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """The parameters of a kick-off, checked. ``patients`` None: not named. ``ignored``: passed over, as lenient."""

    types: tuple[str, ...] | None = None
    filters: tuple[str, ...] = field(default=(), repr=False)
    since_ms: int | None = None
    until_ms: int | None = None
    patients: tuple[str, ...] | None = field(default=None, repr=False)
    by_patient: bool = False
    ignored: tuple[str, ...] = ()


def read_asked(pairs: Sequence[Pair], *, in_compartments: bool, posted: bool, lenient: bool, now_ms: int) -> Asked:
    """What a kick-off asks for. Raises Problem (400) or QueryError, naming the parameter at fault."""
    given: dict[str, list[str]] = {}
    ignored: list[str] = []
    for name, value in pairs:
        if name in _MANY | _ONCE:
            given.setdefault(name, []).append(value)
        elif lenient:
            ignored.append(name if name in _UNSUPPORTED else "(unknown)")
        else:
            raise _unsupported(name)
    for name in _ONCE & given.keys():
        if len(given[name]) > 1:
            raise problem(400, "invalid", f"{name} may be given only once.", name)
    _check_format(given)
    filters = split_filters(given.get("_typeFilter", ()))
    if len(filters) > MOST_FILTERS:
        raise problem(400, "too-costly", f"At most {MOST_FILTERS} filters are taken.", "_typeFilter")
    for text in filters:
        read_filter(text, now_ms)
    return Asked(
        types=_types(given.get("_type"), in_compartments=in_compartments),
        filters=filters,
        since_ms=_instant_ms(given, "_since", math.floor),
        until_ms=_instant_ms(given, "_until", math.ceil),
        patients=_patients(given.get("patient"), in_compartments=in_compartments, posted=posted),
        by_patient=_by_patient(given),
        ignored=tuple(dict.fromkeys(ignored)),
    )


def pairs_of_parameters(body: Mapping[str, Any]) -> list[Pair]:
    """The parameters of a Parameters resource, as a URL would have them. Raises Problem (400)."""
    listed = body.get("parameter", [])
    if body.get("resourceType") != "Parameters" or not isinstance(listed, list) or len(listed) > MOST_PARAMETERS:
        raise problem(400, "structure", "Send a Parameters resource.", "Parameters.parameter")
    return [_pair(number, parameter) for number, parameter in enumerate(listed)]


def _pair(number: int, parameter: Any) -> Pair:
    at = f"Parameters.parameter[{number}]"
    if not isinstance(parameter, dict) or not isinstance(parameter.get("name"), str):
        raise problem(400, "structure", "A parameter has a name.", at)
    values = [value for name, value in parameter.items() if name.startswith("value")]
    if len(values) != 1:
        raise problem(400, "structure", "A parameter has one value here.", at)
    value = values[0]
    if isinstance(value, dict):
        value = value.get("reference")
    if isinstance(value, bool):
        value = "true" if value else "false"
    if not isinstance(value, str) or not value:
        raise problem(400, "value", "A parameter is text, a boolean or a reference here.", at)
    return parameter["name"], value


def _unsupported(name: str) -> Problem:
    if name in _UNSUPPORTED:
        text = f"{name} is not supported by this server. Leave it out, or send Prefer: handling=lenient."
        return problem(400, "not-supported", text, name)
    return problem(400, "not-supported", "An export has no parameter of this name.")


def _check_format(given: Mapping[str, list[str]]) -> None:
    for value in given.get("_outputFormat", ()):
        if value.replace(" ", "+") not in _FORMATS:  # a plus sign that was not encoded arrives as a space
            raise problem(400, "not-supported", "Files are written as application/fhir+ndjson only.", "_outputFormat")
    for value in given.get("allowPartialManifests", ()):
        if value not in {"true", "false"}:
            raise problem(400, "value", "It is true or false.", "allowPartialManifests")


def _types(values: list[str] | None, *, in_compartments: bool) -> tuple[str, ...] | None:
    if values is None:
        return None
    types = tuple(dict.fromkeys(type_ for value in values for type_ in value.split(",")))
    if not all(type_ in RESOURCE_TYPES for type_ in types):
        raise problem(400, "not-supported", "FHIR R4 has no resource type of this name.", "_type")
    if in_compartments and not any(type_ == "Patient" or patient_compartment(type_) for type_ in types):
        raise problem(400, "not-supported", "None of these types is in the Patient compartment.", "_type")
    return types


def _instant_ms(given: Mapping[str, list[str]], name: str, rounded: Any) -> int | None:
    """Milliseconds since 1970 of a FHIR instant."""
    if name not in given:
        return None
    text = given[name][0].replace(" ", "+")
    if not _INSTANT.fullmatch(text):
        raise problem(400, "value", f"{name} must be an instant, like 2026-11-05T12:00:00Z.", name)
    try:
        moment = datetime.datetime.fromisoformat(text)
        return int(rounded(moment.timestamp() * 1000))
    except (ValueError, OverflowError):
        raise problem(400, "value", f"{name} is no moment of the calendar.", name) from None


def _patients(values: list[str] | None, *, in_compartments: bool, posted: bool) -> tuple[str, ...] | None:
    if values is None:
        return None
    if not in_compartments:
        raise problem(400, "not-supported", "The parameter patient has no place in a system-level export.", "patient")
    if not posted:
        raise problem(400, "not-supported", "Send the parameter patient by POST: URLs end up in logs.", "patient")
    found = [_PATIENT.fullmatch(value) for value in values]
    if not all(found):
        raise problem(400, "value", "patient must be a reference like Patient/123.", "patient")
    return tuple(dict.fromkeys(match[1] for match in found if match))


def _by_patient(given: Mapping[str, list[str]]) -> bool:
    wanted = given.get("organizeOutputBy")
    if wanted is not None and wanted != ["Patient"]:
        raise problem(400, "not-supported", "Output can be organized by Patient only.", "organizeOutputBy")
    return wanted is not None
