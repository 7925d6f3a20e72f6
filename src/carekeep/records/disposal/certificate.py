"""The certificate of a disposal: what is left when nothing of the records is. Pure.

It holds no health data and no name of a patient: types and counts, rule and law, who and when.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from carekeep.records.disposal.due import Verdict

FORMAT = "carekeep-disposal-certificate"
VERSION = 1
_METHOD = "The key under which all of the patient's records were encrypted (AES-256-GCM) was destroyed."
_BACKUPS = (
    "Copies of the key table that were made before can open the key until the epoch that it was wrapped under is "
    "ended by a rotation of keys (carekeep keys rotate)."
)


@dataclass(frozen=True, slots=True)
class Signatory:
    """Who took part: an account's id (hex) and the name that the ledger shows."""

    account: str
    name: str


@dataclass(frozen=True, slots=True)
class Certificate:
    """What is certified. ``patient`` is a keyed digest; ``verdict``: None for an erasure that the patient asked for."""

    id: str
    patient: str
    ground: str
    verdict: Verdict | None
    counts: Mapping[str, int]
    versions: int
    proposed_by: Signatory
    proposed_ms: int
    approved_by: Signatory
    disposed_ms: int
    epoch: int

    def json(self) -> str:
        """The certificate as a JSON text, in one canonical form: keys sorted, two spaces, a newline at its end."""
        return orjson.dumps(self._facts(), option=_OPTIONS).decode()

    def _facts(self) -> dict[str, Any]:
        rule = self.verdict.rule if self.verdict else None
        return {
            "format": FORMAT,
            "version": VERSION,
            "id": self.id,
            "patient_digest": self.patient,
            "ground": self.ground,
            "rule": None if rule is None else {"id": rule.id, "title": rule.title, "law": rule.law},
            "due": str(self.verdict.due) if self.verdict and self.verdict.due else None,
            "why": self.verdict.why if self.verdict else "The patient may ask for erasure (GDPR Art. 17).",
            "records": dict(self.counts),
            "record_versions": self.versions,
            "proposed": {
                "account": self.proposed_by.account,
                "name": self.proposed_by.name,
                "at": _at(self.proposed_ms),
            },
            "approved": {
                "account": self.approved_by.account,
                "name": self.approved_by.name,
                "at": _at(self.disposed_ms),
            },
            "disposed_at": _at(self.disposed_ms),
            "method": _METHOD,
            "epoch": self.epoch,
            "backups": _BACKUPS,
        }


_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE


def in_words(certificate: str, *, epoch_ended: bool) -> str:
    """A certificate's text for people. ``epoch_ended``: whether copies of the keys are worthless by now."""
    facts: dict[str, Any] = orjson.loads(certificate)
    rule = facts["rule"]
    lines = [
        "CERTIFICATE OF DISPOSAL",
        "",
        f"Number:     {facts['id']}",
        f"Patient:    {facts['patient_digest']} (a keyed digest of the id)",
        f"Disposed:   {facts['disposed_at']}",
        f"Because:    {facts['why']}",
        *([f"Rule:       {rule['id']} ({rule['law']}), due {facts['due']}"] if rule else []),
        f"Proposed:   {facts['proposed']['name']} ({facts['proposed']['account']}), {facts['proposed']['at']}",
        f"Approved:   {facts['approved']['name']} ({facts['approved']['account']}), {facts['approved']['at']}",
        f"Records:    {sum(facts['records'].values()):,} in {facts['record_versions']:,} versions",
        *(f"            {count:,} {type_}" for type_, count in facts["records"].items()),
        f"Method:     {facts['method']}",
        f"Backups:    {_backups(facts['epoch'], ended=epoch_ended)}",
    ]
    return "\n".join(lines) + "\n"


def _backups(epoch: int, *, ended: bool) -> str:
    if ended:
        return f"Unreadable there too: epoch {epoch} of the keys has ended."
    return f"Copies of the key table still open the key until epoch {epoch} ends: run `carekeep keys rotate`."


def _at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
