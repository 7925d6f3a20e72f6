"""Cases as data: what a query finds. Each row: type, elements of the resource, query, whether it matches.

The rules are those of FHIR R4 3.1.1.4; rows with the standard's own examples stand first in their table.
"""

from typing import Any

Case = tuple[str, dict[str, Any], str, bool]

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"


def quantity(value: float, **more: str) -> dict[str, Any]:
    return {"valueQuantity": {"value": value, "system": UCUM, "code": "mg", "unit": "milligram", **more}}


CODED = {"code": {"text": "Heart rate", "coding": [{"system": LOINC, "code": "8867-4", "display": "Pulse"}]}}
PLAIN_CODE = {"code": {"coding": [{"code": "8867-4"}]}}
NAMED = {"name": [{"family": "van der Berg", "given": ["María José"], "prefix": ["Dr."]}]}
HOME = {"address": [{"line": ["12 Main Street"], "city": "Łódź", "postalCode": "90-001", "use": "home"}]}
MRN = {
    "identifier": [
        {
            "system": "urn:mrn",
            "value": "12345",
            "type": {"text": "Record number", "coding": [{"system": "s", "code": "MR"}]},
        }
    ]
}

TOKENS: list[Case] = [
    ("Patient", {"gender": "male"}, "gender=male", True),
    ("Patient", {"gender": "male"}, "gender=female", False),
    ("Patient", {"gender": "male"}, "gender=http://hl7.org/fhir/administrative-gender|male", True),
    ("Patient", {"gender": "male"}, "gender=http://other|male", False),
    ("Patient", {"gender": "male"}, "gender:not=male", False),
    ("Patient", {}, "gender:not=male", True),
    ("Patient", {"gender": "female"}, "gender:not=male,female", False),
    ("Patient", {"active": True}, "active=true", True),
    ("Patient", {"active": False}, "active=true", False),
    ("Patient", MRN, "identifier=urn:mrn|12345", True),
    ("Patient", MRN, "identifier=12345", True),
    ("Patient", MRN, "identifier=urn:other|12345", False),
    ("Patient", MRN, "identifier=|12345", False),
    ("Patient", MRN, "identifier=urn:mrn|", True),
    ("Patient", MRN, "identifier=urn:other|", False),
    ("Patient", MRN, "identifier=1234", False),
    ("Patient", MRN, "identifier:of-type=s|MR|12345", True),
    ("Patient", MRN, "identifier:of-type=s|MR|99999", False),
    ("Patient", MRN, "identifier:of-type=s|XX|12345", False),
    ("Patient", MRN, "identifier:text=record", True),
    ("Patient", {"identifier": [{"value": "a|b,c"}]}, r"identifier=a\|b\,c", True),
    ("Observation", CODED, f"code={LOINC}|8867-4", True),
    ("Observation", CODED, "code=8867-4", True),
    ("Observation", CODED, "code=|8867-4", False),
    ("Observation", CODED, "code=1,2,8867-4", True),
    ("Observation", CODED, "code=8867-4&code=other", False),
    ("Observation", CODED, "code:text=heart", True),
    ("Observation", CODED, "code:text=puls", True),
    ("Observation", CODED, "code:text=rate", False),
    ("Observation", CODED, "combo-code=8867-4", True),
    ("Observation", PLAIN_CODE, "code=|8867-4", True),
    ("Observation", PLAIN_CODE, f"code={LOINC}|8867-4", False),
    ("Observation", CODED, "code:missing=false", True),
    ("Observation", CODED, "category:missing=true", True),
    ("Patient", {"deceasedBoolean": False}, "deceased=false", True),
    ("Patient", {}, "deceased=false", True),
    ("Patient", {"deceasedDateTime": "2020"}, "deceased=true", True),
    ("Patient", {"deceasedDateTime": "2020"}, "deceased=false", False),
    ("Patient", {"telecom": [{"system": "phone", "value": "+1 (555) 010-99"}]}, "phone=+155501099", True),
    ("Patient", {"telecom": [{"system": "email", "value": "A@b.org"}]}, "email=a@B.org", True),
    ("Patient", {"telecom": [{"system": "email", "value": "A@b.org"}]}, "phone=a@b.org", False),
    ("Patient", {"meta": {"tag": [{"system": "s", "code": "t"}]}}, "_tag=s|t", True),
    ("Patient", {"meta": {"security": [{"system": "s", "code": "R"}]}}, "_security=R", True),
    ("Patient", {"id": "a"}, "_id=b,a", True),
    ("Patient", {"id": "a"}, "_id=b", False),
    ("Group", {"characteristic": [{"valueBoolean": True}]}, "value=true", True),
]

