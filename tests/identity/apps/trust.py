"""A trust community with an authority of its own, and its members' certificates; also what nobody should trust."""

import base64
import datetime
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from joserfc.jwk import ECKey

from carekeep.identity.apps.udap_settings import CommunitySettings
from tests.identity.apps.keys import Json, signed

BASE = "https://records.example.org/fhir"
NAME = "https://community.example.org"
DAY = datetime.timedelta(days=1)
Private = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Member:
    """A certificate, its key, and the chain that leads to the anchor (DER, its own first)."""

    key: Private
    certificate: x509.Certificate
    chain: tuple[bytes, ...]

    def sign(self, claims: Json, **header: Any) -> str:
        chain = [base64.b64encode(each).decode() for each in self.chain]
        return signed({"alg": "ES256", "x5c": chain, **header}, claims, ECKey.import_key(_pem(self.key)), "ES256")


@dataclass(slots=True)
class Authority:
    """An authority below an anchor (which is ``None`` for an anchor itself)."""

    now: datetime.datetime
    name: str = "Community"
    above: "Authority | None" = None
    key: Private = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    certificate: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        issuer = self.above or self
        builder = (
            _builder(self.name, issuer.name, self.key, self.now - DAY, self.now + 30 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
        )
        if self.above is not None:
            builder = builder.add_extension(_above(self.above), critical=False)
        self.certificate = builder.sign(issuer.key, hashes.SHA256())

    def member(self, *uris: str, ends: datetime.timedelta = 7 * DAY, is_authority: bool = False) -> Member:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder("Member", self.name, key, self.now - DAY, self.now + ends)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=is_authority), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris]), critical=False
            )
            .add_extension(_above(self), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        between = () if self.above is None else (_der(self.certificate),)
        return Member(key, certificate, (_der(certificate), *between))

    def revocations(self, *revoked: x509.Certificate, ends: datetime.timedelta = 2 * DAY) -> bytes:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(_name(self.name))
            .last_update(self.now - DAY)
            .next_update(self.now + ends)
        )
        for each in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(each.serial_number).revocation_date(self.now).build()
            )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@dataclass(slots=True)
class Trust:
    """The community on disk: its anchor, an authority below it, and this server's own certificate."""

    folder: Path
    now_ms: int
    anchor: Authority = field(init=False)
    authority: Authority = field(init=False)

    def __post_init__(self) -> None:
        now = datetime.datetime.fromtimestamp(self.now_ms / 1000, datetime.UTC)
        self.anchor = Authority(now, "Anchor")
        self.authority = Authority(now, "Authority", self.anchor)
        server = self.authority.member(BASE)
        self.folder.mkdir(exist_ok=True)
        (self.folder / "anchors.pem").write_bytes(_cert_pem(self.anchor.certificate))
        (self.folder / "server.pem").write_bytes(b"".join(ssl_pem(each) for each in server.chain))
        (self.folder / "server.key").write_bytes(_pem(server.key))
        self.revoke()

    def revoke(self, *certificates: x509.Certificate, **more: Any) -> None:
        lists = self.anchor.revocations(**more) + self.authority.revocations(*certificates, **more)
        (self.folder / "revoked.pem").write_bytes(lists)

    @property
    def settings(self) -> CommunitySettings:
        return CommunitySettings(NAME, "anchors.pem", "revoked.pem", "server.pem", "server.key", self.folder)


def claims_of(header: str) -> Json:
    """What a signed object says, unverified."""
    payload = header.split(".")[1]
    found: Json = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


def ssl_pem(der: bytes) -> bytes:
    return _cert_pem(x509.load_der_x509_certificate(der))


def _builder(
    subject: str, issuer: str, key: Private, since: datetime.datetime, until: datetime.datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(since)
        .not_valid_after(until)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _above(authority: Authority) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())


def _der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def _cert_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _pem(key: Private) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
