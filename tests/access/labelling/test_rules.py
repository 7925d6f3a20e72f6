"""The rules: what the bundled ones find, and what a file must not say."""

import re
from importlib import resources

import pytest

from carekeep.access.labelling import Rules, RulesRefused
from tests.access.labelling.labels import ICD, LABELLING, LOINC, RXNORM, SNOMED, coded, short

BUNDLED = (resources.files("carekeep.access.labelling") / "rules.toml").read_text("utf-8")
PART2 = {"R", "NORDSCLCD"}

# What stands in a record, and the labels that it must get; a reviewer adds a line.
FOUND = [
    (ICD, "F10.20", {"ETHUD"} | PART2),
    (ICD, "F11.20", {"OPIOIDUD"} | PART2),
    (ICD, "f1120", {"OPIOIDUD"} | PART2),
    (ICD, " F11.20 ", {"OPIOIDUD"} | PART2),
    (ICD, "F14.1", {"SUD"} | PART2),
    (ICD, "F17.210", set()),
    ("https://hl7.org/fhir/sid/icd-10-cm/", "F11", {"OPIOIDUD"} | PART2),
    ("http://hl7.org/fhir/sid/icd-10-cm|2026", "F11", {"OPIOIDUD"} | PART2),
    ("urn:oid:2.16.840.1.113883.6.90", "F11", {"OPIOIDUD"} | PART2),
    ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "F11.2", {"OPIOIDUD"} | PART2),
    (ICD, "F32.9", {"PSY", "R"}),
    (ICD, "F01.50", set()),
    (ICD, "F84.0", {"DVD", "R"}),
    (ICD, "F64.0", {"SEX", "R"}),
    (ICD, "B20", {"HIV", "R"}),
    (ICD, "Z21", {"HIV", "R"}),
    (ICD, "B97.35", {"HIV", "R"}),
    (ICD, "B97.3", set()),
    (ICD, "Z33.2", {"SEX", "R"}),
    (ICD, "Z33.1", set()),
    (ICD, "Z34.90", set()),
    (ICD, "A51.0", {"STD", "R"}),
    (ICD, "T74.21XA", {"SDV", "R"}),
    (ICD, "E84.9", {"GDIS", "R"}),
    (ICD, "I10", set()),
    (SNOMED, "75544000", {"OPIOIDUD"} | PART2),
    (SNOMED, "86406008", {"HIV", "R"}),
    (SNOMED, "394587001", {"PSY", "R"}),
    (SNOMED, "444175001", {"PSYTHPN", "R"}),
    (SNOMED, "8640600", set()),
    (LOINC, "20447-9", {"HIV", "R"}),
    (LOINC, "8867-4", set()),
    (RXNORM, "351267", {"OPIOIDUD"} | PART2),
    ("http://example.org/local", "F11.20", set()),
]


@pytest.mark.parametrize(("system", "code", "labels"), FOUND)
def test_which_codes_give_which_labels(system: str, code: str, labels: set[str]) -> None:
    assert short(LABELLING.labelled(coded((system, code)))) == labels


URIS = {"icd-10": ICD, "snomed": SNOMED, "loinc": LOINC, "rxnorm": RXNORM}


def test_every_rule_says_its_source_and_every_label_its_law() -> None:
    rules = Rules.bundled()
    assert {category.id for category in rules.categories} == {
        "substance-use", "psychotherapy-notes", "mental-health", "hiv", "reproductive-health", "violence", "genetic",
    }  # fmt: skip
    assert all(len(rule.source) > 10 for rule in rules.rules)
    for rule in rules.rules:
        system = URIS[rule.system]
        for code in (*rule.codes, *rule.begins):
            (first, *_) = LABELLING.assigned(coded((system, code)))
            assert first["extension"][0]["url"].endswith("/extension-sec-label-basis")
            assert rule.sensitivity in short(LABELLING.labelled(coded((system, code)))), code


def test_other_text_has_another_digest() -> None:
    assert Rules.read(BUNDLED).digest == Rules.bundled().digest
    assert Rules.read(BUNDLED + "\n# more\n").digest != Rules.bundled().digest


MINIMAL = """
version = "1"
[systems.icd-10]
dotless = true
uris = ["http://hl7.org/fhir/sid/icd-10-cm"]
[displays]
HIV = "x"
PSY = "x"
OrgIP = "x"
[[category]]
id = "a"
title = "a"
basis = "OrgIP"
confidentiality = "R"
[[category.rule]]
sensitivity = "HIV"
system = "icd-10"
begins = ["B20"]
source = "s"
"""
SECOND = MINIMAL.partition("[[category]]")[1] + MINIMAL.partition("[[category]]")[2]

REFUSED = [
    ("not toml [", "no TOML"),
    ("", "missing"),
    (MINIMAL.replace('"R"', '"Z"'), "v3-Confidentiality"),
    (MINIMAL.replace('source = "s"', ""), "source"),
    (MINIMAL.replace('source = "s"', 'source = " "'), "source"),
    (MINIMAL.replace('system = "icd-10"', 'system = "icd-11"'), "icd-11"),
    (MINIMAL.replace('begins = ["B20"]', ""), "no code"),
    (MINIMAL.replace('begins = ["B20"]', 'begins = ["B"]'), "too short"),
    (MINIMAL.replace('begins = ["B20"]', 'begins = ["."]'), "too short"),
    (MINIMAL.replace('begins = ["B20"]', "begins = [20]"), "not of its kind"),
    (MINIMAL.replace('HIV = "x"', ""), "HIV"),
    (MINIMAL.replace('basis = "OrgIP"', 'basis = "Nobody"'), "Nobody"),
    (MINIMAL.partition("[[category]]")[0], "category"),
    (MINIMAL + SECOND, "two categories"),
    ("#" * 1_000_001, "longer"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=range(len(REFUSED)))
def test_rules_that_cannot_be_meant_are_refused(text: str, says: str) -> None:
    with pytest.raises(RulesRefused, match=re.escape(says)):
        Rules.read(text)


def test_the_shortest_file_is_good() -> None:
    assert [each.id for each in Rules.read(MINIMAL).categories] == ["a"]