STRINGS: list[Case] = [
    ("Patient", {"name": [{"given": ["Eve"]}]}, "given=eve", True),
    ("Patient", {"name": [{"given": ["Evelyn"]}]}, "given=eve", True),
    ("Patient", {"name": [{"given": ["Severine"]}]}, "given=eve", False),
    ("Patient", {"name": [{"given": ["Severine"]}]}, "given:contains=eve", True),
    ("Patient", {"name": [{"given": ["Eve"]}]}, "given:exact=Eve", True),
    ("Patient", {"name": [{"given": ["eve"]}]}, "given:exact=Eve", False),
    ("Patient", {"name": [{"given": ["Evelyn"]}]}, "given:exact=Eve", False),
    ("Patient", NAMED, "family=Van Der", True),
    ("Patient", NAMED, "family=berg", False),
    ("Patient", NAMED, "name=berg", True),
    ("Patient", NAMED, "name=BERG maria", True),
    ("Patient", NAMED, "name=berg anna", False),
    ("Patient", NAMED, "name=erg", False),
    ("Patient", NAMED, "given=maria", True),
    ("Patient", NAMED, "given:exact=Maria José", False),
    ("Patient", NAMED, "given:exact=María José", True),
    ("Patient", NAMED, "name=dr", True),
    ("Patient", NAMED, "family=v", True),
    ("Patient", {"name": [{"family": "O\u2019Brien-Smith"}]}, "family=obrien smith", True),
    ("Patient", {"name": [{"family": "Straße"}]}, "family=STRASSE", True),
    ("Patient", {"name": [{"family": "王"}]}, "family=王", True),
    ("Patient", {"name": [{"family": "a,b"}]}, r"family:exact=a\,b", True),
    ("Patient", HOME, "address=main", True),
    ("Patient", HOME, "address-city=lodz", True),
    ("Patient", HOME, "address-city=main", False),
    ("Patient", HOME, "address-postalcode=90-001", True),
    ("Patient", HOME, "address-use=home", True),
    ("Organization", {"name": "General Hospital"}, "name=general hosp", True),
    ("Organization", {"name": "General Hospital"}, "name=hospital", False),
    ("Organization", {"alias": ["GH"]}, "name=gh", True),
    ("Observation", {"valueCodeableConcept": {"text": "Positive"}}, "value-string=pos", True),
    ("Patient", {}, "family=a", False),
]

