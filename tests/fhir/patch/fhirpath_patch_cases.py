"""What FHIRPath Patch (FHIR R4, fhirpatch.html) does, case by case, on one patient and one observation."""

from typing import Any

Json = dict[str, Any]
REFUSED = "refused"

PATIENT: Json = {
    "resourceType": "Patient",
    "id": "p1",
    "extension": [{"url": "urn:a", "valueString": "one"}, {"url": "urn:b", "valueString": "two"}],
    "identifier": [{"system": "urn:s", "value": "1"}, {"system": "urn:t", "value": "2"}],
    "name": [
        {"use": "official", "family": "Moreau", "given": ["Ada", "Robin"], "_given": [None, {"id": "second"}]},
        {"use": "nickname", "text": "Adi"},
    ],
    "birthDate": "1970-02-28",
    "_birthDate": {"extension": [{"url": "urn:time", "valueDateTime": "1970-02-28T10:00:00Z"}]},
    "deceasedBoolean": False,
    "contact": [{"gender": "female", "name": {"text": "A friend"}}],
}
OBSERVATION: Json = {
    "resourceType": "Observation",
    "id": "o1",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "85354-9"}]},
    "valueQuantity": {"value": 120, "unit": "mmHg"},
    "component": [
        {"code": {"coding": [{"code": "a"}, {"code": "b"}]}, "valueInteger": 1},
        {"code": {"text": "c"}, "valueString": "x"},
    ],
}


def part(name: str, value: Any) -> Json:
    """A part: of an integer, of a text, or ready with its ``value[x]`` or ``part``."""
    if isinstance(value, dict):
        return {"name": name, **value}
    return {"name": name, "valueInteger" if isinstance(value, int) else "valueString": value}


def operation(type_: str, path: str, **more: Any) -> Json:
    """One operation of a patch."""
    named = {"type": {"valueCode": type_}, "path": path, **more}
    return {"name": "operation", "part": [part(name, value) for name, value in named.items()]}


def parameters(*operations: Json) -> Json:
    return {"resourceType": "Parameters", "parameter": list(operations)}


FEMALE = {"valueCode": "female"}
NAME = {"valueHumanName": {"family": "Okafor"}}

