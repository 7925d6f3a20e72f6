"""A passkey authenticator in software (WebAuthn Level 3, section 6), with knobs for what a hostile one does."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from tests.identity.people import ORIGIN, RP_ID

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(slots=True)
class Authenticator:
    """One passkey, and the browser around it. ``syncs``: backup-eligible, and backed up."""

    syncs: bool = False
    uv: bool = True
    counts: bool = True
    origin: str = ORIGIN
    rp_id: str = RP_ID
    cross_origin: bool = False
    fmt: str = "none"
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    user: bytes | None = None
    count: int = 0

    def create(self, options: bytes) -> bytes:
        """The answer to ``navigator.credentials.create``."""
        asked = json.loads(options)
        self.user = unb64(asked["user"]["id"])
        data = (
            self._data(AT) + bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + self._cose()
        )
        attestation = cbor2.dumps({"fmt": self.fmt, "attStmt": {}, "authData": data})
        return self._answer(
            clientDataJSON=b64(self._client("webauthn.create", asked["challenge"])),
            attestationObject=b64(attestation),
            transports=["internal", "hybrid", "telepathy"],
        )

    def get(self, options: bytes, user: bytes | None = None) -> bytes:
        """The answer to ``navigator.credentials.get``. ``user``: whom to answer for, if not its own."""
        client = self._client("webauthn.get", json.loads(options)["challenge"])
        self.count += self.counts
        data = self._data(0)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ECDSA(SHA256()))
        return self._answer(
            clientDataJSON=b64(client),
            authenticatorData=b64(data),
            signature=b64(signature),
            userHandle=b64(user or self.user or b""),
        )

    def _data(self, flags: int) -> bytes:
        flags |= UP | (UV if self.uv else 0) | (BE | BS if self.syncs else 0)
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def _client(self, kind: str, challenge: str) -> bytes:
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": self.cross_origin}
        return json.dumps(said).encode()

    def _cose(self) -> bytes:
        point = self.key.public_key().public_numbers()
        return cbor2.dumps({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32, "big"), -3: point.y.to_bytes(32, "big")})

    def _answer(self, **response: Any) -> bytes:
        id_ = b64(self.credential_id)
        return json.dumps({"id": id_, "rawId": id_, "type": "public-key", "response": response}).encode()
