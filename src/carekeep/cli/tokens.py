"""``carekeep app new-key`` and ``token``: the side of an app that acts for itself (SMART Backend Services)."""

import http.client
import os
import ssl
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import click
import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, RSAKey

from carekeep.cli.console import fail, json_option, put, put_json, talk
from carekeep.storage import system_clock

ASSERTION_LIFETIME_S = 240
"""SMART Backend Services allows five minutes; what is left is for clocks that differ."""

_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ALGORITHMS = {"P-384": "ES384", "P-256": "ES256", "RSA": "RS384"}
_PATIENCE_S = 20
_LARGEST_ANSWER = 64 * 1024
_LARGEST_KEY = 16 * 1024
_HTTPS = 443
_OK = 200


@click.command("new-key")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False))
def new_key(path: Path) -> None:
    """Make a key for an app: the private one goes into FILE, the public one (a JWK Set) to the standard output.

    \b
    Example: carekeep app new-key feed.key > feed.jwks
    """
    if path.exists():
        fail(f"{path} is there. Move it away, or take another name.")
    put_json({"keys": [write_key(path)]})
    talk.print(f"{path} is the app's secret: keep it where only the app reads it. Register the rest.")


def write_key(path: Path) -> dict[str, Any]:
    """Make a private key in a file for its owner only; gives the public one. Raises OSError."""
    key = ECKey.generate_key("P-384", {"use": "sig", "alg": "ES384"})
    key.ensure_kid()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(orjson.dumps(key.as_dict(private=True), option=orjson.OPT_INDENT_2))
    return dict(key.as_dict(private=False))


@click.command()
@click.option("--server", required=True, help="https://… of the records.")
@click.option("--client", "client_id", required=True, help="The client id of the app.")
@click.option(
    "--key",
    "key_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="The file with its private key (a JWK), as `carekeep app new-key` writes it.",
)
@click.option("--scopes", required=True, help='Like "system/Patient.rs"; spaces between.')
@click.option("--ca", type=click.Path(dir_okay=False, exists=True), help="An own authority (PEM).")
@json_option
def token(server: str, client_id: str, key_file: Path, scopes: str, ca: str | None, as_json: bool) -> None:
    """Get an access token as an app that acts for itself, and print it. Good for five minutes.

    It goes the way of every such app: a statement that is signed with the app's key, for the server's token endpoint.

    \b
    Example: carekeep app token --server https://records.example.org --client 7f3e… --key feed.key --scopes system/*.rs
    """
    url = urlsplit(server)
    if url.scheme != "https" or not url.hostname or url.path not in {"", "/"}:
        fail("The server must be like https://records.example.org.")
    endpoint = f"{server.rstrip('/')}/oauth/token"
    form = {
        "grant_type": "client_credentials",
        "scope": scopes,
        "client_assertion_type": _JWT_BEARER,
        "client_assertion": assertion(client_id, endpoint, read_key(key_file), system_clock() // 1000),
    }
    answer = _post(endpoint, form, ca)
    if as_json:
        put_json(answer)
    else:
        put(str(answer["access_token"]))


def assertion(client_id: str, endpoint: str, key: ECKey | RSAKey, now_s: int) -> str:
    """The statement by which a client proves who it is (RFC 7523 §3)."""
    curve = key.curve_name if isinstance(key, ECKey) else "RSA"
    algorithm = _ALGORITHMS.get(curve)
    if algorithm is None:
        fail(f"The key is of the curve {curve}. Take P-384, P-256 or RSA; `carekeep app new-key` makes one.")
    header = {"alg": algorithm, "typ": "JWT", "kid": key.kid}
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": endpoint,
        "jti": uuid.uuid4().hex,
        "iat": now_s,
        "exp": now_s + ASSERTION_LIFETIME_S,
    }
    return jwt.encode(header, claims, key, algorithms=[algorithm])


def read_key(path: Path) -> ECKey | RSAKey:
    """The private key in a file. Ends the command when there is none that can be used, or others can read it."""
    if path.stat().st_mode & 0o077:
        fail(f"{path} holds a private key and can be read by others. Run: chmod 600 {path}")
    with path.open("rb") as file:
        content = file.read(_LARGEST_KEY)
    try:
        key = JWKRegistry.import_key(orjson.loads(content))
    except (JoseError, ValueError, TypeError, KeyError):
        fail(f"{path} is no key (a JWK).")
    if not isinstance(key, ECKey | RSAKey) or not key.is_private or not key.kid:
        fail(f"{path} is no private key of the kind EC or RSA with a kid.")
    return key


def _post(endpoint: str, form: dict[str, str], ca: str | None) -> dict[str, Any]:
    """The token endpoint's answer. Ends the command when it is a refusal."""
    url = urlsplit(endpoint)
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    connection = http.client.HTTPSConnection(
        url.hostname or "", url.port or _HTTPS, timeout=_PATIENCE_S, context=context
    )
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    try:
        connection.request("POST", url.path, urlencode(form), headers)
        response = connection.getresponse()
        status, body = response.status, response.read(_LARGEST_ANSWER)
    except (OSError, http.client.HTTPException) as error:
        fail(f"{endpoint} could not be asked: {type(error).__name__}: {error}")
    finally:
        connection.close()
    return _told(status, body)


def _told(status: int, body: bytes) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = orjson.loads(body)
        says = "" if status == _OK else f"{answer['error']}: {answer.get('error_description', '')}"
        _ = answer["access_token"] if status == _OK else ""
    except (ValueError, KeyError, TypeError):
        answer, says = {}, "what it says cannot be understood"
    if says:
        fail(f"The server answered {status}: {says}")
    return answer
