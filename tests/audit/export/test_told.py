"""What leaves for a SIEM: no name, no health data, no words that somebody typed; in every format."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carekeep.audit import Agent, Entry
from carekeep.audit.export import FORMATS, Told, syslog_message, told_of
from carekeep.audit.export.syslog import LARGEST
from tests.audit.export.said import AT, ENTRY_ID, ORIGIN, followed, pseudonym, said, told, xml_of

# The documented list: docs/siem.md says the same. Whoever adds a field adds its reason there.
LEAVES = {
    "uid", "index", "at_ms", "recorded_ms", "action", "deed", "type", "subtype", "outcome", "role", "account",
    "session", "device", "app", "address", "delegated", "purpose", "policies", "risk", "patients", "patient_count",
    "records", "disclosed", "source",
}  # fmt: skip
# Typed by people or taken from elsewhere: whatever stands there must not be seen outside.
TYPED = ("who", "session", "on_behalf_of")
AGENT_WORDS = ("account", "role", "device", "app", "address")


def everywhere(entry: Entry) -> str:
    """All that leaves, in all formats."""
    one = told_of(followed(entry), pseudonym)
    return "".join(format_(one, ORIGIN).decode("ascii") for format_ in FORMATS.values())


def test_only_the_documented_fields_leave() -> None:
    assert {field.name for field in fields(Told)} == LEAVES


def test_nothing_that_is_about_people_or_health_leaves() -> None:
    assert "marker" not in everywhere(said()).lower()


def test_an_imported_entry_says_nothing_of_its_agent() -> None:
    """Its words are another system's: an account there may be called like a person."""
    agent = Agent(account="markera", role="markerb", who="markerc", device="markerd", app="markere", address="10.0.0.1")
    entry = said(agent=agent, source="old-ehr", happened_ms=AT - 1000, action="foreign:read")
    assert "marker" not in everywhere(entry).lower()
    one = told_of(followed(entry), pseudonym)
    assert (one.source, one.address, one.at_ms, one.recorded_ms) == ("old-ehr", "10.0.0.1", AT - 1000, AT)


@pytest.mark.parametrize("field", AGENT_WORDS)
@pytest.mark.parametrize("text", ["Marker Jane", "marker\nforged", "márker", "x" * 101, "<marker>", '"marker'])
def test_what_is_no_word_does_not_leave(field: str, text: str) -> None:
    agent = replace(said().agent, **{field: text})
    out = everywhere(said(agent=agent))
    assert "marker" not in out.lower()
    assert "x" * 101 not in out


@given(text=st.text(max_size=200))
def test_whatever_stands_in_an_entry_each_message_is_one_line_of_ascii(text: str) -> None:
    agent = Agent(account=text, role=text, who=text, session=text or None, device=text, address=text, app=text)
    entry = said(agent=agent, action=text, purpose=text, policies=(text,) * 30, patients=(text,) * 60, source=None)
    one = told_of(followed(entry), pseudonym)
    for name, format_ in FORMATS.items():
        message = syslog_message(one, ORIGIN, name, format_(one, ORIGIN))
        assert message.isascii()
        assert b"\n" not in message
        assert b"\0" not in message


def test_the_longest_message_is_one_that_every_receiver_takes() -> None:
    word = "x" * 100
    agent = Agent(account=word, role=word, session=word, device=word, app=word, address="2001:db8::1", on_behalf_of="x")
    entry = said(agent=agent, action=word, purpose=word, policies=(word,) * 100, patients=(word,) * 2000)
    one = told_of(followed(entry), pseudonym)
    for name, format_ in FORMATS.items():
        assert len(syslog_message(one, replace(ORIGIN, host="h" * 255), name, format_(one, ORIGIN))) <= LARGEST


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({}, 1),
        ({"outcome": "failed"}, 2),
        ({"outcome": "denied"}, 3),
        ({"action": "fhir:patient:break-glass"}, 3),
        ({"risk": 75}, 4),
        ({"risk": 80, "outcome": "denied"}, 4),
    ],
)
def test_severity(changes: dict[str, Any], severity: int) -> None:
    assert told(**changes).severity == severity


def test_syslog_header() -> None:
    """RFC 5424 §6: priority, version, time, host, program, no process, kind of message, no structured data."""
    message = syslog_message(told(at_ms=1_000), ORIGIN, "atna", b"<AuditMessage/>")
    header = b"<85>1 1970-01-01T00:00:01.000Z ehr.example.org Carekeep - DICOM+RFC3881 - "
    assert message == header + b"<AuditMessage/>"


def test_a_copy_is_known_by_its_id() -> None:
    assert json.loads(FORMATS["ocsf"](told(), ORIGIN))["metadata"]["uid"] == ENTRY_ID.hex()
    ids = [
        each.attrib["ParticipantObjectID"]
        for each in xml_of(FORMATS["atna"](told(), ORIGIN)).findall("ParticipantObjectIdentification")
    ]
    assert ids[-1] == ENTRY_ID.hex()
