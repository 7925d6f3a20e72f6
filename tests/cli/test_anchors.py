"""``carekeep ledger anchor…`` from an empty chain to a checkpoint that is checked; and ``ledger consistency``."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audit.anchors.chain import KEY, Chain, running_chain
from tests.cli.conftest import Run


@pytest.fixture
def chain() -> Iterator[Chain]:
    with running_chain() as chain:
        yield chain


def name_chain(home: Path, chain: Chain, more: str = "") -> None:
    (home / "anchor.key").write_text(KEY.reveal().hex())
    (home / "anchor.key").chmod(0o600)
    settings = home / "carekeep.toml"
    rest = settings.read_text().partition("[anchor]")[0]
    table = f'[anchor]\nurl = "{chain.url}"\nchain = {chain.chain_id}\nkey_file = "anchor.key"\nconfirmations = 0\n'
    settings.write_text(rest + table + more)


def test_from_an_empty_chain_to_a_checkpoint_that_is_checked(run: Run, home: Path, chain: Chain) -> None:
    name_chain(home, chain)
    made = run("ledger", "anchor-contract")
    assert made.code == 0, made.err
    name_chain(home, chain, made.out)
    assert run("ledger", "anchor").out == "Anchored.\n"
    listed = json.loads(run("ledger", "anchors", "--json").out)
    assert [(line["number"], line["asked"], line["fault"]) for line in listed] == [(0, True, "")]
    chain.lies["eth_call"] = lambda _: "0x" + "00" * 64
    ran = run("ledger", "anchors")
    assert (ran.code, "head 0 on the chain has 0 entries" in ran.out) == (1, True)
    size = int((home / "checkpoint").read_text().split("\n")[1])
    proof = json.loads(run("ledger", "consistency", str(size), str(size)).out)
    assert proof == {"from": size, "to": size, "consistency": []}
