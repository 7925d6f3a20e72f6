"""``carekeep ledger witnesses``, ``split-views`` and ``doctor``: how the ledger is witnessed, in words."""

import json
from pathlib import Path

import pytest

from carekeep.app import System
from carekeep.audit.witnessing import Policy, find_split
from carekeep.audit.witnessing.policy import TrustedWitness
from carekeep.cli.installation import with_system
from carekeep.cli.operator import record_operation
from carekeep.web.exchange.reaching import hosts_of
from carekeep.web.health.witnesses import diagnose_witnesses
from carekeep.web.outgoing import HostsRefused
from tests.audit.witnessing.parties import Log, cosigners
from tests.cli.conftest import Run

URL = "https://witness.example:9443/w"
KEY = cosigners("witness.example/w1")[0].key


def set_policy(home: Path, text: str) -> None:
    (home / "witnesses.policy").write_text(text, encoding="utf-8")
    settings = home / "carekeep.toml"
    settings.write_text(settings.read_text() + 'witness_policy = "witnesses.policy"\n', encoding="utf-8")


def test_it_is_said_how_the_ledger_is_witnessed(run: Run, home: Path) -> None:
    set_policy(home, f"witness w {KEY} {URL}\nquorum w\n")

    async def befall(system: System) -> list[str]:
        """A witness that is down, and a log that lies; and what the doctor says."""
        standings = system.services.witnesses.standings
        await standings.keep((await standings.of(URL)).ill("it cannot be reached: no answer", 1, alarming=False))
        log, fork = Log(), Log(fork_at=0)
        split = find_split(log.keys, log.note(5), fork.note(5))
        assert split is not None
        kept = await system.services.witnesses.split_views.prepare_keep(split)
        assert kept is not None
        await record_operation(system.services, "test", "a log showed two pasts", kept)
        return [f"{each.state}: {each.what}" for each in await diagnose_witnesses(system.services)]

    said = with_system(home, befall)
    assert f"warning: The witness at {URL}: it cannot be reached: no answer." in said
    assert "problem: 1 proofs of split views are kept." in said
    facts = json.loads(run("ledger", "witnesses", "--json").out)
    assert (facts["quorum"], facts["final"], facts["split_views"]) == ("w", 0, 1)
    assert facts["witnesses"][0]["fault"] == "it cannot be reached: no answer"
    assert Log().origin in run("ledger", "split-views", "--output", str(home / "proofs")).out
    (proof,) = (home / "proofs").iterdir()
    assert run("witness", "check", str(proof), "--key", str(Log().key)).code == 0
    for text in ("quorum w\n", "witness w x y\n"):
        (home / "witnesses.policy").write_text(text, encoding="utf-8")
        refused = run("ledger", "witnesses")
        assert refused.code == 3
        assert "witness_policy: " in refused.err
        assert "line 1" in refused.err


def test_only_hosts_of_the_policy_are_reached() -> None:
    policy = Policy.parse(f"witness w {KEY} {URL}\nlog {Log().key} https://10.1.2.3/log\nquorum w\n".encode())
    allowed = hosts_of(policy, "10.1.2.0/24")
    assert allowed.endpoint("https://10.1.2.3/log/checkpoint").host == "10.1.2.3"
    assert allowed.names == frozenset({("witness.example", 9443)})
    assert len(allowed.networks) == 1
    for url in (
        "http://plain.example",
        "https://a b",
        "https://witness.example:99999",
        "ftp://x",
        "https://u@x.example",
    ):
        bad = Policy(witnesses=(TrustedWitness("w", KEY, url),))
        with pytest.raises(HostsRefused):
            hosts_of(bad, "")
