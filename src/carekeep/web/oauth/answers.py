"""How the endpoints of OAuth answer: JSON that nobody keeps."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import orjson

from carekeep.web.http import Response
from carekeep.web.oauth.protocol import Refused

JSON = b"application/json"
# RFC 6749 §5.2 and RFC 6750 §3.1; everything else is 400.
_STATUS: Mapping[str, int] = MappingProxyType({"temporarily_unavailable": 503, "server_error": 500})


def json_answer(body: Mapping[str, Any] | list[Any], status: int = 200, *headers: tuple[bytes, bytes]) -> Response:
    """A JSON answer. ``Cache-Control: no-store`` is on every answer of the server."""
    return Response(status, orjson.dumps(body), JSON, (*headers, (b"pragma", b"no-cache")))


def refusal(refused: Refused, nonce: str) -> Response:
    """The JSON of an error. ``nonce`` is told where a DPoP proof needs one (RFC 9449 §8)."""
    headers = ((b"dpop-nonce", nonce.encode()),) if refused.error in {"use_dpop_nonce", "invalid_dpop_proof"} else ()
    return json_answer(dict(refused.parameters()), _STATUS.get(refused.error, 400), *headers)