REFERENCES: list[Case] = [
    ("Observation", {"subject": {"reference": "Patient/23"}}, "subject=Patient/23", True),
    ("Observation", {"subject": {"reference": "Patient/23"}}, "subject=23", True),
    ("Observation", {"subject": {"reference": "Patient/23"}}, "subject:Patient=23", True),
    ("Observation", {"subject": {"reference": "Group/23"}}, "subject:Patient=23", False),
    ("Observation", {"subject": {"reference": "Group/23"}}, "subject=23", True),
    ("Observation", {"subject": {"reference": "Group/23"}}, "patient=23", False),
    ("Observation", {"subject": {"reference": "Patient/23"}}, "patient=23", True),
    ("Observation", {"subject": {"reference": "Patient/23"}}, "patient=Patient/2", False),
    ("Observation", {"subject": {"reference": "Patient/23/_history/4"}}, "patient=23", True),
    ("Observation", {"subject": {"reference": "Patient/23/_history/4"}}, "patient=Patient/23/_history/4", True),
    ("Observation", {"subject": {"reference": "Patient/23/_history/4"}}, "patient=Patient/23/_history/5", False),
    ("Observation", {"subject": {"reference": "http://x.org/Patient/23"}}, "patient=23", False),
    ("Observation", {"subject": {"reference": "http://x.org/Patient/23"}}, "patient=http://x.org/Patient/23", True),
    ("Observation", {"subject": {"reference": "#p"}}, "subject:missing=false", True),
    ("Observation", {"subject": {"identifier": {"system": "s", "value": "1"}}}, "subject:identifier=s|1", True),
    ("Observation", {"subject": {"identifier": {"system": "s", "value": "1"}}}, "subject:identifier=t|1", False),
    ("Observation", {"subject": {"identifier": {"system": "s", "value": "1"}}}, "subject=1", False),
    ("MedicationRequest", {"medicationReference": {"reference": "Medication/1"}}, "medication=1", True),
    ("Task", {"instantiatesCanonical": "x"}, "part-of:missing=true", True),
    ("CarePlan", {"instantiatesCanonical": ["http://x/P|2"]}, "instantiates-canonical=http://x/P", True),
    ("CarePlan", {"instantiatesCanonical": ["http://x/P|2"]}, "instantiates-canonical=http://x/P|2", True),
    ("CarePlan", {"instantiatesCanonical": ["http://x/P|2"]}, "instantiates-canonical=http://x/P|3", False),
    ("Bundle", {"entry": [{"resource": {"resourceType": "Composition", "id": "c"}}]}, "composition=c", True),
]

URIS: list[Case] = [
    ("ValueSet", {"url": "http://acme.org/fhir/ValueSet/123"}, "url=http://acme.org/fhir/ValueSet/123", True),
    ("ValueSet", {"url": "http://acme.org/fhir/ValueSet/123"}, "url=http://acme.org/fhir/ValueSet/1", False),
    ("ValueSet", {"url": "http://acme.org/fhir/ValueSet/123"}, "url:below=http://acme.org/fhir/", True),
    ("ValueSet", {"url": "http://acme.org/fhir/ValueSet/123"}, "url:below=http://acme.org/fh", False),
    ("ValueSet", {"url": "http://acme.org/fhir"}, "url:above=http://acme.org/fhir/ValueSet/123", True),
    ("ValueSet", {"url": "http://acme.org/fhir/"}, "url:above=http://acme.org/fhir/ValueSet/123", True),
    ("ValueSet", {"url": "http://acme.org/other"}, "url:above=http://acme.org/fhir/ValueSet/123", False),
    ("ValueSet", {"url": "urn:oid:1.2.3"}, "url=urn:oid:1.2.3", True),
    ("Patient", {"meta": {"profile": ["http://x/p|1.0"]}}, "_profile=http://x/p", True),
    ("Patient", {"meta": {"profile": ["http://x/p|1.0"]}}, "_profile=http://x/p|1.0", True),
    ("Patient", {"meta": {"profile": ["http://x/p|1.0"]}}, "_profile=http://x/p|2.0", False),
    ("Patient", {"meta": {"source": "http://x/s#1"}}, "_source=http://x/s#1", True),
]

