"""What the server says of itself, and that it is so."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import pytest

from carekeep.identity.apps.client import ClientAuthentication
from carekeep.web.oauth.metadata import CAPABILITIES
from tests.house.tree import ROOT
from tests.web.clinic import Clinic, on_sqlite
from tests.web.oauth.desk import FHIR, ISSUER, Desk

BASE = "https://records.example.org"

# SMART's capabilities, and where each is shown to be there: file and test.
SHOWN_BY: Mapping[str, str] = {
    "authorize-post": "tests/web/oauth/test_documents.py::test_an_app_may_ask_by_post",
    "client-confidential-asymmetric": "tests/web/oauth/test_flow.py::test_a_service_gets_a_token_of_its_own",
    "client-public": "tests/web/oauth/test_flow.py::test_a_patient_gives_an_app_a_token_that_reads_their_records",
    "context-banner": "tests/web/oauth/test_flow.py::test_a_patient_gives_an_app_a_token_that_reads_their_records",
    "context-ehr-encounter": "tests/web/oauth/test_flow.py::test_an_app_is_started_from_the_chart",
    "context-ehr-patient": "tests/web/oauth/test_flow.py::test_an_app_is_started_from_the_chart",
    "context-standalone-patient": "tests/web/oauth/test_flow.py::test_a_clinician_chooses_the_patient",
    "launch-ehr": "tests/web/oauth/test_flow.py::test_an_app_is_started_from_the_chart",
    "launch-standalone": "tests/web/oauth/test_flow.py::test_a_clinician_chooses_the_patient",
    "permission-offline": "tests/web/oauth/test_flow.py::"
    "test_offline_access_ends_after_thirty_days_unused_and_ninety_days_in_all",
    "permission-online": "tests/web/oauth/test_flow.py::test_online_access_ends_with_the_browsers_session",
    "permission-patient": "tests/web/oauth/test_flow.py::test_a_patient_gives_an_app_a_token_that_reads_their_records",
    "permission-user": "tests/web/oauth/test_documents.py::test_scopes_of_both_versions_and_levels_work",
    "permission-v1": "tests/web/oauth/test_documents.py::test_scopes_of_both_versions_and_levels_work",
    "permission-v2": "tests/web/oauth/test_documents.py::test_scopes_of_both_versions_and_levels_work",
    "sso-openid-connect": "tests/web/oauth/test_flow.py::test_the_id_token_says_who_signed_in_how_and_when",
}


def test_no_capability_is_named_without_a_test() -> None:
    assert set(SHOWN_BY) == set(CAPABILITIES)
    for place in SHOWN_BY.values():
        file, _, test = place.partition("::")
        assert (ROOT / file).exists(), place
        assert not test or f"def {test}(" in (ROOT / file).read_text("utf-8"), place


@on_sqlite
@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("patient/Observation.read", 200),
        ("patient/Observation.rs", 200),
        ("patient/*.r", 200),
        ("user/Observation.rs", 200),
        ("user/*.read", 200),
        ("patient/Observation.s", 403),
        ("patient/Observation.write", 403),
        ("user/Patient.rs", 403),
        ("patient/Observation.r?code=http://loinc.org|8867-4", 200),
        ("patient/Observation.r?code=http://loinc.org|4548-4", 403),
    ],
)
async def test_scopes_of_both_versions_and_levels_work(desk: Desk, scope: str, status: int) -> None:
    client = await desk.client(scopes="patient/*.cruds user/*.cruds launch/patient")
    body = await desk.tokens(client, scope=scope)
    assert await desk.works(body["access_token"], "Observation/ada-pulse") == status


async def get(clinic: Clinic, url: str, accept: str = "application/json") -> dict[str, Any]:
    response = await clinic.client.get(url, headers={"accept": accept, "origin": "https://app.example.org"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers
    found: dict[str, Any] = response.json()
    return found


@on_sqlite
@pytest.mark.parametrize("accept", ["application/json", "application/fhir+xml", "text/html", "*/*"])
async def test_the_smart_configuration_is_json_whatever_is_accepted(clinic: Clinic, accept: str) -> None:
    found = await get(clinic, "/fhir/.well-known/smart-configuration", accept)
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["issuer"] == ISSUER
    assert found["authorization_endpoint"] == f"{ISSUER}/authorize"
    assert found["token_endpoint"] == f"{BASE}/oauth/token"
    urls = [value for name, value in found.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(urls) == 7
    assert all(url.startswith("https://") for url in urls)


@on_sqlite
async def test_the_issuer_is_known_by_its_own_documents(clinic: Clinic) -> None:
    server = await get(clinic, f"{ISSUER}/.well-known/oauth-authorization-server")
    provider = await get(clinic, f"{ISSUER}/.well-known/openid-configuration")
    assert server["issuer"] == provider["issuer"] == ISSUER
    assert server.items() <= provider.items()
    assert "plain" not in server["code_challenge_methods_supported"]
    assert server["authorization_response_iss_parameter_supported"] is True
    assert set(server["token_endpoint_auth_methods_supported"]) == {method.value for method in ClientAuthentication}
    assert not any("secret" in method for method in server["token_endpoint_auth_methods_supported"])
    for other in (f"{BASE}/.well-known/openid-configuration", f"{ISSUER}/fhir/.well-known/smart-configuration"):
        assert (await clinic.client.get(other)).status_code == 404


@on_sqlite
@pytest.mark.parametrize(("path", "resource"), [("", BASE), ("/fhir", FHIR)])
async def test_the_resource_says_who_gives_tokens_for_it(clinic: Clinic, path: str, resource: str) -> None:
    found = await get(clinic, f"/.well-known/oauth-protected-resource{path}")
    assert (found["resource"], found["authorization_servers"]) == (resource, [ISSUER])


@on_sqlite
async def test_every_endpoint_that_is_named_is_there(clinic: Clinic) -> None:
    server = await get(clinic, f"{ISSUER}/.well-known/openid-configuration")
    for name, url in server.items():
        if name.endswith(("_endpoint", "_uri")) and name != "authorization_endpoint":
            response = await (clinic.client.get(url) if name == "jwks_uri" else clinic.client.post(url))
            assert response.status_code in {200, 400, 401}, name
            assert response.headers["access-control-allow-origin"] == "*"


@on_sqlite
async def test_the_capability_statement_names_the_endpoints(clinic: Clinic) -> None:
    statement = (await clinic.ask("GET", "metadata", who=None)).json
    security = statement["rest"][0]["security"]
    assert security["cors"] is True
    assert security["service"][0]["coding"][0]["code"] == "SMART-on-FHIR"
    told = {each["url"]: each["valueUri"] for each in security["extension"][0]["extension"]}
    found = await get(clinic, "/fhir/.well-known/smart-configuration")
    assert told["authorize"] == found["authorization_endpoint"]
    assert told["token"] == found["token_endpoint"]
    assert told["manage"] == found["management_endpoint"]


@on_sqlite
@pytest.mark.parametrize("path", ["/fhir/Patient/ada", "/oauth/token", "/fhir/.well-known/smart-configuration"])
async def test_a_browser_may_ask_first(clinic: Clinic, path: str) -> None:
    headers = {"origin": "https://app.example.org", "access-control-request-method": "POST"}
    response = await clinic.client.options(path, headers=headers)
    assert (response.status_code, response.content) == (204, b"")
    assert "Authorization" in response.headers["access-control-allow-headers"]
    assert response.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in response.headers


@on_sqlite
async def test_pages_of_other_origins_read_nothing_where_cookies_count(clinic: Clinic) -> None:
    response = await clinic.client.get(f"{ISSUER}/account", headers={"origin": "https://app.example.org"})
    assert "access-control-allow-origin" not in response.headers
    refused = await clinic.client.get("/auth/session", headers={"origin": "https://app.example.org"})
    assert "access-control-allow-origin" not in refused.headers


async def test_an_app_may_ask_by_post(desk: Desk) -> None:
    client = await desk.client()
    asked = dict(desk.asking(client))
    origin = {"origin": "https://app.example.org", "sec-fetch-site": "cross-site"}
    response = await desk.clinic.client.post(f"{ISSUER}/authorize", data=asked, headers=origin)
    assert response.status_code == 303
    location = response.headers["location"]
    assert location.startswith("/authorize?")
    assert dict(parse_qsl(location.partition("?")[2])) == asked
