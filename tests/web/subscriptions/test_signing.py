"""Signatures of notifications, verified by code that shares nothing with the signer."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from carekeep.web.subscriptions.signing import content_digest, key_id, signature_base, signed_headers
from tests.house.tree import ROOT
from tests.web.clinic import on_sqlite
from tests.web.subscriptions.ward import Ward


def documented_verifier() -> Callable[..., str]:
    """The function that docs/subscriptions.md gives to receivers."""
    page = (ROOT / "docs" / "subscriptions.md").read_text("utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def verify(" in block]
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own page
    verifier: Callable[..., str] = names["verify"]
    return verifier


async def test_a_receiver_can_verify_what_comes(ward: Ward) -> None:
    await ward.subscribe()
    published = await ward.clinic.client.get("/.well-known/http-message-signatures-directory")
    keys, now_s = published.json(), ward.clinic.time() / 1000
    (received,) = ward.receiver.received
    verify, url, headers = documented_verifier(), ward.receiver.url, received.headers
    assert len(verify(headers, received.body, url, keys, now_s)) == 32
    for changed, body in (
        (headers, received.body.replace(b"requested", b"active")),
        ({**headers, "content-digest": content_digest(b"")}, b""),
        ({**headers, "content-type": "text/plain"}, received.body),
        ({**headers, "signature-input": re.sub("nonce=.", "nonce=", headers["signature-input"])}, received.body),
    ):
        with pytest.raises((ValueError, InvalidSignature)):
            verify(changed, body, url, keys, now_s)
    with pytest.raises(InvalidSignature):
        verify(headers, received.body, "https://other.example/notify", keys, now_s)
    with pytest.raises(ValueError, match="too old"):
        verify(headers, received.body, url, keys, now_s + 301)


@on_sqlite
async def test_every_attempt_has_a_nonce_of_its_own(ward: Ward) -> None:
    await ward.subscribe()
    await ward.subscribe()
    nonces = [re.findall(r'nonce="([^"]+)"', each.headers["signature-input"]) for each in ward.receiver.received]
    assert len({nonce for (nonce,) in nonces}) == 2


def test_the_base_is_that_of_the_standard() -> None:
    """RFC 9421, appendix B.2.6: the same components and parameters, and the signature printed there."""
    components = (
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("@method", "POST"),
        ("@path", "/foo"),
        ("@authority", "example.com"),
        ("content-type", "application/json"),
        ("content-length", "18"),
    )
    names = " ".join(f'"{name}"' for name, _ in components)
    base = signature_base(components, f'({names});created=1618884473;keyid="test-key-ed25519"')
    public = base64.urlsafe_b64decode("JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs=")
    signature = "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(signature), base)


def test_the_digest_is_that_of_the_standard() -> None:
    """RFC 9530, appendix D."""
    assert content_digest(b'{"hello": "world"}\n') == "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"


def test_the_key_is_named_by_its_thumbprint() -> None:
    """RFC 8037, appendix A.3: the thumbprint of the key in A.1."""
    key = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="))
    assert key_id(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_headers_are_plain_and_one_line_each() -> None:
    key = Ed25519PrivateKey.generate()
    headers = signed_headers(key, "https://a.example/b", "application/fhir+json", b"{}", created_s=1, nonce="n")
    assert [name for name, _ in headers] == ["Content-Digest", "Signature-Input", "Signature"]
    assert all(value.isascii() and value.isprintable() for _, value in headers)
    assert json.dumps(headers)
