"""SMART clients in Python: services that act for themselves, and an app on a desk with a key of its own (DPoP)."""

import base64
import hashlib
import html
import re
import secrets
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import orjson
import pytest
from fhirclient.client import FHIRClient
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from carekeep.encryption import Secret, totp_code
from tests.clients.apps import add_app, command, run, trusting
from tests.running import Demo

JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
REDIRECT = "http://127.0.0.1:53682/callback"  # of a port that the app found free; its path is registered
SCOPES = "openid fhirUser user/Patient.r"


@pytest.fixture
def http(server: Demo) -> Iterator[httpx.Client]:
    with trusting(server) as client:
        yield client


# ------------------------------------------------------------------------------------------- services


def key_pair(kind: str, kid: str) -> tuple[ECKey | RSAKey, str]:
    """A key of one of SMART's two kinds, and its algorithm."""
    if kind == "ES384":
        return ECKey.generate_key("P-384", {"kid": kid}), kind
    return RSAKey.generate_key(2048, {"kid": kid}), kind


def jwks(path: Path, *keys: ECKey | RSAKey) -> Path:
    path.write_bytes(orjson.dumps({"keys": [key.as_dict(private=False) for key in keys]}))
    return path


def asked(server: Demo, http: httpx.Client, client: str, key: ECKey | RSAKey, algorithm: str) -> httpx.Response:
    """The token endpoint's answer to a service, found by discovery."""
    endpoint = http.get(f"{server.fhir_url}/.well-known/smart-configuration").json()["token_endpoint"]
    claims = {"iss": client, "sub": client, "aud": endpoint, "jti": uuid.uuid4().hex, "exp": int(time.time()) + 240}
    form = {
        "grant_type": "client_credentials",
        "scope": "system/Patient.rs system/Observation.rs",
        "client_assertion_type": JWT_BEARER,
        "client_assertion": jwt.encode({"alg": algorithm, "kid": key.kid, "typ": "JWT"}, claims, key, [algorithm]),
    }
    return http.post(endpoint, data=form)


@pytest.mark.parametrize("kind", ["ES384", "RS384"])
def test_a_service_reads_and_changes_its_key_between_two_calls(
    server: Demo, http: httpx.Client, tmp_path: Path, kind: str
) -> None:
    old, algorithm = key_pair(kind, "2026")
    new, _ = key_pair(kind, "2027")
    words = ("--jwks", jwks(tmp_path / "old", old), "--account", "registry", "--scopes", "system/Patient.rs")
    client = add_app(server, f"A service with {kind}", *words)
    first = asked(server, http, client, old, algorithm)
    assert first.status_code == 200, first.text
    assert (first.json()["scope"], first.json()["expires_in"]) == ("system/Patient.rs", 300)
    assert "refresh_token" not in first.json()
    bearer = {"Authorization": f"Bearer {first.json()['access_token']}"}
    assert http.get(f"{server.fhir_url}/Patient", headers=bearer).json()["entry"]
    assert http.get(f"{server.fhir_url}/Observation", headers=bearer).status_code == 403  # not among its scopes

    assert asked(server, http, client, new, algorithm).json()["error"] == "invalid_client"
    command(server, "app", "keys", client, "--jwks", jwks(tmp_path / "both", old, new))
    assert [asked(server, http, client, key, algorithm).status_code for key in (old, new)] == [200, 200]
    command(server, "app", "keys", client, "--jwks", jwks(tmp_path / "new", new))
    assert [asked(server, http, client, key, algorithm).status_code for key in (old, new)] == [400, 200]


def test_a_service_that_registers_itself_waits_until_somebody_says_as_whom_it_acts(
    server: Demo, http: httpx.Client
) -> None:
    key, algorithm = key_pair("ES384", "mine")
    metadata = {
        "client_name": "A feed from elsewhere",
        "grant_types": ["client_credentials"],
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [key.as_dict(private=False)]},
        "scope": "system/Patient.rs",
    }
    registered = http.post(f"{server.state['base_url']}/oauth/register", json=metadata)
    assert (registered.status_code, registered.json()["status"]) == (201, "pending")
    client = registered.json()["client_id"]
    assert asked(server, http, client, key, algorithm).json()["error"] == "invalid_client"
    refused = run(server, "app", "approve", client)
    assert (refused.returncode, "as which account" in refused.stderr) == (3, True)
    assert run(server, "app", "approve", client, "--account", "physician").returncode == 3
    assert asked(server, http, client, key, algorithm).json()["error"] == "invalid_client"
    command(server, "app", "approve", client, "--account", "registry")
    answer = asked(server, http, client, key, algorithm)
    bearer = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert http.get(f"{server.fhir_url}/Patient", headers=bearer).json()["entry"]


