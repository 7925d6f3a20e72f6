"""Minimum necessary in notifications: what a read leaves out is not told either."""

from carekeep.access import PolicyFile
from carekeep.access.policy_text import bundled_policies
from tests.web.clinic import observation, on_sqlite
from tests.web.subscriptions.ward import Ward

OBLIGATION = '@id("care.read")\n@obligation("omit Observation.value, Observation.effective")'
NARROWED = tuple(
    PolicyFile(file.name, file.text.replace('@id("care.read")', OBLIGATION)) for file in bundled_policies()
)


@on_sqlite
async def test_a_notification_leaves_out_what_a_read_leaves_out(ward: Ward) -> None:
    await ward.subscribe(content="full-resource")
    ward.clinic.system.services.policies.decider.reload(NARROWED)
    await ward.clinic.put(observation("new", "ada", 61, "2026-05-01"))
    await ward.settle()
    (told,) = [each.bundle for each in ward.receiver.of("event-notification")]
    resource = told["entry"][1]["resource"]
    assert (resource["id"], "valueQuantity" in resource, "effectiveDateTime" in resource) == ("new", False, False)
    assert resource["meta"]["tag"][0]["code"] == "SUBSETTED"
