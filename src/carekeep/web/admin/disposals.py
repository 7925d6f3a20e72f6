"""``/admin/holds`` and ``/admin/disposals``: what keeps records, and how they go, by two administrators."""

from collections.abc import Mapping
from typing import Any

from carekeep.access import Action, Target
from carekeep.identity import Account
from carekeep.records.disposal import Disposal, Ground, Hold, Signatory
from carekeep.web.admin.asking import Asked, Done
from carekeep.web.http import Response
from carekeep.web.problems import problem

_LONGEST_ID = 64
_LONGEST_REASON = 1_000


async def list_holds(asked: Asked) -> Response:
    """Those in force."""
    found = await asked.services.holds.in_force()
    return await asked.show({"holds": [hold_facts(each) for each in found]}, f"{len(found)} holds were listed")


async def place_hold(asked: Asked) -> Response:
    """A hold on a patient's records, with a reason."""

    async def work() -> Done:
        patient, reason = asked.given.text("patient", _LONGEST_ID), asked.given.text("reason", _LONGEST_REASON)
        placed = await asked.services.holds.prepare_place(patient, asked.by, reason)
        return Done(placed, hold_facts(placed.value), f"hold {placed.value.id.hex()} was placed", 201, (patient,))

    return await asked.change(work)


async def lift_hold(asked: Asked, id_: bytes) -> Response:
    """The end of a hold, with a reason."""

    async def work() -> Done:
        hold = await asked.services.holds.get(id_)
        if hold is None:
            raise problem(404, "not-found", "There is no hold with this id.")
        lifted = await asked.services.holds.prepare_lift(hold, asked.by, asked.given.text("reason", _LONGEST_REASON))
        return Done(lifted, hold_facts(lifted.value), f"hold {id_.hex()} was lifted", patients=(hold.patient,))

    return await asked.change(work)


async def list_disposals(asked: Asked) -> Response:
    """The newest 200."""
    found = await asked.services.disposals.newest()
    return await asked.show({"disposals": [facts(each) for each in found]}, f"{len(found)} disposals were listed")


async def show(asked: Asked, id_: bytes) -> Response:
    """One, with its certificate."""
    disposal = await _disposal(asked, id_)
    shown = {**facts(disposal), "certificate": disposal.certificate or None}
    return await asked.show(shown, f"disposal {id_.hex()} was shown")


async def propose(asked: Asked) -> Response:
    """The first of two administrators. ``ground``: schedule (the records are due), or erasure (the patient may ask)."""

    async def work() -> Done:
        given = asked.given
        try:
            ground = Ground(given.text("ground", 20, Ground.SCHEDULE))
        except ValueError:
            raise problem(400, "value", f"ground must be one of {', '.join(Ground)}.") from None
        patient, by = given.text("patient", _LONGEST_ID), await asked.asker()
        reason = given.text("reason", _LONGEST_REASON)
        proposed = await asked.services.disposals.prepare_propose(patient, by.id, ground, reason)
        told = f"disposal {proposed.value.id.hex()} ({ground}) was proposed"
        return Done(proposed, facts(proposed.value), told, 201, (patient,))

    return await asked.change(work)


async def approve(asked: Asked, id_: bytes) -> Response:
    """The second one. Destroys the key in the same unit, so it takes what destroying a key takes."""
    await asked.passage.demand(Action.KEY_DESTROY, Target())

    async def work() -> Done:
        disposal, by = await _disposal(asked, id_), await asked.asker()
        proposer = await asked.services.accounts.get(disposal.proposed_by)
        if proposer is None or proposer.disabled or proposer.kind is not by.kind:
            raise problem(422, "business-rule", "Who proposed it is no administrator any more. Propose it anew.")
        if _same_person(proposer, by):
            raise problem(422, "business-rule", "Who proposed it cannot approve it: another administrator must.")
        patients = () if disposal.about is None else (disposal.about.patient,)
        done = await asked.services.disposals.prepare_approve(disposal, _signatory(proposer), _signatory(by))
        answer = {**facts(done.value), "certificate": done.value.certificate}
        told = f"disposal {id_.hex()} was approved; certificate sha256:{done.value.certificate_digest}"
        return Done(done, answer, told, patients=patients)

    response = await asked.change(work)
    asked.services.generations.changed("keys")
    return response


async def reject(asked: Asked, id_: bytes) -> Response:
    """The end of a proposal."""

    async def work() -> Done:
        disposal, by = await _disposal(asked, id_), await asked.asker()
        rejected = await asked.services.disposals.prepare_reject(disposal, by.id)
        return Done(rejected, facts(rejected.value), f"disposal {id_.hex()} was rejected")

    return await asked.change(work)


def hold_facts(hold: Hold) -> Mapping[str, Any]:
    """What administrators are told of a hold."""
    return {
        "id": hold.id.hex(),
        "patient": hold.patient,
        "reason": hold.reason,
        "placed_by": hold.placed_by,
        "placed_ms": hold.placed_ms,
        "lifted_ms": hold.lifted_ms or None,
        "lifted_by": hold.lifted_by or None,
    }


def facts(disposal: Disposal) -> Mapping[str, Any]:
    """What administrators are told of a disposal. Of one that was done, nothing names the patient."""
    return {
        "id": disposal.id.hex(),
        "ground": disposal.ground,
        "state": disposal.state,
        "patient": disposal.about.patient if disposal.about else None,
        "reason": disposal.about.reason if disposal.about else None,
        "proposed_by": disposal.proposed_by.hex(),
        "proposed_ms": disposal.proposed_ms,
        "expires_ms": disposal.expires_ms,
        "decided_by": disposal.decided_by.hex() or None,
        "decided_ms": disposal.decided_ms or None,
    }


def _same_person(one: Account, other: Account) -> bool:
    """One person with two accounts is one person, where the records say so."""
    return one.id == other.id or (one.fhir_user is not None and one.fhir_user == other.fhir_user)


def _signatory(account: Account) -> Signatory:
    return Signatory(account.id.hex(), account.name)


async def _disposal(asked: Asked, id_: bytes) -> Disposal:
    disposal = await asked.services.disposals.get(id_)
    if disposal is None:
        raise problem(404, "not-found", "There is no disposal with this id.")
    return disposal
