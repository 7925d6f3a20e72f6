"""HTTP/1.1 as bytes: requests built before the clock starts, and as little reading of responses as there can be."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_STATUS_AT = slice(9, 12)  # "HTTP/1.1 200 OK"
_WITHOUT_BODY = frozenset({204, 304})


class BadResponse(Exception):
    """Bytes came that are no response this reader understands. The text repeats none of them."""


@dataclass(frozen=True, slots=True)
class Head:
    """What must be known of a response: its status, and how many bytes it has altogether."""

    status: int
    size: int


def read_head(received: bytes | bytearray) -> Head | None:
    """The head of the response that ``received`` begins with; None while it is not whole. Raises BadResponse."""
    end = received.find(_HEAD_END)
    if end < 0:
        return None
    # The blank line's first CRLF ends the last field, so that every field is followed by one.
    head = bytes(received[: end + 2]).lower()
    try:
        status = int(head[_STATUS_AT])
        at = head.find(_LENGTH)
        if at < 0:
            if status not in _WITHOUT_BODY:
                raise BadResponse("A response has no content-length.")
            return Head(status, end + len(_HEAD_END))
        at += len(_LENGTH)
        return Head(status, end + len(_HEAD_END) + int(head[at : head.index(b"\r\n", at)]))
    except ValueError:
        raise BadResponse("The status or content-length of a response is not a number.") from None


def request(method: str, path: str, token: str, resource: Mapping[str, Any] | None = None) -> bytes:
    """A whole request for ``/fhir/{path}`` with a bearer token, and with a FHIR resource as its body."""
    body = b"" if resource is None else json.dumps(resource, separators=(",", ":"), ensure_ascii=False).encode()
    lines = [
        f"{method} /fhir/{path} HTTP/1.1",
        "host: localhost",
        f"authorization: Bearer {token}",
        "accept: application/fhir+json",
    ]
    if resource is not None:
        lines += ["content-type: application/fhir+json", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
