"""Other systems' logs become entries, each line once; what is hostile in them stays outside."""

import io
import json
from collections.abc import Mapping, Sequence

import pytest

from carekeep.audit import Entry, Ledger
from carekeep.audit.foreign import CsvMapping, Foreign, LogRefused, Refusal, Report, TakeOver, atna_log, read_log
from carekeep.audit.foreign.foreign import LineRefused
from carekeep.encryption import Tagger
from carekeep.storage import Database
from tests.audit.logs import NOON, a_ledger

MAPPING = CsvMapping.read(
    'time_zone = "Europe/Berlin"\n[columns]\nwhen = "Time"\nwho = "User"\npatient = "MRN"\naction = "Act"\n'
    '[actions]\nVIEW = "read"\n'
)
HEAD = "Time,User,MRN,Act\n"
ROW = "2026-01-02 03:04:05,Jane,m1,VIEW\n"
EVENT = {
    "resourceType": "AuditEvent",
    "recorded": "2026-01-02T03:04:05Z",
    "action": "R",
    "outcome": "0",
    "agent": [{"requestor": True, "who": {"reference": "Practitioner/7"}, "network": {"address": "10.0.0.1"}}],
    "entity": [{"what": {"reference": "https://old/Patient/m1"}}],
}
ATNA = (
    '<AuditMessage><EventIdentification EventActionCode="R" EventDateTime="2026-01-02T03:04:05Z" '
    'EventOutcomeIndicator="0"><EventID csd-code="110110" codeSystemName="DCM" originalText="Patient Record"/>'
    '</EventIdentification><ActiveParticipant UserID="Practitioner/7" UserIsRequestor="true"/>'
    '<ParticipantObjectIdentification ParticipantObjectID="m1^^^x" ParticipantObjectTypeCodeRole="1"/></AuditMessage>'
)


def read(text: str | bytes, format_: str) -> list[Foreign | Refusal]:
    body = text.encode() if isinstance(text, str) else text
    return list(read_log(io.BytesIO(body), format_, MAPPING))


async def patients(names: Sequence[str]) -> Mapping[str, str]:
    return {name: f"p-{name}" for name in names if name.startswith("m")}


async def take(database: Database, ledger: Ledger, text: str, format_: str, *, dry_run: bool = False) -> Report:
    taking = TakeOver(
        database, ledger, Tagger(bytes(32)), lambda: NOON, patients, "old-ehr", "request", dry_run=dry_run
    )
    return await taking.take(read(text, format_))


async def entries(ledger: Ledger) -> list[Entry]:
    return [ledger.open(sealed.leaf)[0] async for sealed in ledger.waiting()]


@pytest.mark.parametrize(
    ("format_", "text"),
    [
        ("csv", HEAD + ROW),
        ("fhir", json.dumps(EVENT)),
        ("fhir", json.dumps(EVENT, indent=1)),
        ("atna", f"<85>1 - {ATNA}"),
    ],
)
async def test_each_format_once(format_: str, text: str, database: Database) -> None:
    ledger = a_ledger(database)
    assert (await take(database, ledger, text, format_, dry_run=True)).taken == 1
    assert not await entries(ledger)
    assert (await take(database, ledger, text, format_)).taken == 1
    again = await take(database, ledger, text, format_)
    assert (again.taken, again.seen) == (0, 1)
    (entry,) = await entries(ledger)
    assert (entry.action, entry.source, entry.agent.account, entry.patients) == (
        "foreign:read",
        "old-ehr",
        "",
        ("p-m1",),
    )
    assert entry.agent.who in {"Jane", "Practitioner/7 of old-ehr"}


async def test_equal_lines_are_events_of_their_own(sqlite: Database) -> None:
    ledger = a_ledger(sqlite)
    assert (await take(sqlite, ledger, HEAD + ROW * 3, "csv")).taken == 3
    assert (await take(sqlite, ledger, HEAD + ROW * 3, "csv")).seen == 3


