"""The device's side: its key, and what it sends with it."""

import base64
import http.client
import os
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey

from carekeep.cli.console import fail
from carekeep.storage import Clock, system_clock

_ALGORITHM = "ES256"
_PATIENCE_S = 20
_LARGEST_ANSWER = 64 * 1024
_HTTPS = 443
_UNAUTHORIZED = 401
_DONE = frozenset({200, 201})


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a device keeps: the server, its own id there, and its private key. ``ca``: the file of an own authority."""

    server: str
    key: ECKey = field(repr=False)
    id: str = ""
    ca: str | None = None

    def write(self, path: Path) -> None:
        """Into a file that only its owner may read. Raises OSError; a file that is there stays."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        facts = {"server": self.server, "id": self.id, "ca": self.ca, "key": self.key.as_dict(private=True)}
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(orjson.dumps(facts, option=orjson.OPT_INDENT_2))

    @classmethod
    def read(cls, path: Path) -> "Enrolment":
        """Ends the command when the file is not there, is not one, or can be read by others."""
        try:
            if path.stat().st_mode & 0o077:
                fail(f"{path} holds this device's key and can be read by others. Run: chmod 600 {path}")
            facts = orjson.loads(path.read_bytes())
            return cls(facts["server"], ECKey.import_key(facts["key"]), facts["id"], facts["ca"])
        except FileNotFoundError:
            fail(f"{path} does not exist. Run `carekeep device enrol` first.")
        except (ValueError, KeyError, TypeError):
            fail(f"{path} is not the file that `carekeep device enrol` wrote.")


def new_enrolment(server: str, ca: str | None) -> Enrolment:
    """With a new key, which never leaves this machine."""
    url = urlsplit(server)
    if url.scheme != "https" or not url.hostname or url.path not in {"", "/"}:
        fail("The server must be like https://records.example.org.")
    return Enrolment(server.rstrip("/"), ECKey.generate_key("P-256"), ca=ca)


def send(enrolment: Enrolment, path: str, facts: Mapping[str, Any], clock: Clock = system_clock) -> dict[str, Any]:
    """Post JSON with a proof of the key, and give the answer. Ends the command when the server says no.

    The server names the nonce that it wants in its first refusal (RFC 9449 §8); so there are at most two requests.
    """
    url = urlsplit(enrolment.server)
    context = ssl.create_default_context(cafile=enrolment.ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    connection = http.client.HTTPSConnection(
        url.hostname or "", url.port or _HTTPS, timeout=_PATIENCE_S, context=context
    )
    try:
        status, nonce, body = _post(connection, enrolment, path, facts, None, clock)
        if status == _UNAUTHORIZED and nonce:
            status, _, body = _post(connection, enrolment, path, facts, nonce, clock)
    except (OSError, http.client.HTTPException) as error:
        fail(f"{enrolment.server} could not be asked: {type(error).__name__}: {error}")
    finally:
        connection.close()
    return _told(status, body)


def with_id(enrolment: Enrolment, answer: Mapping[str, Any]) -> Enrolment:
    """The enrolment, once the server has given the device its id."""
    return replace(enrolment, id=str(answer.get("id", "")))


def _post(
    connection: http.client.HTTPSConnection,
    enrolment: Enrolment,
    path: str,
    facts: Mapping[str, Any],
    nonce: str | None,
    clock: Clock,
) -> tuple[int, str | None, bytes]:
    headers = {"content-type": "application/json", "dpop": _proof(enrolment, path, nonce, clock)}
    connection.request("POST", path, orjson.dumps(facts), headers)
    response = connection.getresponse()
    return response.status, response.getheader("dpop-nonce"), response.read(_LARGEST_ANSWER)


def _proof(enrolment: Enrolment, path: str, nonce: str | None, clock: Clock) -> str:
    """A proof of possession for one request (RFC 9449 §4.2)."""
    header = {"typ": "dpop+jwt", "alg": _ALGORITHM, "jwk": enrolment.key.as_dict(private=False)}
    claims: dict[str, Any] = {
        "jti": base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("="),
        "htm": "POST",
        "htu": enrolment.server + path,
        "iat": clock() // 1000,
    }
    if nonce is not None:
        claims["nonce"] = nonce
    return jwt.encode(header, claims, enrolment.key, algorithms=[_ALGORITHM])


def _told(status: int, body: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = orjson.loads(body)
        refused = "" if status in _DONE else " ".join(issue["diagnostics"] for issue in answer["issue"])
    except (ValueError, KeyError, TypeError):
        refused = "what it says cannot be understood."
        answer = {}
    if refused:
        fail(f"The server answered {status}: {refused}")
    return answer