NUMBERS: list[Case] = [
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 100}]}, "probability=100", True),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 99.5}]}, "probability=100", True),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 100.5}]}, "probability=100", False),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 100.004}]}, "probability=100.00", True),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 100.005}]}, "probability=100.00", False),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 104.9}]}, "probability=1e2", True),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 105}]}, "probability=1e2", False),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 100}]}, "probability=lt100", False),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 99.9999}]}, "probability=lt100", True),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 100}]}, "probability=le100", True),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 100.0001}]}, "probability=gt100", True),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 100}]}, "probability=ge100", True),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 100.2}]}, "probability=ne100", False),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 101}]}, "probability=ne100", True),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": 0.8}]}, "probability=gt0.8", False),
    ("RiskAssessment", {"prediction": [{"probabilityDecimal": -3}]}, "probability=lt-2", True),
    (
        "RiskAssessment",
        {"prediction": [{"probabilityRange": {"low": {"value": 1}, "high": {"value": 3}}}]},
        "probability=gt2",
        True,
    ),
    (
        "RiskAssessment",
        {"prediction": [{"probabilityRange": {"low": {"value": 1}, "high": {"value": 3}}}]},
        "probability=sa2",
        False,
    ),
    (
        "RiskAssessment",
        {"prediction": [{"probabilityDecimal": 0.5}, {"probabilityDecimal": 200}]},
        "probability=gt100&probability=lt1",
        True,
    ),
    ("Observation", quantity(5.4), f"value-quantity=5.4|{UCUM}|mg", True),
    ("Observation", quantity(5.44), f"value-quantity=5.4|{UCUM}|mg", True),
    ("Observation", quantity(5.45), f"value-quantity=5.4|{UCUM}|mg", False),
    ("Observation", quantity(5.4), f"value-quantity=5.4|{UCUM}|g", False),
    ("Observation", quantity(0.0054, code="g"), f"value-quantity=5.4|{UCUM}|mg", True),
    ("Observation", quantity(5.44), f"value-quantity=0.0054|{UCUM}|g", True),
    ("Observation", quantity(5.45), f"value-quantity=0.0054|{UCUM}|g", False),
    ("Observation", quantity(100, code="mg/dL"), f"value-quantity=1|{UCUM}|g/L", True),
    ("Observation", quantity(120, code="mm[Hg]"), f"value-quantity=gt15.99|{UCUM}|kPa", True),
    ("Observation", quantity(120, code="mm[Hg]"), f"value-quantity=gt16|{UCUM}|kPa", False),
    ("Observation", quantity(98.6, code="[degF]"), f"value-quantity=37.0|{UCUM}|Cel", True),
    ("Observation", quantity(-40, code="Cel"), f"value-quantity=-40|{UCUM}|[degF]", True),
    ("Observation", quantity(60, code="{beats}/min"), f"value-quantity=1|{UCUM}|/s", True),
    ("Observation", quantity(5, code="[iU]"), f"value-quantity=5|{UCUM}|[arb'U]", False),
    ("Observation", quantity(5, code="mg"), f"value-quantity=ne6|{UCUM}|mL", False),
    ("Observation", quantity(7, code="[pH]"), f"value-quantity=7|{UCUM}|[pH]", True),
    ("Observation", quantity(5, code="mcg"), f"value-quantity=5|{UCUM}|mcg", True),
    ("Observation", quantity(5, code="mcg"), f"value-quantity=5|{UCUM}|ug", False),
    ("Observation", quantity(5, comparator="<"), f"value-quantity=lt0.003|{UCUM}|g", True),
    ("Observation", quantity(0.0054, code="g", system="urn:x"), f"value-quantity=5.4|{UCUM}|mg", False),
    ("Observation", quantity(0.0054, code="g"), "value-quantity=5.4||mg", False),
    ("Observation", quantity(5.4), f"value-quantity=gt0.005|{UCUM}|g&value-quantity=lt6|{UCUM}|mg", True),
    ("Observation", quantity(5.4), f"value-quantity=gt0.005|{UCUM}|g&value-quantity=lt6", True),
    ("Condition", {"onsetAge": {"value": 2, "system": UCUM, "code": "a"}}, f"onset-age=gt100|{UCUM}|wk", True),
    ("Observation", quantity(5.4), "value-quantity=5.4||mg", True),
    ("Observation", quantity(5.4), "value-quantity=5.4||milligram", True),
    ("Observation", quantity(5.4), "value-quantity=5.4||g", False),
    ("Observation", quantity(5.4), "value-quantity=5.4", True),
    ("Observation", quantity(5.4), "value-quantity=5.4|http://other|mg", False),
    ("Observation", quantity(5.4), "value-quantity=le5.4", True),
    ("Observation", quantity(5.9), "value-quantity=ap5.4", True),
    ("Observation", quantity(5.95), "value-quantity=ap5.4", False),
    ("Observation", quantity(5, comparator="<"), "value-quantity=lt3", True),
    ("Observation", quantity(5, comparator="<"), "value-quantity=ge5", False),
    ("Observation", quantity(5, comparator=">"), "value-quantity=gt100", True),
    ("Observation", quantity(5, comparator=">"), "value-quantity=le5", False),
    ("Invoice", {"totalGross": {"value": 12, "currency": "EUR"}}, "totalgross=12||EUR", True),
    ("Invoice", {"totalGross": {"value": 12, "currency": "EUR"}}, "totalgross=12|urn:iso:std:iso:4217|USD", False),
    ("Condition", {"onsetAge": {"value": 40, "system": UCUM, "code": "a"}}, "onset-age=gt39", True),
    ("Condition", {"onsetRange": {"low": {"value": 40}}}, "onset-age=gt90", True),
    ("Condition", {"onsetRange": {"low": {"value": 40}}}, "onset-age=lt40", False),
    ("Condition", {"onsetRange": {"low": {"value": 1}, "high": {"value": 99}}}, "onset-age=ap50", True),
]