# (name, resource, operations, what of the resource is different afterwards: None means gone; or REFUSED)
CASES: tuple[tuple[str, Json, list[Json], Any], ...] = (
    ("add an element", PATIENT, [operation("add", "Patient", name="gender", value=FEMALE)], {"gender": "female"}),
    ("add to a list", PATIENT,
     [operation("add", "Patient", name="identifier", value={"valueIdentifier": {"value": "3"}})],
     {"identifier": [*PATIENT["identifier"], {"value": "3"}]}),
    ("add the first of a list", PATIENT,
     [operation("add", "Patient", name="address", value={"valueAddress": {"city": "X"}})],
     {"address": [{"city": "X"}]}),
    ("add without the type before", PATIENT,
     [operation("add", "contact[0]", name="address", value={"valueAddress": {"city": "X"}})],
     {"contact": [{**PATIENT["contact"][0], "address": {"city": "X"}}]}),
    ("add what is there", PATIENT,
     [operation("add", "Patient", name="birthDate", value={"valueDate": "2000"})], REFUSED),
    ("add another of a choice", PATIENT,
     [operation("add", "Patient", name="deceased", value={"valueDateTime": "2000"})], REFUSED),
    ("add what the element has not", PATIENT, [operation("add", "Patient", name="status", value=FEMALE)], REFUSED),
    ("add to a primitive", PATIENT, [operation("add", "Patient.birthDate", name="x", value=FEMALE)], REFUSED),
    ("add to several", PATIENT, [operation("add", "Patient.name", name="suffix", value={"valueString": "x"})], REFUSED),
    ("add to nothing", PATIENT,
     [operation("add", "Patient.name[5]", name="suffix", value={"valueString": "x"})], REFUSED),
    ("add a choice", OBSERVATION, [operation("add", "Observation", name="effective", value={"valueDateTime": "2026"})],
     {"effectiveDateTime": "2026"}),
    ("add a choice of another type", OBSERVATION,
     [operation("add", "Observation", name="effective", value=NAME)], REFUSED),
    ("add a primitive to a list", PATIENT,
     [operation("add", "Patient.name[0]", name="given", value={"valueString": "Z"})],
     {"name": [{**PATIENT["name"][0], "given": ["Ada", "Robin", "Z"], "_given": [None, {"id": "second"}, None]},
               PATIENT["name"][1]]}),
    ("add a backbone element by its parts", PATIENT,
     [operation("add", "Patient", name="contact", value={"part": [
         {"name": "relationship", "valueCodeableConcept": {"text": "child"}},
         {"name": "relationship", "valueCodeableConcept": {"text": "carer"}},
         {"name": "name", "valueHumanName": {"text": "B"}}]})],
     {"contact": [PATIENT["contact"][0],
      {"relationship": [{"text": "child"}, {"text": "carer"}], "name": {"text": "B"}}]}),
    ("add a backbone element with a choice in it", OBSERVATION,
     [operation("add", "Observation", name="component", value={"part": [
         {"name": "code", "valueCodeableConcept": {"text": "d"}}, {"name": "value", "valueBoolean": True}]})],
     {"component": [*OBSERVATION["component"], {"code": {"text": "d"}, "valueBoolean": True}]}),
    ("parts that the element has not", PATIENT,
     [operation("add", "Patient", name="contact", value={"part": [{"name": "colour", "valueString": "x"}]})], REFUSED),
    ("a resource in parts", PATIENT,
     [operation("add", "Patient", name="contained", value={"part": [{"name": "id", "valueId": "c"}]})], REFUSED),
    ("a part twice that there is once", PATIENT,
     [operation("add", "Patient", name="contact",
      value={"part": [part("gender", FEMALE), part("gender", FEMALE)]})], REFUSED),
    ("insert before all", PATIENT, [operation("insert", "Patient.name", index=0, value=NAME)],
     {"name": [{"family": "Okafor"}, *PATIENT["name"]]}),
    ("insert at the end", PATIENT, [operation("insert", "Patient.name", index=2, value=NAME)],
     {"name": [*PATIENT["name"], {"family": "Okafor"}]}),
    ("insert beyond the end", PATIENT, [operation("insert", "Patient.name", index=3, value=NAME)], REFUSED),
    ("insert into a list that is not there", PATIENT,
     [operation("insert", "Patient.address", index=0,
      value={"valueAddress": {"city": "X"}})], {"address": [{"city": "X"}]}),
    ("insert into no list", PATIENT,
     [operation("insert", "Patient.birthDate", index=0, value={"valueDate": "2000"})], REFUSED),
    ("insert between primitives", PATIENT,
     [operation("insert", "Patient.name[0].given", index=1, value={"valueString": "Z"})],
     {"name": [{**PATIENT["name"][0], "given": ["Ada", "Z", "Robin"], "_given": [None, None, {"id": "second"}]},
               PATIENT["name"][1]]}),
    ("delete an element", PATIENT, [operation("delete", "Patient.birthDate")], {"birthDate": None, "_birthDate": None}),
    ("delete a choice", PATIENT, [operation("delete", "Patient.deceased")], {"deceasedBoolean": None}),
    ("delete an item", PATIENT,
     [operation("delete", "Patient.identifier[0]")], {"identifier": PATIENT["identifier"][1:]}),
    ("delete the last item", PATIENT, [operation("delete", "Patient.contact.single()")], {"contact": None}),
    ("delete a primitive of a list", PATIENT, [operation("delete", "Patient.name[0].given[1]")],
     {"name": [{"use": "official", "family": "Moreau", "given": ["Ada"]}, PATIENT["name"][1]]}),
    ("delete what is not there", PATIENT, [operation("delete", "Patient.photo")], {}),
    ("delete several", PATIENT, [operation("delete", "Patient.name")], REFUSED),
    ("delete all", PATIENT, [operation("delete", "Patient")], REFUSED),
    ("delete where", PATIENT,
     [operation("delete", "Patient.name.where(use = 'nickname')")], {"name": PATIENT["name"][:1]}),
    ("delete where two things are so", PATIENT,
     [operation("delete", "Patient.identifier.where(system='urn:t' and value='2')")],
     {"identifier": PATIENT["identifier"][:1]}),
    ("delete where below is so", OBSERVATION,
     [operation("delete", "Observation.component.where(code.coding.code='b')")],
     {"component": OBSERVATION["component"][1:]}),
    ("delete where a number is so", OBSERVATION, [operation("delete", "Observation.component.where(value=1)")],
     {"component": OBSERVATION["component"][1:]}),
    ("delete an extension by its URL", PATIENT, [operation("delete", "Patient.extension('urn:a')")],
     {"extension": PATIENT["extension"][1:]}),
    ("delete by type", OBSERVATION, [operation("delete", "Observation.component.value.ofType(string)")],
     {"component": [OBSERVATION["component"][0], {"code": {"text": "c"}}]}),
    ("replace a primitive", PATIENT, [operation("replace", "Patient.birthDate", value={"valueDate": "2000"})],
     {"birthDate": "2000", "_birthDate": None}),
    ("replace an item", PATIENT, [operation("replace", "Patient.name.last()", value=NAME)],
     {"name": [PATIENT["name"][0], {"family": "Okafor"}]}),
    ("replace a primitive of a list", PATIENT,
     [operation("replace", "Patient.name.first().given[1]", value={"valueString": "Z"})],
     {"name": [{"use": "official", "family": "Moreau", "given": ["Ada", "Z"]}, PATIENT["name"][1]]}),
    ("replace a choice by another type", PATIENT,
     [operation("replace", "Patient.deceased", value={"valueDateTime": "2020"})],
     {"deceasedBoolean": None, "deceasedDateTime": "2020"}),
    ("replace within a choice", OBSERVATION,
     [operation("replace", "(Observation.value as Quantity).unit", value={"valueString": "kPa"})],
     {"valueQuantity": {"value": 120, "unit": "kPa"}}),
    ("replace where the type is another", OBSERVATION,
     [operation("replace", "Observation.value.as(string)", value={"valueString": "x"})], REFUSED),
    ("replace what is not there", PATIENT, [operation("replace", "Patient.gender", value=FEMALE)], REFUSED),
    ("replace all", PATIENT, [operation("replace", "Patient", value=NAME)], REFUSED),
    ("replace the id", PATIENT, [operation("replace", "Patient.id", value={"valueId": "p2"})], REFUSED),
    ("move forward", PATIENT, [operation("move", "Patient.identifier", source=0, destination=1)],
     {"identifier": PATIENT["identifier"][::-1]}),
    ("move a primitive with its other half", PATIENT,
     [operation("move", "Patient.name[0].given", source=1, destination=0)],
     {"name": [{**PATIENT["name"][0], "given": ["Robin", "Ada"], "_given": [{"id": "second"}, None]},
      PATIENT["name"][1]]}),
    ("move from beyond", PATIENT, [operation("move", "Patient.identifier", source=2, destination=0)], REFUSED),
    ("move to beyond", PATIENT, [operation("move", "Patient.identifier", source=0, destination=2)], REFUSED),
    ("the later see the earlier", PATIENT,
     [operation("delete", "Patient.deceased"), operation("add", "Patient", name="deceased",
      value={"valueBoolean": True})],
     {"deceasedBoolean": True}),
    ("one that fails undoes all", PATIENT,
     [operation("delete", "Patient.deceased"), operation("replace", "Patient.gender", value=FEMALE)], REFUSED),
    ("another type at the head", PATIENT, [operation("replace", "Observation.status", value=FEMALE)], REFUSED),
    ("single of several", PATIENT, [operation("delete", "Patient.name.single()")], REFUSED),
)  # fmt: skip

