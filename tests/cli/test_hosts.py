"""Hosts, certificates and the front, as settings say them, ``init`` makes them and ``doctor`` finds them."""

import datetime
import json
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509

from carekeep.cli.init import create_unattended
from carekeep.encryption.certificates import is_named, make_local_authority
from carekeep.settings import FILE_NAME, Settings, SettingsError, load_settings
from carekeep.web.health import outward
from carekeep.web.health.handshakes import Handshake, NoHandshake
from tests.cli.conftest import Run

TODAY = datetime.datetime.now(datetime.UTC).date()


def loaded(home: Path, text: str) -> Settings:
    home.mkdir(exist_ok=True)
    (home / FILE_NAME).write_text(text, encoding="utf-8")
    return load_settings(home)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "https://auth.localhost:8443"),
        ('base_url = "https://records.example.org"', "https://auth.records.example.org"),
        ('base_url = "https://records.example.org:9443/"', "https://auth.records.example.org:9443"),
        ('auth_url = "https://login.example.org"', "https://login.example.org"),
        ('auth_url = "https://Login.Example.org:443/"', "https://login.example.org"),
        ('base_url = "https://Records.example.org:443"', "https://auth.records.example.org"),
        ('base_url = "https://10.1.2.3"\nauth_url = "https://login.example.org"', "https://login.example.org"),
    ],
)
def test_where_people_sign_in(tmp_path: Path, text: str, url: str) -> None:
    """As browsers write their ``Origin``, which it is compared with."""
    assert loaded(tmp_path, text).sign_in_url == url


@pytest.mark.parametrize("url", ["https://records.example.org/", "https://RECORDS.example.org:443"])
def test_the_base_of_fhir_has_one_way_to_be_written(tmp_path: Path, url: str) -> None:
    assert loaded(tmp_path, f'base_url = "{url}"').fhir_url == "https://records.example.org/fhir"


