"""The file of the settings: what is not known is refused, and what is written is read again as it was."""

from pathlib import Path

import pytest

from carekeep.access import Zones
from carekeep.settings import FILE_NAME, Settings, SettingsError, load_settings, write_settings

REFUSED = {
    "not TOML": ("port = ", "not valid TOML"),
    "no such setting": ("colour = 'blue'", "unknown setting 'colour'"),
    "another type": ("port = '8443'", "port must be a int, not a str"),
    "true is no number": ("port = true", "port must be a int, not a bool"),
    "no table": ("zones = 'inside'", "zones must be a table"),
    "a port that cannot be": ("port = 70000", "between 1 and 65535"),
    "no workers": ("workers = 0", "workers must be between"),
    "not https": ("base_url = 'http://records.example.org'", "base_url must be like https"),
    "a path": ("portal_url = 'https://mine.example.org/portal'", "portal_url must be like https"),
    "a user": ("auth_url = 'https://me@auth.example.org'", "auth_url must be like https"),
    "one host for two": ("base_url = 'https://a.example'\nauth_url = 'https://a.example:8443'", "another host"),
    "one host for two sites": ("portal_url = 'https://x.example'\nconsole_url = 'https://x.example'", "a host each"),
    "an address without sign-in": ("base_url = 'https://192.0.2.7'", "auth_url must be set"),
    "another database": ("database_url = 'mysql://x/y'", "database_url must begin with"),
    "a consent that is none": ("consent_default = 'maybe'", "consent_default must be one of"),
    "a contact without a day": ("security_contact = 'mailto:s@example.org'", "security_expires must be a day"),
    "a network that is none": ("[zones]\nward = ['10.0.0.0/99']", "in the table [zones]"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_is_refused_by_name(tmp_path: Path, what: str) -> None:
    text, says = REFUSED[what]
    (tmp_path / FILE_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as refused:
        load_settings(tmp_path)
    assert says in str(refused.value)
    assert str(tmp_path / FILE_NAME) in str(refused.value)


def test_a_folder_without_settings_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="carekeep init"):
        load_settings(tmp_path)


def test_what_is_written_is_read_again_as_it_was(tmp_path: Path) -> None:
    given = Settings(
        tmp_path,
        base_url="https://records.example.org",
        console_url="https://staff.example.org",
        port=9443,
        import_sources='https://files.example.org/"quoted"\\and/',
        zones=Zones.read({"ward": ["10.1.0.0/16"]}),
    )
    write_settings(given)
    assert load_settings(tmp_path) == given


def test_origins_are_read_as_browsers_write_them(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("base_url = 'https://Records.Example.org:443/'", encoding="utf-8")
    settings = load_settings(tmp_path)
    assert settings.base_url == "https://records.example.org"
    assert settings.sign_in_url == "https://auth.records.example.org"
    assert [site.origin for site in settings.own_sites] == [
        "https://portal.records.example.org",
        "https://console.records.example.org",
    ]


def test_beside_an_address_there_are_only_the_sites_that_are_named(tmp_path: Path) -> None:
    named = Settings(tmp_path, base_url="https://192.0.2.7", portal_url="https://mine.example.org")
    assert [(site.name, site.origin) for site in named.own_sites] == [("portal", "https://mine.example.org")]
