"""What is notable of the ledger has a list of its own; what is ordinary has none."""

from typing import Any

import pytest

from carekeep.access import Action
from carekeep.audit import Notable, notable
from carekeep.audit.witnessing.submitting import ALARM
from tests.audit.logs import an_entry


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, set()),
        ({"outcome": "failed"}, set()),
        ({"action": Action.READ, "outcome": "denied"}, {Notable.DENIED}),
        ({"action": Action.SIGN_IN, "outcome": "denied"}, {Notable.SIGN_IN_REFUSED}),
        ({"action": Action.SIGN_IN}, set()),
        ({"action": Action.BREAK_GLASS}, {Notable.EMERGENCY_OPENED, Notable.IN_EMERGENCY}),
        ({"action": Action.BREAK_GLASS, "outcome": "denied"}, {Notable.DENIED, Notable.IN_EMERGENCY}),
        ({"action": Action.FIND_IN_EMERGENCY}, {Notable.EMERGENCY_OPENED, Notable.IN_EMERGENCY}),
        ({"policies": ("emergency.read",)}, {Notable.IN_EMERGENCY}),
        ({"recipient": "a guest"}, {Notable.DISCLOSURE}),
        ({"recipient": "a guest", "outcome": "denied"}, {Notable.DENIED}),
        ({"action": Action.POLICY_MANAGE}, {Notable.RULES_CHANGED}),
        ({"action": Action.ACCOUNT_MANAGE}, {Notable.ADMINISTRATION}),
        ({"action": Action.KEY_DESTROY}, {Notable.DESTROYED}),
        ({"action": ALARM}, {Notable.CONTRADICTED}),
    ],
)
def test_why_an_entry_is_notable(changes: dict[str, Any], kinds: set[Notable]) -> None:
    assert notable(an_entry(**changes)) == kinds
