"""A clinic in which a label hides records, as label policies will: the guard denies what carries it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from carekeep.access import Decision, Guard, Target

HIDDEN = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality|V"
Json = dict[str, Any]


@contextmanager
def labels_count() -> Iterator[None]:
    """Nobody reads what is labelled as very restricted."""
    plain = Guard.decide

    async def decide(self: Guard, principal: Any, action: Any, target: Target, *rest: Any, **more: Any) -> Decision:
        if HIDDEN in target.labels:
            return Decision(permitted=False, policies=("labels.test",), reason="Denied: the record is very restricted.")
        return await plain(self, principal, action, target, *rest, **more)

    with patch.object(Guard, "decide", decide):
        yield


def secret(resource: Json) -> Json:
    """The resource with the label that hides it."""
    system, _, code = HIDDEN.partition("|")
    return {**resource, "meta": {"security": [{"system": system, "code": code}]}}