BP = {
    "code": {"coding": [{"code": "bp"}]},
    "component": [
        {"code": {"coding": [{"code": "sys"}]}, "valueQuantity": {"value": 120}},
        {"code": {"coding": [{"code": "dia"}]}, "valueQuantity": {"value": 80}},
    ],
}
VARIANTS = {"referenceSeq": {"chromosome": {"coding": [{"code": "1"}]}}, "variant": [{"start": 5, "end": 9}]}

COMPOSITES: list[Case] = [
    ("Observation", BP, "component-code-value-quantity=sys$gt100", True),
    ("Observation", BP, "component-code-value-quantity=dia$gt100", False),
    ("Observation", BP, "component-code-value-quantity=dia$gt100,sys$120", True),
    ("Observation", BP, "combo-code-value-quantity=dia$80", True),
    ("Observation", BP, "code-value-quantity=bp$80", False),
    ("Observation", {**CODED, **quantity(5.4)}, f"code-value-quantity={LOINC}|8867-4$5.4||mg", True),
    ("Observation", {**CODED, "valueDateTime": "2020-05-01"}, "code-value-date=8867-4$ge2020", True),
    ("MolecularSequence", VARIANTS, "chromosome-variant-coordinate=1$lt6$gt8", True),
    ("MolecularSequence", VARIANTS, "chromosome-variant-coordinate=2$lt6$gt8", False),
    (
        "Group",
        {"characteristic": [{"code": {"coding": [{"code": "a"}]}, "valueBoolean": True}]},
        "characteristic-value=a$true",
        True,
    ),
    (
        "DocumentReference",
        {"relatesTo": [{"code": "replaces", "target": {"reference": "DocumentReference/1"}}]},
        "relationship=replaces$DocumentReference/1",
        True,
    ),
]


def period(start: str | None, end: str | None) -> dict[str, Any]:
    bounds = {"start": start, "end": end}
    return {"effectivePeriod": {name: value for name, value in bounds.items() if value}}


