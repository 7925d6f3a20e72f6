"""What settings must fulfil together."""

from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

from carekeep.access.consents import Implicit
from carekeep.audit.note import NoteRefused, VerifierKey
from carekeep.settings.errors import SettingsError
from carekeep.settings.origins import ORIGINS, is_address
from carekeep.settings.settings import Settings
from carekeep.web.attachments.scanning import ScannerInvalid, scanner_at

_LAST_PORT = 65535
MOST_WORKERS = 64
_LONGEST_REVIEW = 720  # hours


def check(settings: Settings, path: Path) -> None:
    """Raises SettingsError for what cannot be used; ``path`` is the file that says so."""
    _check_origins(settings, path)
    _check_security(settings, path)
    if not 1 <= settings.port <= _LAST_PORT:
        raise SettingsError(f"{path}: port must be between 1 and 65535.")
    if not 1 <= settings.workers <= MOST_WORKERS:
        raise SettingsError(f"{path}: workers must be between 1 and {MOST_WORKERS}.")
    if not 1 <= settings.review_hours <= _LONGEST_REVIEW:
        raise SettingsError(f"{path}: review_hours must be between 1 and {_LONGEST_REVIEW}.")
    if settings.consent_default not in set(Implicit):
        raise SettingsError(f"{path}: consent_default must be one of {', '.join(Implicit)}.")
    for signer in settings.policy_signers.split():
        try:
            VerifierKey.parse(signer)
        except NoteRefused as refused:
            raise SettingsError(f"{path}: policy_signers: {refused}.") from None
    try:
        scanner_at(settings.scanner)
    except ScannerInvalid as refused:
        raise SettingsError(f"{path}: {refused}.") from None
    for source in settings.import_sources.split():
        place = urlsplit(source)
        if place.scheme != "https" or not place.hostname or not place.path.endswith("/"):
            raise SettingsError(f"{path}: import_sources must be like https://files.example.org/exports/ (with the /).")
    if settings.database_url and not settings.database_url.startswith(("sqlite:///", "postgresql://")):
        raise SettingsError(f"{path}: database_url must begin with sqlite:/// or postgresql://.")


def _check_origins(settings: Settings, path: Path) -> None:
    """Pages of people and the API are origins of their own, each with a host that requests can name."""
    for name in ORIGINS:
        value = getattr(settings, name)
        if not _is_origin(value) and (value or name == "base_url"):
            raise SettingsError(f"{path}: {name} must be like https://records.example.org, without a path.")
    host = urlsplit(settings.base_url).hostname or ""
    if not settings.auth_url and is_address(host):
        raise SettingsError(f"{path}: base_url has an address instead of a name, so auth_url must be set.")
    if urlsplit(settings.sign_in_url).hostname == host:
        raise SettingsError(f"{path}: auth_url must have another host than base_url.")
    pages = [settings.sign_in_url, *(site.origin for site in settings.own_sites)]
    hosts = [host, *(urlsplit(url).hostname for url in pages)]
    if len(set(hosts)) < len(hosts):
        raise SettingsError(f"{path}: auth_url, portal_url and console_url must have a host each of their own.")


def _is_origin(text: str) -> bool:
    url = urlsplit(text)
    try:
        port = url.port
    except ValueError:
        return False
    is_bare = url.path in {"", "/"} and not url.query and not url.fragment and "@" not in url.netloc
    return url.scheme == "https" and bool(url.hostname) and text.isascii() and is_bare and port != 0


def _check_security(settings: Settings, path: Path) -> None:
    if not settings.security_contact:
        return
    if urlsplit(settings.security_contact).scheme not in {"https", "mailto", "tel"}:
        raise SettingsError(f"{path}: security_contact must be like mailto:security@example.org or https://….")
    if settings.security_policy and urlsplit(settings.security_policy).scheme != "https":
        raise SettingsError(f"{path}: security_policy must be like https://example.org/security.")
    try:
        date.fromisoformat(settings.security_expires)
    except ValueError:
        raise SettingsError(f"{path}: security_expires must be a day like 2027-10-01, with a contact.") from None
    lines = (settings.security_contact, settings.security_policy, settings.security_languages)
    if not all(line.isprintable() for line in lines):
        raise SettingsError(f"{path}: what security_… say must be one line each.")