# By name, Parameters that are no patch.
MALFORMED: tuple[tuple[str, Json], ...] = (
    ("no operation", {"resourceType": "Parameters"}),
    ("another name", parameters({"name": "op", "part": []})),
    ("no type", parameters({"name": "operation", "part": [part("path", "Patient")]})),
    ("another type", parameters(operation("merge", "Patient"))),
    ("no path", parameters({"name": "operation", "part": [part("type", {"valueCode": "delete"})]})),
    ("no value", parameters(operation("replace", "Patient.name"))),
    ("no name", parameters(operation("add", "Patient", value=NAME))),
    ("no index", parameters(operation("insert", "Patient.name", value=NAME))),
    ("an index below zero", parameters(operation("insert", "Patient.name", index=-1, value=NAME))),
    ("an index that is no number", parameters(operation("insert", "Patient.name", index="0", value=NAME))),
    ("no destination", parameters(operation("move", "Patient.name", source=0))),
    (
        "a path that is no string",
        parameters({"name": "operation", "part": [part("type", {"valueCode": "delete"}), part("path", 1)]}),
    ),
    ("too many", parameters(*[operation("delete", "Patient.photo")] * 1001)),
)

# Paths that do not name a place, or not in a way that is understood.
BAD_PATHS = (
    "", ".", "Patient.", "Patient..name", "Patient.name[",
      "Patient.name[x]", "Patient.name[-1]", "Patient.name[99999999]",
    "Patient.name.where()", "Patient.name.where(use)", "Patient.name.where(use = )",
      "Patient.name.where(use = 'a' or use = 'b')",
    "Patient.name.where(use.exists())", "Patient.generalPractitioner.resolve()", "Patient.name | Patient.contact",
      "1 + 1",
    "Patient.name.ofType()", "Patient.extension(1", "(Patient.name", "(Patient.deceased is boolean)", "((Patient))",
    "Patient.name;", "'Patient'", "%resource.name",
      "Patient.name.skip(1)", "$this", "Patient.name.where(use = 'a", "(" * 900,
    "a" * 1001,
)  # fmt: skip