def test_an_address_keeps_its_brackets(tmp_path: Path) -> None:
    text = 'base_url = "https://[::1]:8443"\nauth_url = "https://login.example.org"'
    assert loaded(tmp_path, text).base_url == "https://[::1]:8443"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('base_url = "http://records.example.org"', "base_url"),
        ('base_url = "https://records.example.org/fhir"', "base_url"),
        ('base_url = "https://records.example.org?x"', "base_url"),
        ('base_url = "https://somebody@records.example.org"', "base_url"),
        ('base_url = "https://records.example.org:99999"', "base_url"),
        ('base_url = "https://r\u00e9cords.example.org"', "base_url"),
        ('base_url = "https://10.1.2.3:8443"', "auth_url"),
        ('auth_url = "https://localhost:9443"', "auth_url"),
        ('auth_url = "http://login.example.org"', "auth_url"),
        ('security_contact = "security@example.org"', "security_contact"),
        ('security_contact = "mailto:security@example.org"', "security_expires"),
        ('security_contact = "mailto:a@example.org"\nsecurity_expires = "soon"', "security_expires"),
        (
            'security_contact = "tel:+41"\nsecurity_expires = "2027-10-01"\nsecurity_languages = "en\\r\\nContact: x"',
            "security_",
        ),
        (
            'security_contact = "mailto:a@example.org"\nsecurity_expires = "2027-10-01"\nsecurity_policy = "x"',
            "security_policy",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        loaded(tmp_path, text)


def names_of(path: Path) -> set[str]:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(names.get_values_for_type(x509.DNSName))


def test_the_first_certificate_is_for_every_host_of_the_installation(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "home", base_url="https://records.example.org")
    create_unattended(settings)
    hosts = {f"{place}records.example.org" for place in ("", "auth.", "portal.", "console.")}
    assert hosts <= names_of(settings.certificate)
    assert settings.front_secret_file.stat().st_mode & 0o777 == 0o600
    assert len(settings.front_secret_file.read_bytes()) >= 43, "256 bits"


def test_an_address_has_no_hosts_below_it(tmp_path: Path) -> None:
    settings = Settings(tmp_path / "home", base_url="https://10.1.2.3", auth_url="https://login.example.org")
    create_unattended(settings)
    assert names_of(settings.certificate) == {"login.example.org", "localhost", "*.localhost"}
    assert is_named(settings.certificate, "10.1.2.3")


@pytest.mark.parametrize(
    ("host", "named"),
    [
        ("records.example.org", True),
        ("auth.example.org", True),
        ("example.org", False),
        ("a.auth.example.org", False),
        ("127.0.0.1", True),
        ("127.0.0.2", False),
        ("org", False),
    ],
)
def test_whom_a_certificate_is_for(tmp_path: Path, host: str, named: bool) -> None:
    names = ["records.example.org", "*.example.org", "127.0.0.1"]
    make_local_authority(tmp_path, names, datetime.datetime.now(datetime.UTC))
    assert is_named(tmp_path / "server.pem", host) is named


def test_a_new_secret_of_the_front_is_in_the_ledger_and_not_shown(run: Run, home: Path) -> None:
    old = (home / "front.secret").read_text()
    ran = run("front-secret")
    new = (home / "front.secret").read_text()
    assert ran.code == 0
    assert old != new
    assert new not in ran.out + ran.err
    assert (home / "front.secret").stat().st_mode & 0o777 == 0o600
    (entry,) = [each for each in json.loads(run("ledger", "show", "--last", "9", "--json").out) if "front" in str(each)]
    assert entry["action"] == "encryption:key:manage"
    assert new not in str(entry)


@pytest.mark.parametrize(
    ("days", "state", "said"),
    [
        (-1, "problem", "has expired"),
        (29, "warning", "expires in"),
        (32, "ok", "good for"),
        (360, "ok", "good for"),
        (400, "warning", "more than a year"),
    ],
)
def test_doctor_minds_the_end_of_security_txt(days: int, state: str, said: str) -> None:
    expires = (TODAY + datetime.timedelta(days=days)).isoformat()
    settings = Settings(Path(), security_contact="mailto:security@example.org", security_expires=expires)
    (found,) = list(outward.contact(settings))
    assert (found.state, said in found.what) == (state, True)


def test_doctor_misses_a_contact() -> None:
    (found,) = list(outward.contact(Settings(Path())))
    assert found.state == "warning"
    assert "security_contact" in found.fix


def test_doctor_misses_hosts_in_the_certificate_and_the_secret_of_a_front(home: Path) -> None:
    settings = load_settings(home)
    assert list(outward.names(settings)) == []
    make_local_authority(settings.certificate.parent, ["localhost"], datetime.datetime.now(datetime.UTC))
    (found,) = list(outward.names(settings))
    assert (found.state, "auth.localhost" in found.what) == ("problem", True)
    behind = replace(settings, base_url="https://records.example.org")
    assert list(outward.names(behind)) == []
    assert list(outward.front(behind)) == []
    settings.front_secret_file.unlink()
    assert list(outward.front(settings)) == []
    (found,) = list(outward.front(behind))
    assert (found.state, "front-secret" in found.fix) == ("warning", True)


@pytest.mark.parametrize(
    ("group", "offered", "state", "said"),
    [
        ("X25519MLKEM768", True, "ok", "X25519MLKEM768 negotiated at https://records.example.org."),
        ("X25519", True, "warning", "X25519 negotiated at https://records.example.org: not post-quantum"),
        ("X25519", False, "warning", "cannot be seen from here"),
        ("", False, "warning", "cannot be seen from here"),
    ],
)
def test_doctor_tells_what_was_negotiated_where_clients_connect(
    monkeypatch: pytest.MonkeyPatch, group: str, offered: bool, state: str, said: str
) -> None:
    asked = []

    def shake(address: tuple[str, int], name: str) -> Handshake:
        asked.append((address, name))
        return Handshake("TLSv1.3", group, offered)

    monkeypatch.setattr(outward, "shake_hands", shake)
    (found,) = list(outward.key_exchange(Settings(Path(), base_url="https://records.example.org")))
    assert (found.state, said in found.what) == (state, True), found
    assert asked == [(("records.example.org", 443), "records.example.org")]


@pytest.mark.parametrize(("error", "state"), [(NoHandshake(), "problem"), (ConnectionRefusedError(), "ok")])
def test_doctor_tells_when_there_is_nothing_to_see(
    monkeypatch: pytest.MonkeyPatch, error: Exception, state: str
) -> None:
    def shake(*_: object) -> Handshake:
        raise error

    monkeypatch.setattr(outward, "shake_hands", shake)
    for check in (outward.key_exchange, outward.listener):
        (found,) = check(Settings(Path()))
        assert found.state == state


def test_browsers_trust_the_first_certificate_by_its_authority_only(home: Path) -> None:
    """The authority may sign for the hosts of the installation, so for auth. too, and a client checks that it may."""
    context = ssl.create_default_context(cafile=str(home / "tls" / "ca.pem"))
    (authority,) = context.get_ca_certs()
    assert authority["subject"] == authority["issuer"]
