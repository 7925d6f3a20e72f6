"""The checks of what others meet: hosts, certificate, TLS as it is negotiated, the front, and security.txt."""

import datetime
from collections.abc import Iterator
from urllib.parse import urlsplit

from carekeep.encryption.certificates import is_named
from carekeep.web.health.handshakes import Handshake, NoHandshake, shake_hands
from carekeep.web.health.installed import Installed
from carekeep.web.health.verdict import Diagnosis

_EXPIRES_SOON = datetime.timedelta(days=30)
_LONGEST_CONTACT = datetime.timedelta(days=366)
_HTTPS = 443


def names(settings: Installed) -> Iterator[Diagnosis]:
    """Whether the certificate is for every host that is answered for. A front has one of its own."""
    if _front_is_expected(settings):
        return
    for url in (settings.base_url, settings.sign_in_url):
        host = urlsplit(url).hostname or ""
        try:
            if is_named(settings.certificate, host):
                continue
        except (OSError, ValueError):
            return  # that it is no certificate has been said
        why, fix = "Browsers and programs refuse to connect.", "Put a certificate for all of the hosts in its place."
        yield Diagnosis("problem", f"The certificate is not for {host}.", why, fix)


def listener(settings: Installed) -> Iterator[Diagnosis]:
    """What is really negotiated, by connecting."""
    try:
        version = shake_hands((settings.bind, settings.port), urlsplit(settings.base_url).hostname or "").version
    except NoHandshake:
        why, fix = "Another program may be listening there.", "Stop it, or choose another port."
        yield Diagnosis("problem", f"Port {settings.port} does not speak TLS.", why, fix)
    except OSError:
        yield Diagnosis("ok", "The server is not running, so its listener was not looked at.")
    else:
        yield Diagnosis("ok", f"The server negotiates {version}.")


def key_exchange(settings: Installed) -> Iterator[Diagnosis]:
    """How the keys are agreed on where clients connect: the group of a handshake that was done, not of a setting."""
    url = urlsplit(settings.base_url)
    host, port = url.hostname or "", url.port or _HTTPS
    try:
        found = shake_hands((host, port), host)
    except NoHandshake:
        why, fix = "No client can connect.", "See what listens there: the server, or the front of docs/tls.md."
        yield Diagnosis("problem", f"{settings.base_url} does not speak TLS.", why, fix)
    except OSError:
        yield Diagnosis("ok", f"{settings.base_url} does not answer here, so its key exchange was not looked at.")
    else:
        yield _judged(found, settings.base_url)


def _judged(found: Handshake, url: str) -> Diagnosis:
    if found.is_post_quantum:
        return Diagnosis("ok", f"{found.group} negotiated at {url}.")
    if not found.could_have_been:
        why, fix = "The OpenSSL of this Python's cryptography is too old to offer one.", "Update cryptography."
        return Diagnosis("warning", f"Whether {url} takes a post-quantum group cannot be seen from here.", why, fix)
    return Diagnosis(
        "warning",
        f"{found.group} negotiated at {url}: not post-quantum.",
        "Who records connections today may read them once there are quantum computers.",
        "Put the front of docs/tls.md before the server.",
    )


def _front_is_expected(settings: Installed) -> bool:
    """Whether clients connect somewhere else than to the server itself."""
    return (urlsplit(settings.base_url).port or _HTTPS) != settings.port


def front(settings: Installed) -> Iterator[Diagnosis]:
    """Whether a front can prove that it is one."""
    if _front_is_expected(settings) and not settings.front_secret_file.exists():
        yield Diagnosis(
            "warning",
            f"Clients connect through a front, and {settings.front_secret_file} is not there.",
            "The ledger holds the front's address for everybody's, and client certificates count for nothing.",
            "carekeep front-secret, and give the file to the front (docs/tls.md).",
        )


def contact(settings: Installed) -> Iterator[Diagnosis]:
    """Whether those who find a weakness can tell somebody (RFC 9116)."""
    if not settings.security_contact:
        why, fix = "Who finds a weakness does not know whom to tell.", "Set security_contact and security_expires."
        yield Diagnosis("warning", "There is no /.well-known/security.txt.", why, fix)
        return
    expires = datetime.datetime.fromisoformat(settings.security_expires).replace(tzinfo=datetime.UTC)
    left = expires - datetime.datetime.now(datetime.UTC)
    why, fix = "Afterwards it counts as stale (RFC 9116).", "See that the contact holds, and set security_expires anew."
    if left < _EXPIRES_SOON:
        ended = left.total_seconds() < 0
        what = "has expired" if ended else f"expires in {left.days} days"
        yield Diagnosis("problem" if ended else "warning", f"security.txt {what}.", why, fix)
    elif left > _LONGEST_CONTACT:
        why = "It shall be looked at every year (RFC 9116 §2.5.5)."
        yield Diagnosis("warning", "security.txt expires in more than a year.", why, "Set security_expires nearer.")
    else:
        yield Diagnosis("ok", f"security.txt is good for {left.days} days.")
