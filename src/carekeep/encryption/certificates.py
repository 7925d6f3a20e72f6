"""The local certificate authority: TLS for an installation that has no certificate of its own yet.

ECDSA P-256, since every TLS 1.3 client must support it (RFC 8446 §9.1). The authority's key is kept so that a new
server certificate needs no new trust; it can sign for the given names only (name constraints, RFC 5280 §4.2.1.10).
"""

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from carekeep.encryption.durable import replace_file

_AUTHORITY_DAYS = 3650
_SERVER_DAYS = 397  # what browsers accept at most (CA/Browser Forum ballot SC31)


def make_local_authority(folder: Path, names: Sequence[str], now: datetime.datetime) -> None:
    """Write ``ca.pem``, ``ca.key``, ``server.pem`` and ``server.key`` into ``folder``, mode 0600.

    The certificates may be shown to anyone. ``names`` are DNS names or IP addresses that the server answers to.
    Raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ca_key, ca = _authority(names, now)
    key, certificate = _server(names, ca_key, ca, now)
    replace_file(folder / "ca.pem", ca.public_bytes(serialization.Encoding.PEM))
    replace_file(folder / "ca.key", _pem(ca_key))
    replace_file(folder / "server.pem", certificate.public_bytes(serialization.Encoding.PEM))
    replace_file(folder / "server.key", _pem(key))


def certificate_end(path: Path) -> datetime.datetime:
    """When the first certificate of a PEM file stops being valid. Raises OSError, ValueError."""
    return x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc


def is_named(path: Path, host: str) -> bool:
    """Whether the first certificate of a PEM file is for ``host``: by name, by ``*`` for its first label, or address.

    Raises OSError, ValueError.
    """
    try:
        names = (
            x509.load_pem_x509_certificate(path.read_bytes())
            .extensions.get_extension_for_class(x509.SubjectAlternativeName)
            .value
        )
    except x509.ExtensionNotFound:
        return False
    try:
        return ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        known = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
        return bool(known & {host, f"*.{host.partition('.')[2]}"})


def _authority(names: Sequence[str], now: datetime.datetime) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Carekeep local authority")])
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(subject, subject, key, now, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints([_constraint(name) for name in names], None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _server(
    names: Sequence[str], ca_key: ec.EllipticCurvePrivateKey, ca: x509.Certificate, now: datetime.datetime
) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    certificate = (
        _builder(subject, ca.subject, key, now, _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return key, certificate


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime.datetime, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _constraint(name: str) -> x509.GeneralName:
    """The subtree of names that the authority may sign: the name and what is below it, or the one address."""
    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(name.removeprefix("*."))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
