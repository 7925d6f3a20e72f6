"""The anchor on an EVM chain: the contract that ships, and the client, on a real machine."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from carekeep.audit.anchors import AnchorContradicts, AnchorUnreachable, ChainFacts, EvmAnchor, Receipt, ReceiptRefused
from carekeep.audit.checkpoint import Checkpoint
from carekeep.encryption import Secret
from carekeep.web.exchange.chain_node import node_at
from scripts.anchor_contract import COMPILED, compiled
from tests.audit.anchors.chain import KEY, OTHER_KEY, Chain, running_chain
from tests.running import free_port

ORIGIN = "ledger.example/clinic"


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    with running_chain() as chain:
        yield chain


@pytest.fixture(scope="module")
def contract(chain: Chain) -> str:
    return asyncio.run(anchor_on(chain, "").deploy())


async def never(seconds: float) -> None:
    raise AssertionError(f"waited {seconds} s for a block that is there")


def anchor_on(chain: Chain, contract: str, key: Secret = KEY, **facts: Any) -> EvmAnchor:
    at = replace(ChainFacts(chain.chain_id, contract, confirmations=0), **facts)
    return EvmAnchor(node_at(chain.url), at, key, never)


def checkpoint(size: int, origin: str = ORIGIN) -> Checkpoint:
    return Checkpoint(origin, size, sha256(b"%d" % size).digest())


def test_the_bytecode_that_ships_is_that_of_the_source() -> None:
    assert COMPILED.read_text("ascii") == compiled()


async def test_checkpoints_are_anchored_and_found_again(chain: Chain, contract: str) -> None:
    anchor = anchor_on(chain, contract)
    receipts = [await anchor.publish(checkpoint(size)) for size in (1, 5, 2**63 - 1)]
    assert [receipt.number for receipt in receipts] == [0, 1, 2]
    assert receipts[0].place == f"eip155:{chain.chain_id}:{contract}:{anchor.address}"
    for receipt, size in zip(receipts, (1, 5, 2**63 - 1), strict=True):
        await anchor.check(Receipt.parse(receipt.to_json()), checkpoint(size))
    again = await anchor.publish(checkpoint(2**63 - 1))
    assert (again.place, again.number, again.transaction) == (receipts[2].place, 2, "")
    assert await anchor.publish(checkpoint(7, "ledger.example/other")) is not None


async def test_the_past_cannot_be_anchored_anew(chain: Chain, contract: str) -> None:
    anchor, log = anchor_on(chain, contract), "ledger.example/past"
    receipt = await anchor.publish(checkpoint(100, log))
    with pytest.raises(AnchorContradicts, match="100 entries are anchored, and the log has 99"):
        await anchor.publish(checkpoint(99, log))
    forked = replace(checkpoint(100, log), root=bytes(32))
    with pytest.raises(AnchorContradicts):
        await anchor.publish(forked)
    with pytest.raises(AnchorContradicts):
        await anchor.check(receipt, forked)
    with pytest.raises(AnchorContradicts):
        await anchor.check(replace(receipt, number=1), checkpoint(100, log))


@pytest.mark.parametrize("size", [0, 99, 100])
async def test_not_even_the_client_that_lies_to_itself_gets_it_past_the_contract(
    chain: Chain, contract: str, size: int
) -> None:
    """The contract refuses a size that does not grow, whatever was asked before."""
    anchor, log = anchor_on(chain, contract), f"ledger.example/blind-{size}"
    await anchor.publish(checkpoint(100, log))
    chain.lies["eth_call"] = lambda _: "0x" + "00" * 32
    try:
        with pytest.raises(AnchorUnreachable):
            await anchor.publish(checkpoint(size, log))
    finally:
        chain.lies.clear()
    await anchor.check(Receipt(anchor.place, 0), checkpoint(100, log))
    with pytest.raises(AnchorContradicts):
        await anchor.check(Receipt(anchor.place, 1), checkpoint(size, log))


async def test_nobody_anchors_for_somebody_else(chain: Chain, contract: str) -> None:
    log = "ledger.example/mine"
    mine, other = anchor_on(chain, contract), anchor_on(chain, contract, OTHER_KEY)
    await other.publish(checkpoint(1_000, log))
    receipt = await mine.publish(checkpoint(10, log))
    assert receipt.number == 0
    with pytest.raises(AnchorUnreachable, match="the settings name"):
        await other.check(receipt, checkpoint(10, log))


# What a node answers, and what is said of it.
LIES = [
    ("eth_chainId", "0x1", "the node is of chain 1"),
    ("eth_gasPrice", hex(10**15), "more than"),
    ("eth_call", "0x", "no such contract"),
    ("eth_call", "word", "not hexadecimal"),
    ("eth_getTransactionReceipt", {"status": "0x0", "blockNumber": "0x1"}, "failed"),
]


@pytest.mark.parametrize(("method", "lie", "says"), LIES)
async def test_a_node_that_cannot_be_believed(chain: Chain, contract: str, method: str, lie: Any, says: str) -> None:
    anchor = anchor_on(chain, contract)
    chain.lies[method] = lambda _: lie
    try:
        with pytest.raises(AnchorUnreachable, match=says):
            await anchor.publish(checkpoint(1, f"ledger.example/{method}{len(says)}"))
    finally:
        chain.lies.clear()


async def test_a_transaction_counts_when_enough_blocks_are_above_it(chain: Chain, contract: str) -> None:
    waited: list[float] = []

    async def mine(seconds: float) -> None:
        waited.append(seconds)
        chain.tester.mine_block()

    facts = ChainFacts(chain.chain_id, contract, confirmations=3)
    await EvmAnchor(node_at(chain.url), facts, KEY, mine).publish(checkpoint(1, "ledger.example/patience"))
    assert len(waited) == 3


async def test_a_node_that_is_not_there(chain: Chain, contract: str) -> None:
    facts = ChainFacts(chain.chain_id, contract)
    anchor = EvmAnchor(node_at(f"http://127.0.0.1:{free_port()}"), facts, KEY, never)
    with pytest.raises(AnchorUnreachable, match="does not answer"):
        await anchor.publish(checkpoint(1))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{}",
        b'{"place":"eip155:1:0xa:0xb","number":-1,"transaction":""}',
        b'{"place":"eip155:1:0xa:0xb","number":true,"transaction":""}',
        b'{"place":"","number":1,"transaction":""}',
        b'{"place":"eip155:1:0xa:0xb","number":1,"transaction":5}',
        b'{"place":"eip155:1:0xa:0xb","number":1,"transaction":"","more":1}',
    ],
)
def test_what_is_no_receipt_is_refused(text: bytes) -> None:
    with pytest.raises(ReceiptRefused):
        Receipt.parse(text)
