"""``carekeep link create`` against the application: the summary leaves encrypted, and only the link opens it."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from carekeep.access.sharing import GuestOrder
from carekeep.cli.guests import take_up
from carekeep.cli.links import Server, Wish, payload, share
from tests.web.clinic import Clinic, on_sqlite
from tests.web.sharing.viewer import Viewer, from_text

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Bridge(Server):
    """The server in this process, asked from the command's thread. ``sent``: every request's body."""

    clinic: Clinic | None = None
    loop: asyncio.AbstractEventLoop | None = None
    sent: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, facts: Mapping[str, Any] | None = None) -> tuple[int, dict[str, Any], str]:
        assert self.clinic is not None
        assert self.loop is not None
        body = None if facts is None else dict(facts)
        self.sent.append(json.dumps(body))
        asked = asyncio.run_coroutine_threadsafe(self.clinic.ask(method, path, body, who="ada"), self.loop)
        answer = asked.result(10)
        return answer.status, answer.json, answer.headers.get("x-ledger-entry", "")


async def shared(clinic: Clinic, wish: Wish, answers: list[bool] | None = None) -> tuple[str, Bridge]:
    bridge = Bridge("https://records.example.org", "", None, clinic, asyncio.get_running_loop())

    def confirm(texts: list[str]) -> bool:
        assert texts
        return (answers or []).pop()

    return await asyncio.to_thread(share, bridge, wish, confirm, clinic.time), bridge


@on_sqlite
async def test_a_summary_is_shared_and_read_by_somebody_elses_viewer(clinic: Clinic) -> None:
    shlink, bridge = await shared(clinic, Wish("ada", "My summary", 7, passcode="a long walk", uses=1))
    key = json.loads(from_text(shlink.removeprefix("shlink:/")))["key"]
    assert len(from_text(key)) == 32
    assert not any(key in sent or "Moreau" in sent for sent in bridge.sent)
    (content,) = await Viewer(clinic.client).read(shlink, passcode="a long walk")
    bundle = json.loads(content)
    assert (bundle["type"], bundle["entry"][0]["resource"]["resourceType"]) == ("document", "Composition")
    assert any(entry["resource"].get("id") == "ada" for entry in bundle["entry"])


@on_sqlite
async def test_specially_protected_records_stay_behind_unless_they_are_asked_for(clinic: Clinic) -> None:
    coding = {"system": "http://snomed.info/sct", "code": "66590003"}
    condition = {"resourceType": "Condition", "id": "ada-alcohol", "code": {"coding": [coding], "text": "Alcohol"}}
    assert (await clinic.put(condition | {"subject": {"reference": "Patient/ada"}})).status == 201
    shlink, _ = await shared(clinic, Wish("ada", "My summary", 7))
    (without,) = await Viewer(clinic.client).read(shlink)
    assert b"Asthma" in without
    assert b"ada-alcohol" not in without
    assert b"special protection, are left out here" in without
    shlink, _ = await shared(clinic, Wish("ada", "My summary", 7, sensitive=("substance-use",)), [True])
    (whole,) = await Viewer(clinic.client).read(shlink)
    assert b"ada-alcohol" in whole
    assert b"42 CFR part 2" in whole


@on_sqlite
async def test_what_the_server_asks_is_asked_of_the_person(clinic: Clinic) -> None:
    long = Wish("ada", "My summary", 200)
    shlink, bridge = await shared(clinic, long, [True])
    assert shlink.startswith("shlink:/")
    assert "confirmation" in bridge.sent[-1]
    with pytest.raises(SystemExit):
        await shared(clinic, long, [False])
    with pytest.raises(SystemExit):
        await shared(clinic, Wish("bob", "Not mine", 7))


@on_sqlite
async def test_an_invitation_is_taken_up_by_the_command(clinic: Clinic) -> None:
    order = GuestOrder(
        "ada", "L. Wang", "w@example.org", "Riverside", frozenset(), sensitive=False, expires_ms=clinic.time() + DAY_MS
    )
    invited = await clinic.system.services.sharing.guests.prepare_invite(order, "00" * 16, mailed=True)
    await clinic.record("a guest", invited)
    bridge = Bridge("https://records.example.org", "", None, clinic, asyncio.get_running_loop())
    secret, code = invited.value.invitation.reveal_text(), invited.value.code.reveal_text()
    facts = await asyncio.to_thread(take_up, bridge, f" {secret}", code)
    clinic.tokens["guest"] = str(facts["access_token"])
    assert (await clinic.ask("GET", "Patient/ada", who="guest")).status == 200
    with pytest.raises(SystemExit):
        await asyncio.to_thread(take_up, bridge, secret, code)


def test_a_link_is_what_the_standard_says() -> None:
    facts = {"url": "https://records.example.org/shl/x", "exp": 1_800_000_000, "label": "Ä", "flag": "LP"}
    told = json.loads(from_text(payload(facts, bytes(32)).removeprefix("shlink:/")))
    assert told == facts | {"key": "A" * 43}
    assert "flag" not in json.loads(from_text(payload(facts | {"flag": ""}, bytes(32)).removeprefix("shlink:/")))
