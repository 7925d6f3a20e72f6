"""The tables [siem.NAME], right and wrong."""

from pathlib import Path
from typing import Any

import pytest

from carekeep.audit.export import SiemSettings, SiemSettingsRefused

SYSLOG = {"kind": "syslog", "url": "syslog+tls://siem.example.org:6515", "format": "atna"}
WEBHOOK = {"kind": "webhook", "url": "https://siem.example.org/in?token=1"}


def test_two_receivers(tmp_path: Path) -> None:
    read = SiemSettings.read(
        {"soc": WEBHOOK | {"networks": "10.0.0.0/8", "actions": ["identity:"]}, "arr": SYSLOG}, tmp_path
    )
    assert [(each.name, each.host, each.port, each.format) for each in read.all] == [
        ("arr", "siem.example.org", 6515, "atna"),
        ("soc", "siem.example.org", 443, "ocsf"),
    ]
    soc = read.named("soc")
    assert soc is not None
    assert soc.wants("identity:session:open", "denied")
    assert not soc.wants("fhir:record:read", "denied")
    assert read.named("none") is None


def test_syslog_has_a_port_of_its_own(tmp_path: Path) -> None:
    (one,) = SiemSettings.read({"soc": SYSLOG | {"url": "syslog+tls://siem.example.org"}}, tmp_path).all
    assert one.port == 6514


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"x": "y"}, "'x' is not known"),
    ({"kind": "kafka"}, "kind must be"),
    ({"kind": 1}, "kind must be a text"),
    ({"url": "http://siem.example.org"}, "url must be like"),
    ({"url": "https://user@siem.example.org"}, "url must be like"),
    ({"url": "https://siem.example.org:99999"}, "below 65536"),
    ({"url": "https://siem.example.org/\r\nX: y"}, "url must be like"),
    ({"url": "https://-.example.org/"}, "url must be like"),
    ({"url": "https://Siem.Example.org/"}, "lower case"),
    ({"format": "cef"}, "format of a webhook is ocsf"),
    ({"format": "atna"}, "format of a webhook is ocsf"),
    ({"networks": "10.0.0.1/8"}, "networks must be"),
    ({"actions": "identity:"}, "list of texts"),
    ({"actions": [""]}, "list of texts"),
    ({"outcomes": ["refused"]}, "outcomes are of"),
    ({"ca": "missing.pem"}, "does not exist"),
    ({"certificate": "a.pem"}, "come together"),
]


@pytest.mark.parametrize(("changes", "said"), WRONG)
def test_what_cannot_be_used_is_refused_with_its_word(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(SiemSettingsRefused, match="soc: ") as refused:
        SiemSettings.read({"soc": WEBHOOK | changes}, tmp_path)
    assert said in str(refused.value)


@pytest.mark.parametrize("tables", [{"Bad Name": WEBHOOK}, {"soc": "x"}, {f"s{n}": WEBHOOK for n in range(21)}])
def test_tables_that_are_none(tables: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(SiemSettingsRefused):
        SiemSettings.read(tables, tmp_path)


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    for name in ("c.pem", "k.pem"):
        (tmp_path / name).touch(mode=0o644)
    with pytest.raises(SiemSettingsRefused, match="chmod 600"):
        SiemSettings.read({"soc": SYSLOG | {"certificate": "c.pem", "key": "k.pem"}}, tmp_path)
    (tmp_path / "k.pem").chmod(0o600)
    assert SiemSettings.read({"soc": SYSLOG | {"certificate": "c.pem", "key": "k.pem"}}, tmp_path).all
