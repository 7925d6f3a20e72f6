"""A real Ethereum Virtual Machine behind JSON-RPC on this machine: each transaction is a block."""

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from carekeep.encryption import Secret

_LIMIT = sys.getrecursionlimit()
from eth_account import Account  # noqa: E402
from eth_tester import EthereumTester, PyEVMBackend  # type: ignore[import-untyped]  # noqa: E402

# py-evm raises it a hundredfold, and then what is nested too deeply ends the process instead of the call.
sys.setrecursionlimit(_LIMIT)

KEY = Secret(bytes(31) + b"\x07")
OTHER_KEY = Secret(bytes(31) + b"\x08")
RICH = 10**18


@dataclass(slots=True)
class Chain:
    """The chain and the URL of its node. ``lies`` replaces the results of methods."""

    tester: Any
    url: str = ""
    lies: dict[str, Callable[[list[Any]], Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def chain_id(self) -> int:
        return int(self.tester.backend.chain.chain_id)

    def answer(self, method: str, params: list[Any]) -> Any:
        self.asked.append(method)
        if method in self.lies:
            return self.lies[method](params)
        tester = self.tester
        match method:
            case "eth_chainId":
                return hex(self.chain_id)
            case "eth_gasPrice":
                return hex(2 * 10**9)
            case "eth_getTransactionCount":
                return hex(tester.get_nonce(params[0]))
            case "eth_sendRawTransaction":
                return tester.send_raw_transaction(params[0])
            case "eth_blockNumber":
                return hex(tester.get_block_by_number("latest")["number"])
            case "eth_call":
                return tester.call({"from": tester.get_accounts()[0], "gas": 1_000_000, **params[0]})
            case "eth_getTransactionReceipt":
                found = tester.get_transaction_receipt(params[0])
                return {
                    "status": hex(found["status"]),
                    "blockNumber": hex(found["block_number"]),
                    "contractAddress": found["contract_address"],
                    "transactionHash": found["transaction_hash"],
                }
        raise KeyError(method)


class Node(BaseHTTPRequestHandler):
    """JSON-RPC, as far as the client uses it."""

    chain: Chain

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        try:
            answer = {
                "jsonrpc": "2.0",
                "id": asked["id"],
                "result": self.chain.answer(asked["method"], asked["params"]),
            }
        except Exception:  # noqa: BLE001 - as a node says it
            answer = {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32000, "message": "refused"}}
        content = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is http.server's
        del format, args


@contextlib.contextmanager
def running_chain() -> Iterator[Chain]:
    """A new chain, on which the addresses of both keys have money."""
    chain = Chain(EthereumTester(PyEVMBackend()))
    for key in (KEY, OTHER_KEY):
        chain.tester.send_transaction(
            {
                "from": chain.tester.get_accounts()[0],
                "to": Account.from_key(key.reveal()).address,
                "value": RICH,
                "gas": 21_000,
            }
        )
    handler = type("ThisNode", (Node,), {"chain": chain})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    chain.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield chain
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
