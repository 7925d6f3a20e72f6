"""What an installation says about itself: one small TOML file, ``carekeep.toml``, in its home folder."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from carekeep.access.zones import Zones, ZonesRefused
from carekeep.fhir.validation.strictness import Strictness, StrictnessRefused
from carekeep.identity.apps.udap_settings import CommunityRefused, CommunitySettings
from carekeep.identity.outside import ProviderInvalid, Providers
from carekeep.identity.posture import Minimums, PostureRefused

FILE_NAME = "carekeep.toml"
_LAST_PORT = 65535
_HTTPS = 443
MOST_WORKERS = 64


class SettingsError(Exception):
    """The settings cannot be used; the text names the setting, the file, and what to write instead."""


def _setting(default: Any, about: str) -> Any:
    return field(default=default, metadata={"about": about})


@dataclass(frozen=True, slots=True)
class Settings:
    """An installation's settings. Secrets are not among them: the passphrase comes by file or prompt.

    ``base_url`` is what clients see, without a path; FHIR is below it at ``/fhir``. ``database_url`` is
    ``sqlite:///…`` or ``postgresql://…``; its password may come from ``~/.pgpass`` or the environment of libpq.
    """

    home: Path
    base_url: str = _setting("https://localhost:8443", "What clients see; FHIR is below it at `/fhir`.")
    auth_url: str = _setting("", "Where people sign in; empty for `auth.` before the host of `base_url`, same port.")
    bind: str = _setting("127.0.0.1", "The address to listen on.")
    port: int = _setting(8443, "The port to listen on.")
    workers: int = _setting(1, "How many web workers, each a process of its own.")
    database_url: str = _setting("", "`postgresql://…`; empty for a SQLite file in the folder.")
    ledger_origin: str = _setting("localhost/carekeep", "The ledger's name in checkpoints. Never changes once in use.")
    tls_certificate: str = _setting("tls/server.pem", "The certificate chain, PEM; relative to the folder.")
    tls_key: str = _setting("tls/server.key", "Its key, PEM.")
    front_secret: str = _setting(
        "front.secret",
        "The file with the secret by which the front of [tls.md](tls.md) is known; relative to the folder. What is "
        "said of a client without it (its address, its certificate) is not believed.",
    )
    security_contact: str = _setting(
        "", "Who is told of weaknesses: a URL, `mailto:` too. Empty: there is no `/.well-known/security.txt`."
    )
    security_expires: str = _setting("", "The day until which the contact holds, like `2027-10-01`; within a year.")
    security_policy: str = _setting("", "The URL of the policy for those who report weaknesses, if there is one.")
    security_languages: str = _setting("en", "The languages that the contact reads, commas between.")
    subscription_hosts: str = _setting(
        "",
        "Hosts that may be sent notifications: names (with `:port` if not 443), and networks like `10.1.2.0/24` for "
        "those of them that are not public; spaces between. Empty: rest-hooks are refused.",
    )
    app_key_hosts: str = _setting(
        "",
        "Hosts from which the keys of apps may be fetched (`jwks_uri`), written like `subscription_hosts`. Empty: apps "
        "register their keys themselves.",
    )
    import_sources: str = _setting(
        "", "Where `$import` may fetch from: beginnings of URLs, spaces between; or nowhere."
    )
    validation: Strictness = field(
        default_factory=Strictness,
        metadata={
            "about": "A table. `default` and any resource type are `strict` (what breaks a rule is refused) or "
            "`lenient` (it is warned of, if the resource can be read at all); `reference_existence` is true, false, "
            "or a list of types whose references must lead to a record."
        },
    )
    device_posture: Minimums = field(
        default_factory=Minimums,
        metadata={
            "about": "A table: what a device must report to count as healthy. `minimum_os` is a table of versions by "
            "the name of the system (`debian`, `windows`, …); `report_hours` is how long a report holds at most."
        },
    )

    federation: Providers = field(
        default_factory=Providers,
        metadata={
            "about": "Tables `[federation.NAME]`, one for each OpenID provider: `title`, `issuer`, `client_id`, "
            "`client_secret_file`, `roles` (their word = our kind of account), `role_claim`, `login_claim`, "
            "`fhir_user_claim`, `strong` (what means a second factor), `creates`. See [sign-in.md](sign-in.md)."
        },
    )
    udap: CommunitySettings = field(
        default_factory=CommunitySettings,
        metadata={
            "about": "A table: the trust community that this server belongs to (UDAP). `community` is its URI; "
            "`anchors`, `revoked` (lists of revoked certificates), `certificate` (this server's, which must name the "
            "FHIR base URL as a URI) and `key` are PEM files, relative to the folder."
        },
    )
    zones: Zones = field(
        default_factory=Zones,
        metadata={
            "about": "A table: names of parts of the network, each with a list of networks, like `hospital = "
            '["10.0.0.0/8"]`. Policies see the name as the place that a request comes from. What is in none of them is '
            "`inside` (this machine and private networks) or `outside`; a network may be named `outside` as well."
        },
    )

    @property
    def database(self) -> str:
        """The database's URL; by default a SQLite file in the home folder."""
        return self.database_url or f"sqlite://{quote(str(self.home / 'carekeep.db'))}"

    @property
    def fhir_url(self) -> str:
        """The FHIR base URL."""
        return f"{self.base_url}/fhir"

    @property
    def sign_in_url(self) -> str:
        """The origin of people's pages, and the name of the token issuer: ``auth_url``, or what it is by default."""
        url = urlsplit(self.base_url)
        port = "" if url.port is None else f":{url.port}"
        return self.auth_url or f"https://auth.{url.hostname}{port}"

    @property
    def key_file(self) -> Path:
        """The passphrase-sealed key file."""
        return self.home / "carekeep.keys"

    @property
    def passphrase_file(self) -> Path:
        """Where the passphrase may lie for unattended starts; mode 0600, better on another disk."""
        return self.home / "passphrase"

    @property
    def front_secret_file(self) -> Path:
        """The secret that the front and the server share; mode 0600."""
        return self.home / self.front_secret

    @property
    def witness_file(self) -> Path:
        """The newest checkpoint, kept outside the database: shows when the database was put back to an older state."""
        return self.home / "checkpoint"

    @property
    def certificate(self) -> Path:
        """The server's certificate chain."""
        return self.home / self.tls_certificate

    @property
    def certificate_key(self) -> Path:
        """The key of the server's certificate."""
        return self.home / self.tls_key


