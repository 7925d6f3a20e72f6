"""Who answers for a clinician: asked when an emergency was opened."""

from dataclasses import replace

from carekeep.identity.account import Account, Kind
from carekeep.identity.accounts import Accounts
from carekeep.identity.errors import AccountInvalid
from carekeep.storage import Prepared

SUPERVISORS = frozenset({Kind.PRACTITIONER, Kind.ADMINISTRATOR, Kind.AUDITOR})
"""Kinds of accounts that can answer for a clinician."""


def prepare_supervisor(accounts: Accounts, account: Account, supervisor: Account | None) -> Prepared[Account]:
    """An account's supervisor from now on; None: all auditors are asked. Raises AccountInvalid."""
    if account.kind is not Kind.PRACTITIONER:
        raise AccountInvalid("Only practitioners have a supervisor.", "supervisor")
    if supervisor is not None:
        if supervisor.kind not in SUPERVISORS or supervisor.disabled:
            raise AccountInvalid(
                "A supervisor is somebody who works here and whose account is not disabled.", "supervisor"
            )
        if supervisor.id == account.id or supervisor.fhir_user == account.fhir_user:
            raise AccountInvalid("Nobody supervises themself.", "supervisor")
    return accounts.prepare_change(replace(account, supervisor=supervisor.id if supervisor else None))
