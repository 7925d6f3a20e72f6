"""What settings name: files, keys and hosts, read when an installation is opened."""

from datetime import date

from carekeep.audit import VerifierKey
from carekeep.audit.witnessing import Policy, PolicyRefused
from carekeep.encryption import Secret
from carekeep.identity.apps.replays import Replays
from carekeep.identity.apps.udap import Udap
from carekeep.identity.apps.udap_settings import CommunityRefused
from carekeep.settings.errors import SettingsError
from carekeep.settings.settings import Settings
from carekeep.storage import Clock
from carekeep.web.outgoing import AllowedHosts, HostsRefused
from carekeep.web.security_txt import security_text


def trust_community(settings: Settings, replays: Replays, clock: Clock) -> Udap | None:
    """The trust community that the server belongs to. Raises SettingsError."""
    if not settings.udap:
        return None
    try:
        return Udap.open(settings.udap, settings.fhir_url, replays, clock)
    except CommunityRefused as refused:
        raise SettingsError(f"udap: {refused}") from None


def allowed_hosts(settings: Settings, name: str) -> AllowedHosts:
    """The hosts that a setting lists. Raises SettingsError."""
    try:
        return AllowedHosts.parse(getattr(settings, name))
    except HostsRefused as refused:
        raise SettingsError(f"{name}: {refused}") from None


def front_secret(settings: Settings) -> Secret | None:
    """What the front proves itself with; None where there is no such file."""
    try:
        return Secret(settings.front_secret_file.read_bytes().strip())
    except FileNotFoundError:
        return None


def security_txt(settings: Settings) -> bytes:
    """The file security.txt (RFC 9116); empty without a contact."""
    if not settings.security_contact:
        return b""
    return security_text(
        contact=settings.security_contact,
        expires=date.fromisoformat(settings.security_expires),
        policy=settings.security_policy,
        languages=settings.security_languages,
        origins=(settings.base_url, settings.sign_in_url, *(site.origin for site in settings.own_sites)),
    )


def witness_policy(settings: Settings) -> Policy | None:
    """The witnesses and their quorum. Raises SettingsError."""
    if not settings.witness_policy:
        return None
    path = settings.home / settings.witness_policy
    try:
        return Policy.parse(path.read_bytes())
    except (OSError, PolicyRefused) as refused:
        raise SettingsError(f"witness_policy: {path}: {refused}") from None


def policy_signers(settings: Settings) -> tuple[VerifierKey, ...]:
    """Whose signature a policy bundle must have."""
    return tuple(map(VerifierKey.parse, settings.policy_signers.split()))