def load_settings(home: Path) -> Settings:
    """The settings in ``home``. Raises SettingsError; a setting that is not known is refused, not ignored."""
    path = home / FILE_NAME
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path} does not exist. Run `carekeep init --home {home}` first.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}.") from None
    known = {each.name for each in fields(Settings)} - {"home"}
    unknown = sorted(values.keys() - known)
    if unknown:
        raise SettingsError(f"{path}: unknown setting {unknown[0]!r}. Known are: {', '.join(sorted(known))}.")
    for name, read in _TABLES.items():
        if isinstance(table := values.get(name), dict):
            values[name] = _table(name, table, path, read)
    for name, value in values.items():
        expected = type(getattr(Settings(home), name))
        if type(value) is not expected:
            wanted = "table" if name in _TABLES else expected.__name__
            raise SettingsError(f"{path}: {name} must be a {wanted}, not a {type(value).__name__}.")
    settings = Settings(home, **values)
    _check(settings, path)
    return replace(settings, base_url=_origin(settings.base_url), auth_url=_origin(settings.auth_url))


def _origin(url: str) -> str:
    """An origin as browsers write it (RFC 6454 §6.2), since it is compared with theirs; nothing stays nothing."""
    if not url:
        return url
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"https://{host}" + ("" if parts.port in {None, _HTTPS} else f":{parts.port}")


# Settings that are tables, each read by the room that it is for.
_TABLES: Mapping[str, Callable[[dict[str, Any], Path], object]] = {
    "validation": lambda table, _home: Strictness.read(table),
    "device_posture": lambda table, _home: Minimums.read(table),
    "zones": lambda table, _home: Zones.read(table),
    "federation": Providers.read,
    "udap": CommunitySettings.read,
}


def _table(name: str, table: dict[str, Any], path: Path, read: Callable[[dict[str, Any], Path], object]) -> object:
    try:
        return read(table, path.parent)
    except (StrictnessRefused, PostureRefused, ZonesRefused, ProviderInvalid, CommunityRefused) as refused:
        raise SettingsError(f"{path}: in the table [{name}], {refused}.") from None


def _check(settings: Settings, path: Path) -> None:
    _check_origins(settings, path)
    _check_security(settings, path)
    if not 1 <= settings.port <= _LAST_PORT:
        raise SettingsError(f"{path}: port must be between 1 and 65535.")
    if not 1 <= settings.workers <= MOST_WORKERS:
        raise SettingsError(f"{path}: workers must be between 1 and {MOST_WORKERS}.")
    for source in settings.import_sources.split():
        place = urlsplit(source)
        if place.scheme != "https" or not place.hostname or not place.path.endswith("/"):
            raise SettingsError(f"{path}: import_sources must be like https://files.example.org/exports/ (with the /).")
    if settings.database_url and not settings.database_url.startswith(("sqlite:///", "postgresql://")):
        raise SettingsError(f"{path}: database_url must begin with sqlite:/// or postgresql://.")


def _check_origins(settings: Settings, path: Path) -> None:
    """Pages of people and the API are two origins, each with a host that requests can name."""
    for name, value in (("base_url", settings.base_url), ("auth_url", settings.auth_url)):
        if not _is_origin(value) and (value or name == "base_url"):
            raise SettingsError(f"{path}: {name} must be like https://records.example.org, without a path.")
    host = urlsplit(settings.base_url).hostname or ""
    if not settings.auth_url and _is_address(host):
        raise SettingsError(f"{path}: base_url has an address instead of a name, so auth_url must be set.")
    if urlsplit(settings.sign_in_url).hostname == host:
        raise SettingsError(f"{path}: auth_url must have another host than base_url.")


def _is_origin(text: str) -> bool:
    url = urlsplit(text)
    try:
        port = url.port
    except ValueError:
        return False
    is_bare = url.path in {"", "/"} and not url.query and not url.fragment and "@" not in url.netloc
    return url.scheme == "https" and bool(url.hostname) and text.isascii() and is_bare and port != 0


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


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


def write_settings(settings: Settings) -> None:
    """Write the file that ``load_settings`` reads; only what differs from the defaults."""
    defaults = Settings(settings.home)
    lines = ["# Carekeep's settings. `carekeep doctor` explains what is wrong with them.\n"]
    for name in sorted({each.name for each in fields(Settings)} - {"home"}):
        value = getattr(settings, name)
        if value != getattr(defaults, name) or name in {"base_url", "port"}:
            lines.append(f"{name} = {_toml(value)}\n")
    (settings.home / FILE_NAME).write_text("".join(lines), encoding="utf-8")


def _toml(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, Strictness | Minimums | Zones | CommunitySettings):
        value = value.table()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value) if isinstance(value, int) else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
