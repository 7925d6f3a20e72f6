"""Asking a node of a chain: JSON-RPC 2.0 over HTTP, to the one URL that the settings name."""

import asyncio
import http.client
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from carekeep.audit.anchors import AnchoredCheckpoints, Anchoring, AnchorSettings, AnchorUnreachable, Ask, EvmAnchor
from carekeep.web.services import Services

HOUR_MS = 3_600_000
_LARGEST = 256 * 1024
_TIMEOUT_S = 20.0
_OK = 200


def node_at(url: str, trust: ssl.SSLContext | None = None) -> Ask:
    """A node's calls; over https by the system's certificate authorities or those of ``trust``. Follows nothing."""
    context = trust or ssl.create_default_context()

    async def ask(method: str, params: list[Any]) -> Any:
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return _result(method, await asyncio.to_thread(_post, url, body, context))

    return ask


def _result(method: str, answer: bytes) -> Any:
    """The result in an answer. What the node says of an error is not repeated: it may hold anything."""
    try:
        found = orjson.loads(answer)
    except orjson.JSONDecodeError:
        raise AnchorUnreachable("the node's answer is no JSON") from None
    if not isinstance(found, Mapping) or "result" not in found:
        code = found.get("error", {}).get("code") if isinstance(found, Mapping) else None
        raise AnchorUnreachable(f"the node refuses {method}" + (f" (code {code})" if isinstance(code, int) else ""))
    return found["result"]


def _post(url: str, body: bytes, context: ssl.SSLContext) -> bytes:
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=_TIMEOUT_S, context=context)
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=_TIMEOUT_S)
    )
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    try:
        connection.request("POST", target, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read(_LARGEST + 1)
    except (OSError, http.client.HTTPException) as error:
        raise AnchorUnreachable(f"the node does not answer ({type(error).__name__})") from None
    finally:
        connection.close()
    if answer.status != _OK or len(content) > _LARGEST:
        raise AnchorUnreachable(f"the node answers {answer.status}, or too much")
    return content


def evm_anchor(settings: AnchorSettings) -> EvmAnchor | None:
    """The anchor that the settings name; None where they name none. Raises AnchoringMissing."""
    if not settings.url or settings.key is None:
        return None
    return EvmAnchor(node_at(settings.url), settings.facts, settings.key)


def anchored_checkpoints(services: Services) -> AnchoredCheckpoints:
    """What was anchored of this installation's log."""
    return AnchoredCheckpoints(services.database, services.keyring.rows, services.ledger_key)


def anchoring(settings: AnchorSettings, services: Services, *, now: bool = False) -> Anchoring | None:
    """The task that anchors; ``now``: whenever it is asked. None where the settings name no contract."""
    anchor = evm_anchor(settings)
    if anchor is None or not settings.facts.contract:
        return None
    every_ms = 0 if now else settings.every * HOUR_MS
    kept = anchored_checkpoints(services)
    return Anchoring(services.database, services.ledger, kept, anchor, every_ms, services.clock)
