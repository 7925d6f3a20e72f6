"""What an installation says about itself: one small TOML file, ``carekeep.toml``, in its home folder."""

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from carekeep.fhir.validation.strictness import Strictness, StrictnessRefused

FILE_NAME = "carekeep.toml"
_LAST_PORT = 65535
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
    bind: str = _setting("127.0.0.1", "The address to listen on.")
    port: int = _setting(8443, "The port to listen on.")
    workers: int = _setting(1, "How many web workers, each a process of its own.")
    database_url: str = _setting("", "`postgresql://…`; empty for a SQLite file in the folder.")
    ledger_origin: str = _setting("localhost/carekeep", "The ledger's name in checkpoints. Never changes once in use.")
    tls_certificate: str = _setting("tls/server.pem", "The certificate chain, PEM; relative to the folder.")
    tls_key: str = _setting("tls/server.key", "Its key, PEM.")
    subscription_hosts: str = _setting(
        "",
        "Hosts that may be sent notifications: names (with `:port` if not 443), and networks like `10.1.2.0/24` for "
        "those of them that are not public; spaces between. Empty: rest-hooks are refused.",
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

    @property
    def database(self) -> str:
        """The database's URL; by default a SQLite file in the home folder."""
        return self.database_url or f"sqlite://{quote(str(self.home / 'carekeep.db'))}"

    @property
    def fhir_url(self) -> str:
        """The FHIR base URL."""
        return f"{self.base_url}/fhir"

    @property
    def key_file(self) -> Path:
        """The passphrase-sealed key file."""
        return self.home / "carekeep.keys"

    @property
    def passphrase_file(self) -> Path:
        """Where the passphrase may lie for unattended starts; mode 0600, better on another disk."""
        return self.home / "passphrase"

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
    if isinstance(table := values.get("validation"), dict):
        values["validation"] = _strictness(table, path)
    for name, value in values.items():
        expected = type(getattr(Settings(home), name))
        if type(value) is not expected:
            wanted = "table" if expected is Strictness else expected.__name__
            raise SettingsError(f"{path}: {name} must be a {wanted}, not a {type(value).__name__}.")
    settings = Settings(home, **values)
    _check(settings, path)
    return settings


def _strictness(table: dict[str, Any], path: Path) -> Strictness:
    try:
        return Strictness.read(table)
    except StrictnessRefused as refused:
        raise SettingsError(f"{path}: in the table [validation], {refused}.") from None


def _check(settings: Settings, path: Path) -> None:
    url = urlsplit(settings.base_url)
    if url.scheme != "https" or not url.hostname or url.path not in {"", "/"}:
        raise SettingsError(f"{path}: base_url must be like https://records.example.org, without a path.")
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
    if isinstance(value, Strictness):
        return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.table().items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value) if isinstance(value, int) else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
