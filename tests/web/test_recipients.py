"""To whom outside something leaves: guests, and apps of others; nobody else."""

import pytest

from carekeep.audit import What
from carekeep.identity import Delegation, Kind, Principal
from carekeep.web.recipients import recipient_of
from tests.web.clinic import Clinic, on_sqlite

WHAT = (What("Patient/ada", 1),)


def principal(kind: Kind, delegation: Delegation | None = None) -> Principal:
    name = "L. Wang, Riverside <w@example.org>" if kind is Kind.GUEST else "The physician"
    return Principal("a1" * 16, kind, name, None, "s", 1, 0, None, frozenset(), delegation=delegation)


OUTSIDE = Delegation("c", "Charts", "patient/*.rs", outside=True)
ANSWERED_FOR = Delegation("c", "Charts", "patient/*.rs", via="Riverside", outside=True)
OWN = Delegation("c", "Charts", "patient/*.rs")

CASES = (
    (principal(Kind.GUEST), "L. Wang, Riverside <w@example.org>"),
    (principal(Kind.PRACTITIONER), None),
    (principal(Kind.PATIENT), None),
    (principal(Kind.PATIENT, OUTSIDE), "the app Charts"),
    (principal(Kind.APP, ANSWERED_FOR), "Riverside, by the app Charts"),
    (principal(Kind.PRACTITIONER, OWN), None),
)


@pytest.mark.parametrize(("who", "recipient"), CASES)
def test_who_is_outside(who: Principal, recipient: str | None) -> None:
    assert recipient_of(who, "permitted", WHAT) == recipient
    assert recipient_of(who, "denied", WHAT) is None
    assert recipient_of(who, "permitted", ()) is None


@on_sqlite
async def test_what_an_app_of_others_reads_is_a_disclosure(clinic: Clinic) -> None:
    for given, recipient in ((OUTSIDE, "the app Charts"), (OWN, None)):
        account = clinic.accounts["ada"]
        issued = clinic.system.services.tokens.prepare_issue(account, 1, delegation=given)
        await clinic.record("an app is let in", issued)
        clinic.tokens["charts"] = issued.value.secret.reveal_text()
        read = await clinic.ask("GET", "Patient/ada", who="charts")
        assert read.entry is not None
        assert (read.status, read.entry.recipient) == (200, recipient)