def test_the_service_of_the_demo_exports_in_bulk(server: Demo, http: httpx.Client) -> None:
    """By the command that its welcome shows."""
    (feed,) = [each for each in server.state["apps"] if each["key_file"] is not None]
    assert Path(feed["key_file"]).stat().st_mode & 0o077 == 0
    words = ["app", "token", "--server", server.state["base_url"], "--ca", server.ca_certificate]
    words += ["--client", feed["client_id"], "--key", feed["key_file"], "--scopes", "system/*.rs"]
    headers = {"Authorization": f"Bearer {command(server, *words)}", "Prefer": "respond-async"}
    started = http.get(f"{server.fhir_url}/$export", params={"_type": "Patient"}, headers=headers)
    assert started.status_code == 202, started.text
    end = time.monotonic() + 60
    while (status := http.get(started.headers["content-location"], headers=headers)).status_code == 202:
        assert time.monotonic() < end
        time.sleep(0.1)
    lines = [
        line for file in status.json()["output"] for line in http.get(file["url"], headers=headers).text.splitlines()
    ]
    assert {orjson.loads(line)["resourceType"] for line in lines} == {"Patient"}


# -------------------------------------------------------------------------------- an app on a desk, with DPoP


def proof(key: ECKey, method: str, url: str, **more: str) -> str:
    """A proof of possession for one request (RFC 9449 §4.2)."""
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    claims = {"jti": uuid.uuid4().hex, "htm": method, "htu": url, "iat": int(time.time()), **more}
    return jwt.encode(header, claims, key, ["ES256"])


def for_token(key: ECKey, token: str, url: str, nonce: str) -> dict[str, str]:
    """The headers of a read with a bound token."""
    ath = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).decode().rstrip("=")
    return {"Authorization": f"DPoP {token}", "DPoP": proof(key, "GET", url, nonce=nonce, ath=ath)}


class Person:
    """Somebody at a browser without scripts: the pages work in one."""

    def __init__(self, server: Demo, http: httpx.Client) -> None:
        self._origin = str(server.state["auth_url"])
        url = urlsplit(self._origin)
        self._here = f"https://127.0.0.1:{url.port}"  # the system knows no names below localhost; browsers do
        self._http = http
        self._host = {"Host": url.netloc, "Origin": self._origin}
        self._sni = {"sni_hostname": url.hostname}

    def open(self, url: str) -> str:
        """The page at the end of redirects below this origin; the URL of the app where it leads there."""
        place = url.removeprefix(self._origin)
        while place.startswith("/"):
            answer = self._http.get(self._here + place, headers=self._host, extensions=self._sni)
            if answer.status_code != 303:
                return answer.text
            place = answer.headers["location"].removeprefix(self._origin)
        return place

    def send(self, path: str, form: dict[str, str]) -> str:
        """Where the page goes on after a form."""
        answer = self._http.post(self._here + path, data=form, headers=self._host, extensions=self._sni)
        found = re.search(r"http-equiv=\"refresh\" content=\"0; url=([^\"]+)\"", answer.text)
        assert found is not None, answer.text
        return html.unescape(found[1])


def code_for(server: Demo, http: httpx.Client, login: str, parameters: dict[str, str]) -> dict[str, str]:
    """A person signs in and allows the app what it asks for; what the app is told."""
    endpoint = http.get(f"{server.fhir_url}/.well-known/smart-configuration").json()["authorization_endpoint"]
    callback = allowed(server, http, login, f"{endpoint}?{httpx.QueryParams(parameters)}")
    return dict(parse_qsl(urlsplit(callback).query))