# A tree of entities that would be ten to the ninth words.
LAUGHS = (
    '<!DOCTYPE AuditMessage [<!ENTITY z0 "lol">'
    + "".join(f'<!ENTITY z{n} "{f"&z{n - 1};" * 10}">' for n in range(1, 10))
    + "]>"
).encode()
HOSTILE = [
    ("csv", HEAD.encode() + b"2026-01-02 03:04:05,\xff,m1,VIEW\n", "it is no UTF-8"),
    ("csv", HEAD.encode() + b"x" * 70_000 + b"\n", "it is too long"),
    ("csv", HEAD.encode() + b"never,Jane,m1,VIEW\n", "its time cannot be read"),
    ("csv", HEAD.encode() + b"a,b\n", "it has 2 columns, not 4"),
    ("fhir", b'{"resourceType":"Patient"}\n{}', "it is no AuditEvent"),
    ("fhir", b"[" * 50_000, "it is no JSON object that FHIR allows"),
    (
        "atna",
        ATNA.replace("<EventID ", '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><EventID ', 1).encode(),
        "it is no well-formed XML",
    ),
    ("atna", LAUGHS, "it has a document type, an entity or an instruction"),
    ("atna", b"<AuditMessage>" + LAUGHS + b"&z9;</AuditMessage>", "it is no well-formed XML"),
    ("csv", HEAD.encode() + b"\n" + ROW.encode() + b"\xff" * 70_000, "it is too long"),
    ("fhir", json.dumps({**EVENT, "outcomeDesc": "x" * 70_000}).encode() + b"\n{}", "it is too long"),
    ("atna", ATNA.encode() + b" " * 70_000, "it is too long"),
    ("atna", b'<!DOCTYPE AuditMessage [<!ENTITY a "aaaa">]>', "it has a document type, an entity or an instruction"),
    ("atna", ATNA.replace("m1^^^x", "&lol;").encode(), "it is no well-formed XML"),
    ("atna", ATNA[:200].encode(), "it has no end"),
    ("atna", b"<AuditMessage>" + b"<a>" * 100 + b"</AuditMessage>", "it has too many elements"),
]


@pytest.mark.parametrize(("format_", "text", "reason"), HOSTILE)
def test_hostile_lines_are_refused_by_their_number(format_: str, text: bytes, reason: str) -> None:
    found = read(text, format_)
    assert reason in [each.reason for each in found if isinstance(each, Refusal)]


def test_no_entity_is_read_at_all() -> None:
    with pytest.raises(LineRefused, match="it has a document type"):
        atna_log.foreign_of(LAUGHS + ATNA.replace("m1^^^x", "&z9;").encode(), 1)


async def test_a_first_line_that_is_too_long_is_refused_and_what_follows_is_read(sqlite: Database) -> None:
    ledger = a_ledger(sqlite)
    log = f"{json.dumps({**EVENT, 'outcomeDesc': 'x' * 70_000})}\n{json.dumps(EVENT)}\n"
    report = await take(sqlite, ledger, log, "fhir")
    assert (report.taken, [each.line for each in report.refusals]) == (1, [1])
    with pytest.raises(LogRefused, match="no first line"):
        await take(sqlite, ledger, "x" * 70_000 + "\n" + ROW, "csv")


async def test_the_future_is_refused_and_controls_and_formulas_do_nothing(sqlite: Database) -> None:
    ledger = a_ledger(sqlite)
    rows = "2099-01-01 00:00:00,Jane,m1,VIEW\n2026-01-02 03:04:05,=cmd\x1b[2J\u202eJane,m1,<b>\n"
    report = await take(sqlite, ledger, HEAD + rows, "csv")
    assert [each.line for each in report.refusals] == [2]
    (entry,) = await entries(ledger)
    assert (entry.agent.who, entry.action) == ("=cmd [2J Jane", "foreign:other")
