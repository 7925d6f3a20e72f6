"""Zones: the narrowest network that an address is in gives the name, and what is not known is outside."""

from pathlib import Path
from typing import Any

import pytest

from carekeep.access import Zones, ZonesRefused
from carekeep.settings import FILE_NAME, Settings, SettingsError, load_settings, write_settings

TABLE = {
    "hospital": ["203.0.113.0/24", "10.0.0.0/8", "2001:db8::/32"],
    "ward": ["10.1.0.0/16"],
    "outside": "10.9.0.0/16 192.168.7.0/24",
}


@pytest.mark.parametrize(
    ("address", "plain", "named"),
    [
        ("127.0.0.1", "inside", "inside"),
        ("::1", "inside", "inside"),
        ("::ffff:127.0.0.1", "inside", "inside"),
        ("10.1.2.3", "inside", "ward"),
        ("::ffff:10.1.2.3", "inside", "ward"),
        ("10.2.2.3", "inside", "hospital"),
        ("10.9.2.3", "inside", "outside"),
        ("192.168.7.1", "inside", "outside"),
        ("192.168.8.1", "inside", "inside"),
        ("172.31.0.1", "inside", "inside"),
        ("172.32.0.1", "outside", "outside"),
        ("100.64.0.1", "outside", "outside"),
        ("203.0.113.9", "outside", "hospital"),
        ("2001:db8::1", "outside", "hospital"),
        ("fd00::1", "inside", "inside"),
        ("fe80::1%eth0", "inside", "inside"),
        ("2a00::1", "outside", "outside"),
        ("8.8.8.8", "outside", "outside"),
        ("0.0.0.0", "outside", "outside"),  # noqa: S104 - an address that nobody comes from
        ("not an address", "outside", "outside"),
        ("", "outside", "outside"),
        (None, "outside", "outside"),
    ],
)
def test_the_zone_of_an_address(address: str | None, plain: str, named: str) -> None:
    assert Zones().of(address) == plain
    assert Zones.read(TABLE).of(address) == named


def test_the_table_is_read_as_it_is_written() -> None:
    zones = Zones.read(TABLE)
    assert Zones.read(zones.table()) == zones
    assert Zones.read({}) == Zones()


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"hospital": ["10.0.0.1/8"]}, "is no network"),
        ({"hospital": ["ten"]}, "is no network"),
        ({"hospital": [10]}, "list of networks"),
        ({"hospital": {"a": "10.0.0.0/8"}}, "list of networks"),
        ({"The hospital": ["10.0.0.0/8"]}, "a name is made of"),
        ({"a": ["10.0.0.0/8"], "b": ["10.0.0.0/8"]}, "is in a and in b"),
    ],
)
def test_a_table_that_is_no_such_thing_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ZonesRefused, match=says):
        Zones.read(table)


def test_the_settings_file_keeps_them(tmp_path: Path) -> None:
    write_settings(Settings(tmp_path, zones=Zones.read(TABLE)))
    assert load_settings(tmp_path).zones == Zones.read(TABLE)
    (tmp_path / FILE_NAME).write_text('[zones]\nhospital = ["ten"]\n')
    with pytest.raises(SettingsError, match=r"in the table \[zones\], hospital: 'ten' is no network"):
        load_settings(tmp_path)