def allowed(server: Demo, http: httpx.Client, login: str, url: str) -> str:
    """Where the app is called back after a person signed in at ``url`` and allowed what it asks for."""
    (who,) = [each for each in server.state["accounts"] if each["login"] == login]
    key = Secret(base64.b32decode(who["totp_key"]))
    person = Person(server, http)
    page = person.open(url)
    after = hidden(page, "next")
    code = totp_code(key, int(time.time() * 1000))
    onwards = person.send("/sign-in", {"login": login, "password": who["password"], "code": code, "next": after})
    page = person.open(onwards)
    form = {"answer": "allow", "request": hidden(page, "request"), "patient": hidden(page, "patient")}
    return person.send("/authorize/answer", form)


def hidden(page: str, name: str) -> str:
    found = re.search(rf"name=\"{name}\" value=\"([^\"]*)\"", page)
    assert found is not None, page
    return html.unescape(found[1])


def test_a_token_is_worth_nothing_without_the_key_that_it_is_bound_to(server: Demo, http: httpx.Client) -> None:
    client = add_app(server, "A tool on a desk", "--redirect-uri", "http://127.0.0.1/callback", "--scopes", SCOPES)
    patient = next(each["patient_id"] for each in server.state["scenes"] if each["key"] == "nurse")
    key, thief, verifier = ECKey.generate_key("P-256"), ECKey.generate_key("P-256"), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    parameters = {
        "response_type": "code",
        "client_id": client,
        "redirect_uri": REDIRECT,
        "scope": SCOPES,
        "state": "mine",
        "aud": server.fhir_url,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "dpop_jkt": key.thumbprint(),
    }
    told = code_for(server, http, "psychiatrist", parameters)
    assert (told["state"], told["iss"]) == ("mine", server.state["auth_url"])

    endpoint = f"{server.state['base_url']}/oauth/token"
    form = {"grant_type": "authorization_code", "code": told["code"], "redirect_uri": REDIRECT}
    form |= {"client_id": client, "code_verifier": verifier}
    asked_for = http.post(endpoint, data=form, headers={"DPoP": proof(key, "POST", endpoint)})
    assert asked_for.json()["error"] == "use_dpop_nonce"
    nonce = asked_for.headers["dpop-nonce"]
    answer = http.post(endpoint, data=form, headers={"DPoP": proof(key, "POST", endpoint, nonce=nonce)})
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "DPoP"  # noqa: S105 - a type

    token, url = answer.json()["access_token"], f"{server.fhir_url}/Patient/{patient}"
    own = for_token(key, token, url, nonce)
    assert http.get(url, headers=own).status_code == 200
    assert http.get(url, headers=own).status_code == 401  # a proof is good once
    assert http.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 401
    assert http.get(url, headers={"Authorization": f"DPoP {token}"}).status_code == 401
    stolen: Any = http.get(url, headers=for_token(thief, token, url, nonce))
    assert (stolen.status_code, "DPoP" in stolen.headers["www-authenticate"]) == (401, True)
    assert http.get(url, headers=for_token(key, token, url, nonce)).status_code == 200


# ------------------------------------------------------------------------------- SMART's own client for Python


def test_fhirclient_signs_somebody_in_and_takes_up_where_it_left_off(server: Demo, http: httpx.Client) -> None:
    callback, scopes = "http://127.0.0.1:53683/back", "openid fhirUser offline_access patient/*.rs"
    words = ("--redirect-uri", "http://127.0.0.1/back", "--scopes", f"launch/patient {scopes}")
    registered = add_app(server, "An app with fhirclient", *words)
    settings = {"app_id": registered, "api_base": server.fhir_url, "redirect_uri": callback, "scope": scopes}
    app = trusted(FHIRClient(settings=settings), server)
    assert not app.ready
    app.handle_callback(allowed(server, http, "patient", app.authorize_url))
    (own,) = [each["fhir_user"] for each in server.state["accounts"] if each["login"] == "patient"]
    assert app.ready
    assert f"Patient/{app.patient.id}" == own  # it reads the record itself

    later = trusted(FHIRClient(state=app.state), server)
    assert later.reauthorize()
    assert f"Patient/{later.patient.id}" == own


def trusted(app: FHIRClient, server: Demo) -> FHIRClient:
    app.server.session.trust_env = False  # else a bundle of the environment would be trusted instead
    app.server.session.verify = server.ca_certificate
    return app
