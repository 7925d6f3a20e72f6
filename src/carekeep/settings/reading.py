"""The file of the settings, ``carekeep.toml``: read strictly, and written with what differs from the defaults."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from carekeep.access.zones import Zones, ZonesRefused
from carekeep.audit.anchors import AnchorSettings, AnchorSettingsRefused
from carekeep.audit.export import SiemSettings, SiemSettingsRefused
from carekeep.fhir.validation.strictness import Strictness, StrictnessRefused
from carekeep.identity.apps.udap_settings import CommunityRefused, CommunitySettings
from carekeep.identity.outside import ProviderInvalid, Providers
from carekeep.identity.posture import Minimums, PostureRefused
from carekeep.records.disposal import Retention, ScheduleRefused
from carekeep.settings.checking import check
from carekeep.settings.errors import SettingsError
from carekeep.settings.origins import origin
from carekeep.settings.settings import Settings
from carekeep.web.outgoing.mail_settings import MailRefused, MailSettings

FILE_NAME = "carekeep.toml"

# Settings that are tables, each read by the room that it is for.
_TABLES: Mapping[str, Callable[[dict[str, Any], Path], object]] = {
    "validation": lambda table, _home: Strictness.read(table),
    "device_posture": lambda table, _home: Minimums.read(table),
    "zones": lambda table, _home: Zones.read(table),
    "federation": Providers.read,
    "udap": CommunitySettings.read,
    "retention": Retention.read,
    "smtp": MailSettings.read,
    "anchor": AnchorSettings.read,
    "siem": SiemSettings.read,
}

# What they say of a table that cannot be used.
_REFUSED = (
    AnchorSettingsRefused,
    CommunityRefused,
    MailRefused,
    PostureRefused,
    ProviderInvalid,
    ScheduleRefused,
    SiemSettingsRefused,
    StrictnessRefused,
    ZonesRefused,
)


def _table(name: str, table: dict[str, Any], path: Path, read: Callable[[dict[str, Any], Path], object]) -> object:
    try:
        return read(table, path.parent)
    except _REFUSED as refused:
        raise SettingsError(f"{path}: in the table [{name}], {refused}.") from None


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
    check(settings, path)
    return replace(
        settings,
        base_url=origin(settings.base_url),
        auth_url=origin(settings.auth_url),
        portal_url=origin(settings.portal_url),
        console_url=origin(settings.console_url),
    )


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
    if isinstance(value, Strictness | Minimums | Zones | CommunitySettings | Retention):
        value = value.table()
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name} = {_toml(each)}" for name, each in value.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value) if isinstance(value, int) else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
