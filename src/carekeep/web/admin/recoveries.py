"""``/admin/recoveries``: one administrator opens one, another one approves it, and the person is told of both."""

from collections.abc import Mapping
from typing import Any

from carekeep.identity.invitations import invitation_link
from carekeep.identity.leaving import joined
from carekeep.identity.recoveries import Recovery
from carekeep.web.admin.asking import Asked, Done
from carekeep.web.http import Response
from carekeep.web.problems import problem


async def list_recoveries(asked: Asked) -> Response:
    """The newest 200, with their reasons."""
    found = await asked.services.recoveries.newest()
    shown = {"recoveries": [facts(each) for each in found]}
    return await asked.show(shown, f"{len(found)} recoveries were listed")


async def open_recovery(asked: Asked) -> Response:
    """The first of two administrators, with a reason."""

    async def work() -> Done:
        account, by = await asked.account(asked.given.id("account")), await asked.asker()
        opened = await asked.services.recoveries.prepare_open(account, by, asked.given.text("reason"))
        notice = await asked.services.notices.prepare_add(account.id, "recovery.opened", {"by": by.name})
        reason = f"recovery {opened.value.id.hex()} of account {account.id.hex()} was opened: {opened.value.reason}"
        return Done(joined(None, opened, notice), facts(opened.value), reason, 201)

    return await asked.change(work)


async def approve(asked: Asked, id_: bytes) -> Response:
    """The second one. The link is in this answer and nowhere else: hand it to the person whom you have recognized."""

    async def work() -> Done:
        recovery, by = await _recovery(asked, id_), await asked.asker()
        issued = await asked.services.recoveries.prepare_approve(recovery, by)
        notice = await asked.services.notices.prepare_add(recovery.account, "recovery.approved", {"by": by.name})
        link = invitation_link(asked.services.auth_url, issued.value).reveal_text()
        answer = {"invitation": link, "expires_ms": issued.value.invitation.expires_ms}
        reason = f"recovery {id_.hex()} of account {recovery.account.hex()} was approved"
        return Done(joined(None, issued, notice), answer, reason)

    return await asked.change(work)


async def reject(asked: Asked, id_: bytes) -> Response:
    """The end of one that is open."""

    async def work() -> Done:
        recovery, by = await _recovery(asked, id_), await asked.asker()
        rejected = asked.services.recoveries.prepare_reject(recovery, by)
        notice = await asked.services.notices.prepare_add(recovery.account, "recovery.rejected", {"by": by.name})
        reason = f"recovery {id_.hex()} of account {recovery.account.hex()} was rejected"
        return Done(joined(None, rejected, notice), facts(rejected.value), reason)

    return await asked.change(work)


def facts(recovery: Recovery) -> Mapping[str, Any]:
    """What administrators are told of a recovery."""
    return {
        "id": recovery.id.hex(),
        "account": recovery.account.hex(),
        "opened_by": recovery.opened_by.hex(),
        "opened_ms": recovery.opened_ms,
        "expires_ms": recovery.expires_ms,
        "reason": recovery.reason,
        "state": recovery.state,
        "decided_by": recovery.decided_by.hex() if recovery.decided_by else None,
    }


async def _recovery(asked: Asked, id_: bytes) -> Recovery:
    recovery = await asked.services.recoveries.get(id_)
    if recovery is None:
        raise problem(404, "not-found", "There is no recovery with this id.")
    return recovery
