"""Who may do what to a record, and why: every account asks the guard as in a request of its own."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from carekeep.access.decision import Target
from carekeep.access.guard import Guard
from carekeep.access.vocabulary import Action, Purpose, default_purpose
from carekeep.identity import Account, Accounts, Principal

_ACTIONS = (Action.READ, Action.HISTORY, Action.CREATE, Action.UPDATE, Action.DELETE, Action.BREAK_GLASS)
_ASSURANCE = 2
_HERE = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What one account would be answered."""

    login: str
    kind: str
    action: str
    purpose: str
    answer: str
    policies: tuple[str, ...]
    reason: str


async def answers_for(
    guard: Guard, accounts: Accounts, target: Target, purpose: Purpose | None, login: str | None, now_ms: int
) -> AsyncIterator[Answer]:
    """For one account all answers; without ``login`` for every account that has any right to the record.

    Taken is a sign-in of this moment (``now_ms``) with a second factor, from this machine, on a device that is not
    known. Raises Tampered.
    """
    if login is not None:
        account = await accounts.find(login)
        for answer in () if account is None else await _of(guard, account, target, purpose, now_ms):
            yield answer
        return
    async for account in accounts.all():
        if account.disabled:
            continue
        found = await _of(guard, account, target, purpose, now_ms)
        if any(each.answer == "permitted" for each in found if each.action != Action.BREAK_GLASS):
            for answer in found:
                yield answer


async def _of(guard: Guard, account: Account, target: Target, purpose: Purpose | None, now_ms: int) -> list[Answer]:
    principal = Principal(
        account_id=account.id.hex(),
        kind=account.kind,
        name=account.name,
        fhir_user=account.fhir_user,
        session="",
        assurance=_ASSURANCE,
        authenticated_ms=now_ms,
        app=None,
        grants=account.grants,
    )
    usual = purpose or default_purpose(account.kind)
    answers = []
    for action in _ACTIONS:
        stated = Purpose.ETREAT if action is Action.BREAK_GLASS and purpose is None else usual
        decision = await guard.decide(principal, action, target, stated, _HERE)
        answer = "permitted" if decision.permitted else "denied"
        answers.append(Answer(account.login, account.kind, action, stated, answer, decision.policies, decision.reason))
    return answers
