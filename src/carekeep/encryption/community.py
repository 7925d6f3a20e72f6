"""A trust community: certificates that chain to its anchors, are in force, and were not revoked (RFC 5280 §6).

Fails closed: where a certificate authority of the chain has no list of revoked certificates that is current, nothing of
it is trusted. The list is a file that somebody else keeps up to date, and is read again when it changes.
"""

import datetime
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

_LONGEST_CHAIN = 6
_CRL_END = b"-----END X509 CRL-----"


class NotTrusted(Exception):
    """A certificate is not one that the community stands for; the text says why, and repeats nothing of it."""


@dataclass(frozen=True, slots=True)
class Certified:
    """What a trusted certificate says: the URIs of its holder (subject alternative name), and the public key (PEM)."""

    uris: tuple[str, ...]
    public_key: bytes


class Community:
    """Trusts certificates. ``anchors`` and ``revoked`` are PEM files: of certificates, and of revocation lists."""

    def __init__(self, anchors: Path, revoked: Path) -> None:
        """Raises OSError, ValueError when a file cannot be used."""
        self._store = Store(x509.load_pem_x509_certificates(anchors.read_bytes()))
        self._path = revoked
        self._stamp: tuple[int, int] | None = None
        self._lists: tuple[x509.CertificateRevocationList, ...] = ()
        self._refresh()

    def verify(self, chain: Sequence[bytes], now: datetime.datetime) -> Certified:
        """What the first certificate (DER) of a chain says; the others lead to an anchor. Raises NotTrusted."""
        if not 0 < len(chain) <= _LONGEST_CHAIN:
            raise NotTrusted(f"there are none or more than {_LONGEST_CHAIN} certificates")
        try:
            leaf, *others = [x509.load_der_x509_certificate(each) for each in chain]
            policy = PolicyBuilder().store(self._store).time(now).max_chain_depth(_LONGEST_CHAIN)
            policy = policy.extension_policies(ca_policy=ExtensionPolicy.webpki_defaults_ca(), ee_policy=_leaf_policy())
            verified = policy.build_client_verifier().verify(leaf, others).chain
        except (VerificationError, ValueError, UnsupportedAlgorithm):
            raise NotTrusted("it does not chain to an anchor of the community, or is not in force") from None
        self._refresh()
        for certificate, issuer in itertools.pairwise(verified):
            self._check_revocation(certificate, issuer, now)
        return _certified(leaf)

    def _check_revocation(
        self, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime.datetime
    ) -> None:
        current = [each for each in self._lists if _is_current(each, issuer, now)]
        if not current:
            raise NotTrusted("there is no current list of what its issuer revoked")
        number = certificate.serial_number
        if any(each.get_revoked_certificate_by_serial_number(number) is not None for each in current):
            raise NotTrusted("it was revoked")

    def _refresh(self) -> None:
        found = self._path.stat()
        stamp = (found.st_mtime_ns, found.st_size)
        if stamp != self._stamp:
            parts = self._path.read_bytes().split(_CRL_END)[:-1]
            self._lists = tuple(x509.load_pem_x509_crl(part + _CRL_END) for part in parts)
            self._stamp = stamp


def certificate_uris(der: bytes) -> tuple[str, ...]:
    """The URIs in a certificate's subject alternative name. Raises ValueError when it is no certificate."""
    return _certified(x509.load_der_x509_certificate(der)).uris


def _leaf_policy() -> ExtensionPolicy:
    """Of RFC 5280, and for signatures; what the key is for beside (extended key usage), the community does not say."""
    policy = ExtensionPolicy.webpki_defaults_ee().may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, None)
    return policy.may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _signs)


def _signs(_policy: object, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.digital_signature:
        raise ValueError("the key is not for signatures")


def _is_current(revoked: x509.CertificateRevocationList, issuer: x509.Certificate, now: datetime.datetime) -> bool:
    ends, key = revoked.next_update_utc, issuer.public_key()
    if revoked.issuer != issuer.subject or ends is None or not revoked.last_update_utc <= now < ends:
        return False
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey):
        return False
    try:
        return revoked.is_signature_valid(key)
    except (InvalidSignature, UnsupportedAlgorithm, TypeError):
        return False


def _certified(leaf: x509.Certificate) -> Certified:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        uris: list[str] = []
    else:
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return Certified(tuple(uris), leaf.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
