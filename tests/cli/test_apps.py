"""Apps by the commands of the machine itself."""

import json

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
