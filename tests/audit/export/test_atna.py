"""ATNA messages against the schema of DICOM PS3.15 A.5.1 (RELAX NG), written here as a table."""

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import pytest

from carekeep.access import Action
from carekeep.audit.export import atna_message
from tests.audit.export.said import ORIGIN, told, xml_of

WORD = r"\S(.*\S)?"
WHEN = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
BASE64 = r"[A-Za-z0-9+/]*={0,2}"
CODED = {"csd-code": WORD, "codeSystemName": WORD, "originalText": WORD}


@dataclass(frozen=True)
class Rule:
    """Attributes and their patterns, and the children in their order: name, least, most."""

    required: dict[str, str]
    optional: dict[str, str]
    children: tuple[tuple[str, int, int], ...] = ()
    text: str | None = None


MANY = 1000
RULES = {
    "AuditMessage": Rule(
        {},
        {},
        (
            ("EventIdentification", 1, 1),
            ("ActiveParticipant", 1, MANY),
            ("AuditSourceIdentification", 1, 1),
            ("ParticipantObjectIdentification", 0, MANY),
        ),
    ),
    "EventIdentification": Rule(
        {"EventDateTime": WHEN, "EventOutcomeIndicator": "0|4|8|12"},
        {"EventActionCode": "C|R|U|D|E"},
        (("EventID", 1, 1), ("EventTypeCode", 0, MANY), ("EventOutcomeDescription", 0, 1)),
    ),
    "ActiveParticipant": Rule(
        {"UserID": ".+", "UserIsRequestor": "true|false"},
        {
            "AlternativeUserID": ".*",
            "UserName": ".*",
            "NetworkAccessPointID": WORD,
            "NetworkAccessPointTypeCode": "[1-5]",
        },
        (("RoleIDCode", 0, MANY), ("MediaIdentifier", 0, 1)),
    ),
    "AuditSourceIdentification": Rule(
        {"AuditSourceID": WORD}, {"AuditEnterpriseSiteID": WORD}, (("AuditSourceTypeCode", 0, MANY),)
    ),
    "AuditSourceTypeCode": Rule({"csd-code": "[1-9]"}, {}),
    "ParticipantObjectIdentification": Rule(
        {"ParticipantObjectID": WORD},
        {
            "ParticipantObjectTypeCode": "[1-4]",
            "ParticipantObjectTypeCodeRole": "[1-9]|1[0-9]|2[0-6]",
            "ParticipantObjectDataLifeCycle": "[1-9]|1[0-5]",
            "ParticipantObjectSensitivity": WORD,
        },
        (
            ("ParticipantObjectIDTypeCode", 1, 1),
            ("ParticipantObjectName", 1, 1),
            ("ParticipantObjectDetail", 0, MANY),
        ),
    ),
    "ParticipantObjectName": Rule({}, {}, text=WORD),
    "ParticipantObjectDetail": Rule({"type": WORD, "value": BASE64}, {}),
    **dict.fromkeys(
        ("EventID", "EventTypeCode", "RoleIDCode", "ParticipantObjectIDTypeCode"), Rule(CODED, {"displayName": WORD})
    ),
}


def faults(element: Element) -> list[str]:
    """What of an element the schema does not allow."""
    rule = RULES[element.tag]
    found = [f"{element.tag} lacks {name}" for name in rule.required if name not in element.attrib]
    allowed = rule.required | rule.optional
    for name, value in element.attrib.items():
        if name not in allowed or not re.fullmatch(allowed[name], value):
            found.append(f"{element.tag}/@{name} is {value!r}")
    if not re.fullmatch(rule.text or "", element.text or ""):
        found.append(f"{element.tag} holds {element.text!r}")
    names = [child.tag for child in element]
    order = [name for name, _, _ in rule.children]
    if names != sorted(names, key=lambda name: order.index(name) if name in order else -1) or set(names) - set(order):
        found.append(f"{element.tag} has {names}")
    for name, least, most in rule.children:
        if not least <= names.count(name) <= most:
            found.append(f"{element.tag} has {names.count(name)} {name}")
    return found + [fault for child in element for fault in faults(child)]


@pytest.mark.parametrize("outcome", ["permitted", "denied", "failed"])
@pytest.mark.parametrize("action", [*Action, "foreign:read", "audit:checkpoint:anchor"])
def test_every_entry_is_a_message_of_the_schema(action: str, outcome: str) -> None:
    assert not faults(xml_of(atna_message(told(action=action, outcome=outcome), ORIGIN)))


def test_the_table_finds_what_is_wrong() -> None:
    good = atna_message(told(), ORIGIN).decode()
    for change in (
        ('EventActionCode="R"', 'EventActionCode="X"'),
        ("<RoleIDCode ", "<EventTypeCode "),
        ('UserIsRequestor="true"', ""),
        ('csd-code="4"', ""),
    ):
        broken = good.replace(*change, 1)
        assert broken != good
        assert faults(xml_of(broken))


def test_what_a_message_says() -> None:
    root = xml_of(atna_message(told(outcome="denied"), ORIGIN))
    event, person, program = root[0], root[1], root[2]
    assert event.attrib["EventOutcomeIndicator"] == "8"
    assert event[0].attrib == {
        "csd-code": "rest",
        "codeSystemName": "http://terminology.hl7.org/CodeSystem/audit-event-type",
        "originalText": "RESTful Operation",
    }
    assert person.attrib["NetworkAccessPointID"] == "192.0.2.1"
    assert program.attrib["UserIsRequestor"] == "false"
    assert [each.attrib["ParticipantObjectTypeCode"] for each in root.findall("ParticipantObjectIdentification")] == [
        "1",
        "1",
        "2",
    ]
