"""An anchor on a chain that runs the Ethereum Virtual Machine: the contract ``tree_heads.vy``, and its client.

The contract keeps what each address wrote under that address, so that nobody else can write for us; and it takes
only sizes that grow, so that not even we can write two pasts into it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from importlib import resources
from typing import Any

from carekeep.audit.anchors.anchor import AnchorContradicts, AnchorUnreachable, Receipt
from carekeep.audit.checkpoint import Checkpoint
from carekeep.encryption import Secret

Ask = Callable[[str, list[Any]], Awaitable[Any]]
"""One JSON-RPC call to a node: method and parameters; the result. Raises AnchorUnreachable."""

GAS = 200_000
GAS_TO_DEPLOY = 1_500_000
MOST_WEI_PER_GAS = 500 * 10**9  # a node that names a price beyond this is not believed
CONFIRMATIONS = 12
_POLL_S = 3.0
_POLLS = 200
_WORD = 32


class AnchoringMissing(Exception):
    """The packages for anchoring are not installed."""


@dataclass(frozen=True, slots=True)
class ChainFacts:
    """Which chain (its id by EIP-155) and which contract on it, "" before it is deployed.

    A transaction counts once ``confirmations`` more blocks are above it.
    """

    chain: int
    contract: str = ""
    confirmations: int = CONFIRMATIONS


class EvmAnchor:
    """Anchors under the address of ``key`` (32 bytes). ``sleep`` (seconds) paces the waiting for blocks."""

    def __init__(
        self, ask: Ask, facts: ChainFacts, key: Secret, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        try:
            from eth_abi import abi  # noqa: PLC0415 - an extra, which most installations do without
            from eth_account import Account  # noqa: PLC0415
            from eth_utils import crypto  # noqa: PLC0415
        except ImportError:
            raise AnchoringMissing("anchoring needs more packages: pip install 'carekeep[anchor]'") from None
        self._abi, self._keccak = abi, crypto.keccak
        self._account = Account.from_key(key.reveal())
        self._ask, self._facts, self._sleep = ask, facts, sleep

    @property
    def address(self) -> str:
        """Under which we publish, and which pays."""
        return str(self._account.address)

    @property
    def place(self) -> str:
        """As receipts name it."""
        return f"eip155:{self._facts.chain}:{self._facts.contract}:{self.address}"

    async def publish(self, checkpoint: Checkpoint) -> Receipt:
        """See ``Anchor``."""
        await self._check_chain()
        log = _log_id(checkpoint)
        count = await self._count(log)
        if count:
            size, root = await self._head(log, count - 1)
            if (size, root) == (checkpoint.size, checkpoint.root):
                return Receipt(self.place, count - 1)
            if size >= checkpoint.size:
                raise AnchorContradicts(f"{size} entries are anchored, and the log has {checkpoint.size}")
        data = self._encode("anchor(bytes32,uint64,bytes32)", log, checkpoint.size, checkpoint.root)
        sent = await self._send({"to": self._facts.contract, "data": data, "gas": GAS})
        receipt = Receipt(self.place, count, sent["transactionHash"])
        await self.check(receipt, checkpoint)
        return receipt

    async def check(self, receipt: Receipt, checkpoint: Checkpoint) -> None:
        """See ``Anchor``."""
        if receipt.place != self.place:
            raise AnchorUnreachable(f"it was anchored at {receipt.place}, and the settings name {self.place}")
        size, root = await self._head(_log_id(checkpoint), receipt.number)
        if (size, root) != (checkpoint.size, checkpoint.root):
            raise AnchorContradicts(f"head {receipt.number} on the chain has {size} entries and another root")

    async def deploy(self) -> str:
        """Put the contract on the chain; its address."""
        await self._check_chain()
        found = await self._send({"data": f"0x{bytecode()}", "gas": GAS_TO_DEPLOY})
        return str(found["contractAddress"])

    async def _check_chain(self) -> None:
        """A signature for one chain is worth nothing on another, and the node must be of ours."""
        chain = int(await self._ask("eth_chainId", []), 16)
        if chain != self._facts.chain:
            raise AnchorUnreachable(f"the node is of chain {chain}, and the settings name {self._facts.chain}")

    async def _count(self, log: bytes) -> int:
        (count,) = await self._call("count(address,bytes32)", ("uint256",), self.address, log)
        return int(count)

    async def _head(self, log: bytes, number: int) -> tuple[int, bytes]:
        size, root = await self._call("head(address,bytes32,uint256)", ("uint64", "bytes32"), self.address, log, number)
        return int(size), bytes(root)

    async def _call(self, signature: str, answers: tuple[str, ...], *values: Any) -> tuple[Any, ...]:
        call = {"to": self._facts.contract, "data": self._encode(signature, *values)}
        result = _bytes(await self._ask("eth_call", [call, "latest"]))
        if len(result) != _WORD * len(answers):
            raise AnchorUnreachable(f"there is no such contract at {self._facts.contract}")
        return tuple(self._abi.decode(answers, result))

    def _encode(self, signature: str, *values: Any) -> str:
        types = signature.partition("(")[2].rstrip(")").split(",")
        selector = self._keccak(text=signature)[:4]
        return "0x" + (selector + self._abi.encode(types, values)).hex()

    async def _send(self, transaction: dict[str, Any]) -> dict[str, Any]:
        """Sign and send; the node's receipt, once enough blocks are above it."""
        price = int(await self._ask("eth_gasPrice", []), 16)
        if price > MOST_WEI_PER_GAS:
            raise AnchorUnreachable(f"the node asks {price} wei for gas, more than {MOST_WEI_PER_GAS}")
        nonce = int(await self._ask("eth_getTransactionCount", [self.address, "pending"]), 16)
        facts = {"nonce": nonce, "gasPrice": price, "value": 0, "chainId": self._facts.chain}
        signed = self._account.sign_transaction(transaction | facts)
        hash_ = await self._ask("eth_sendRawTransaction", ["0x" + bytes(signed.raw_transaction).hex()])
        return await self._settled(hash_)

    async def _settled(self, hash_: Any) -> dict[str, Any]:
        for _ in range(_POLLS):
            found = await self._ask("eth_getTransactionReceipt", [hash_])
            if isinstance(found, dict):
                if int(found["status"], 16) != 1:
                    raise AnchorUnreachable(f"the transaction {hash_} failed: is there enough to pay for its gas?")
                newest = int(await self._ask("eth_blockNumber", []), 16)
                if newest >= int(found["blockNumber"], 16) + self._facts.confirmations:
                    return found
            await self._sleep(_POLL_S)
        raise AnchorUnreachable(f"the transaction {hash_} is not settled yet")


def bytecode() -> str:
    """The contract as it is deployed, hexadecimal; made from ``tree_heads.vy`` by the compiler that is named in it."""
    return resources.files(__package__).joinpath("tree_heads.bin").read_text("ascii").replace("\n", "")


def _log_id(checkpoint: Checkpoint) -> bytes:
    return sha256(checkpoint.origin.encode()).digest()


def _bytes(result: Any) -> bytes:
    try:
        return bytes.fromhex(str(result).removeprefix("0x"))
    except ValueError:
        raise AnchorUnreachable("the node's answer is not hexadecimal") from None
