"""Apps by the commands of the machine itself."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.usefixtures("home")
def test_an_app_is_added_listed_disabled_and_approved_again(run: Run) -> None:
    words = ("--redirect-uri", "https://charts.example.org/cb", "--scopes", "patient/Patient.r")
    added = run("app", "add", "Charts", *words)
    assert added.code == 0, added.err
    client_id = added.out.strip()
    (listed,) = json.loads(run("app", "list", "--json").out)
    assert (listed["id"], listed["state"], listed["authentication"]) == (client_id, "approved", "none")
    assert run("app", "disable", client_id[:8]).code == 0
    assert json.loads(run("app", "list", "--json").out)[0]["state"] == "disabled"
    assert run("app", "approve", client_id).code == 0
    assert run("app", "approve", "00ff").code == 3
    assert run("app", "add", "Bad", "--redirect-uri", "http://charts.example.org/cb").code == 3
    assert run("app", "add", "Feed", "--jwks-uri", "https://feed.example.org/keys", "--account", "nobody").code == 3


@pytest.mark.usefixtures("home")
def test_a_backend_service_acts_as_an_account_of_its_own(run: Run) -> None:
    run("user", "add", "registry", "--kind", "app", "--name", "Registry")
    words = ("--jwks-uri", "https://feed.example.org/keys", "--account", "registry", "--json")
    added = run("app", "add", "Feed", *words)
    assert added.code == 0, added.err
    assert json.loads(added.out)["authentication"] == "private_key_jwt"


@pytest.mark.usefixtures("home")
def test_an_app_makes_a_key_registers_it_and_changes_it(run: Run, tmp_path: Path) -> None:
    secret, public = tmp_path / "feed.key", tmp_path / "feed.jwks"
    made = run("app", "new-key", str(secret))
    assert (made.code, secret.stat().st_mode & 0o077) == (0, 0)
    assert '"d"' not in made.out
    public.write_text(made.out)
    assert run("app", "new-key", str(secret)).code == 3  # no key is written over
    run("user", "add", "registry", "--kind", "app", "--name", "Registry")
    words = ("--jwks", str(public), "--account", "registry", "--scopes", "system/Patient.rs")
    client_id = run("app", "add", "Feed", *words).out.strip()
    assert run("app", "keys", client_id, "--jwks", str(public)).code == 0
    refused = run("app", "keys", client_id, "--jwks", str(secret))
    assert (refused.code, "no set" in refused.err) == (3, True)
    public.write_text(json.dumps({"keys": [json.loads(secret.read_text())]}))  # with the private part
    assert run("app", "keys", client_id, "--jwks", str(public)).code == 3


@pytest.mark.usefixtures("home")
def test_only_an_app_with_keys_changes_them(run: Run, tmp_path: Path) -> None:
    public = tmp_path / "feed.jwks"
    public.write_text(run("app", "new-key", str(tmp_path / "feed.key")).out)
    client_id = run("app", "add", "Charts", "--redirect-uri", "https://charts.example.org/cb").out.strip()
    assert run("app", "keys", client_id, "--jwks", str(public)).code == 3


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "content", ["no JSON", "{}", json.dumps({"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0"})]
)
def test_a_token_is_not_asked_for_with_what_is_no_private_key(run: Run, tmp_path: Path, content: str) -> None:
    key = tmp_path / "feed.key"
    key.write_text(content)
    key.chmod(0o600)
    words = ("--server", "https://localhost:1", "--client", "0" * 32, "--key", str(key), "--scopes", "system/*.rs")
    refused = run("app", "token", *words)
    assert (refused.code, str(key) in refused.err) == (3, True)
    key.chmod(0o644)
    assert "chmod 600" in run("app", "token", *words).err