DATES: list[Case] = [
    ("Observation", {"effectiveDateTime": "2013-01-14T00:00:00Z"}, "date=eq2013-01-14", True),
    ("Observation", {"effectiveDateTime": "2013-01-14T10:00:00Z"}, "date=eq2013-01-14", True),
    ("Observation", {"effectiveDateTime": "2013-01-15T00:00:00Z"}, "date=eq2013-01-14", False),
    ("Observation", {"effectiveDateTime": "2013-01-15T00:00:00Z"}, "date=ne2013-01-14", True),
    ("Observation", {"effectiveDateTime": "2013-01-14"}, "date=ne2013-01-14T00:00Z", True),
    ("Observation", {"effectiveDateTime": "2013-01-14"}, "date=lt2013-01-14T10:00Z", True),
    ("Observation", {"effectiveDateTime": "2013-01-14"}, "date=gt2013-01-14T10:00Z", True),
    ("Observation", {"effectiveDateTime": "2013-03-14"}, "date=ge2013-03-14", True),
    ("Observation", period("2013-01-21", None), "date=ge2013-03-14", True),
    ("Observation", {"effectiveDateTime": "2013-03-14"}, "date=le2013-03-14", True),
    ("Observation", period("2013-01-21", None), "date=le2013-03-14", True),
    ("Observation", {"effectiveDateTime": "2013-03-15"}, "date=sa2013-03-14", True),
    ("Observation", period("2013-01-21", None), "date=sa2013-03-14", False),
    ("Observation", period("2013-03-15", None), "date=sa2013-03-14", True),
    ("Observation", {"effectiveDateTime": "2013-03-13"}, "date=eb2013-03-14", True),
    ("Observation", period(None, "2013-03-13"), "date=eb2013-03-14", True),
    ("Observation", period("2013-01-21", "2013-03-21"), "date=ap2013-03-14", True),
    ("Observation", period("2013-01-21", None), "date=ap2015-06-14", True),
    ("Observation", {"effectiveDateTime": "2000-03-14"}, "date=ap2013-03-14", False),
    ("Observation", {"effectiveDateTime": "2020-01-01T01:00:00+02:00"}, "date=2019", True),
    ("Observation", {"effectiveDateTime": "2020-01-01T01:00:00+02:00"}, "date=2020", False),
    ("Observation", {"effectiveDateTime": "2020-01-01T01:00:00+02:00"}, "date=2019-12-31T23:00:00Z", True),
    ("Observation", {"effectiveDateTime": "2016-12-31T23:59:60Z"}, "date=2016-12", True),
    ("Observation", {"effectiveInstant": "2020-01-01T00:00:00.123Z"}, "date=2020-01-01T00:00:00Z", True),
    ("Observation", {"effectiveTiming": {"event": ["2020-01-01", "2020-03-01"]}}, "date=2020", True),
    ("Observation", {"effectiveTiming": {"event": ["2020-01-01", "2020-03-01"]}}, "date=2020-01", False),
    ("Observation", {"effectiveTiming": {"repeat": {"boundsPeriod": {"start": "2020"}}}}, "date=gt2022", True),
    ("Observation", {}, "date=ne2020", False),
    ("Observation", {"effectivePeriod": {"id": "x"}}, "date=ge1900", False),
    ("Patient", {"birthDate": "1974-12-25"}, "birthdate=1974", True),
    ("Patient", {"birthDate": "1974"}, "birthdate=1974-12", False),
    ("Patient", {"birthDate": "1974-12-25"}, "birthdate=ge1974-12-01&birthdate=lt1975", True),
    ("Patient", {"birthDate": "1975-12-25"}, "birthdate=ge1974-12-01&birthdate=lt1975", False),
    ("Patient", {"birthDate": "9999-12-31"}, "birthdate=9999", True),
    ("Patient", {"birthDate": "0001-01-01"}, "birthdate=lt1000", True),
    ("Patient", {"meta": {"lastUpdated": "2020-01-01T00:00:00.000Z"}}, "_lastUpdated=gt2019", True),
    ("Procedure", {"performedString": "2020"}, "date=2020", False),
]

ALL = TOKENS + STRINGS + REFERENCES + URIS + NUMBERS + COMPOSITES + DATES
