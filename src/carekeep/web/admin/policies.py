"""``/admin/policies``: what is in force and was; a signed bundle is put in force, or on trial."""

import asyncio
from typing import Any

import orjson

from carekeep.access import Action, PolicyRefused
from carekeep.access.bundles import POLICIES_TOPIC, BundleRefused, PolicyKeeper, PolicyRow, Role, open_signed
from carekeep.access.bundles.bundle import LARGEST
from carekeep.web.admin.asking import Asked, Done, ask
from carekeep.web.http import Response
from carekeep.web.passage import Passage
from carekeep.web.problems import problem


async def list_policies(asked: Asked) -> Response:
    """The policies in force, and the bundles that were in force or on trial, newest first."""
    keeper = asked.services.policies
    rows = await keeper.bundles.all()
    policies = [
        {"id": each.id, "title": each.title, "reason": each.reason, "law": each.law, "permits": each.permits}
        for each in keeper.decider.policies
    ]
    facts = {"problem": keeper.problem, "policies": policies, "bundles": [_facts(row) for row in rows]}
    return await asked.show(facts, f"{len(policies)} policies and {len(rows)} bundles were listed")


async def load(passage: Passage, role: Role) -> Response:
    """Check the signed bundle in the body and give it its role. A refusal is recorded, and answered with 422."""
    asked = await ask(passage, Action.POLICY_MANAGE, LARGEST)
    services = asked.services
    try:
        content = orjson.dumps(dict(asked.given.members))
        bundle, signers = open_signed(content, services.policy_signers)
        # In a thread: the canaries take a good part of a second, and others wait.
        await asyncio.to_thread(PolicyKeeper.check, services.policies.decider, bundle)
    except (BundleRefused, PolicyRefused) as refused:
        first = str(refused).partition("\n")[0]
        await passage.record(
            Action.POLICY_MANAGE, "failed", decision=asked.decision, query=f"a policy bundle was refused: {first}"
        )
        raise problem(422, "business-rule", str(refused)) from None

    async def work() -> Done:
        how = "loaded" if role is Role.IN_FORCE else "trial"
        prepared = await services.policies.bundles.prepare_put(role, bundle, asked.by, how, signers)
        return Done(prepared, _facts(prepared.value), prepared.value.sentence, 201)

    response = await asked.change(work)
    services.generations.changed(POLICIES_TOPIC)
    return response


def _facts(row: PolicyRow) -> dict[str, Any]:
    return {
        "number": row.number,
        "role": "in force" if row.role is Role.IN_FORCE else "on trial",
        "bundle": row.title,
        "at_ms": row.at_ms,
        "by": row.by,
        "how": row.how,
        "signers": row.signers,
    }
