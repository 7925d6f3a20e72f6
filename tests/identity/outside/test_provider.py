"""What the settings may say of a provider."""

from pathlib import Path
from typing import Any

import pytest

from carekeep.identity import Kind
from carekeep.identity.outside import ProviderInvalid, Providers

GOOD: dict[str, Any] = {
    "title": "The hospital",
    "issuer": "https://idp.example.org",
    "client_id": "carekeep",
    "client_secret_file": "secret",
    "roles": {"Physicians": "practitioner"},
    "strong": ["mfa"],
}


def test_a_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("between us\n")
    (provider,) = Providers.read({"hospital": GOOD}, tmp_path).all
    assert provider.roles == {"Physicians": Kind.PRACTITIONER}
    assert provider.client_secret is not None
    assert provider.client_secret.reveal() == b"between us"
    assert "between us" not in repr(provider)
    assert provider.assurance_of({"amr": ["pwd", "mfa"]}) == 2
    assert provider.assurance_of({"amr": "mfa", "acr": 5}) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"issuer": "http://idp.example.org"}, "issuer"),
        ({"issuer": ""}, "issuer is missing"),
        ({"roles": {"Everybody": "app"}}, "roles"),
        ({"roles": ["practitioner"]}, "roles"),
        ({"client_secret": "in the open"}, "unknown 'client_secret'"),
        ({"client_secret_file": "not-there"}, "cannot be read"),
        ({"creates": "yes"}, "creates"),
        ({"strong": "mfa"}, "strong"),
    ],
)
def test_tables_that_are_refused(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    (tmp_path / "secret").write_text("between us")
    with pytest.raises(ProviderInvalid, match=says):
        Providers.read({"hospital": GOOD | change}, tmp_path)


def test_names_are_for_urls(tmp_path: Path) -> None:
    with pytest.raises(ProviderInvalid, match="lower-case"):
        Providers.read({"The Hospital": GOOD}, tmp_path)
