"""The headers of every sort of answer: what a browser may do with it, what it is, and nothing about the server."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.web.clinic import Clinic, on_sqlite
from tests.web.test_nothing_else import API_PLACES, SIGN_IN

DENIED = "/fhir/Patient/bob"
STRANGE = ("/nothing", "/fhir/Nothing/x", "/fhir/Patient?nothing=x", "/fhir/Patient/../x", f"/fhir/{'x' * 2000}")
PAGES = ("/sign-in", "/account", "/nothing", "/authorize", "/invitation", "/sign-in/nothing")


async def answers(clinic: Clinic, *places: str) -> AsyncIterator[httpx.Response]:
    """Answers to a GET, a HEAD, a POST of nonsense, with a token and without."""
    token = {"authorization": f"Bearer {clinic.tokens['physician']}"}
    for place in places:
        for headers in (token, {}):
            yield await clinic.client.get(place, headers=headers)
            yield await clinic.client.head(place, headers=headers)
            yield await clinic.client.post(place, headers=headers, content=b"nonsense")


def policy_of(answer: httpx.Response) -> dict[str, str]:
    """A content policy's directives."""
    parts = (each.strip().partition(" ") for each in answer.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in parts}


@on_sqlite
async def test_every_answer_of_the_api_can_do_nothing_in_a_browser(clinic: Clinic) -> None:
    statuses = set()
    async for answer in answers(clinic, *API_PLACES, DENIED, *STRANGE):
        statuses.add(answer.status_code)
        headers, asked = answer.headers, str(answer.request.url)
        assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains", asked
        assert headers["x-content-type-options"] == "nosniff", asked
        assert headers["referrer-policy"] == "no-referrer", asked
        assert "no-store" in headers["cache-control"] or headers["content-type"].startswith("text/plain"), asked
        policy = policy_of(answer)
        for directive in ("default-src", "object-src", "base-uri", "frame-ancestors"):
            assert policy[directive] == "'none'", asked
    assert {200, 400, 401, 403, 404, 405, 414} <= statuses


@on_sqlite
async def test_every_answer_of_the_sign_in_host_says_what_a_browser_may(clinic: Clinic) -> None:
    statuses = set()
    async for answer in answers(clinic, *(f"{SIGN_IN}{page}" for page in PAGES)):
        statuses.add(answer.status_code)
        headers, asked = answer.headers, str(answer.request.url)
        assert headers["strict-transport-security"] == "max-age=31536000; includeSubDomains", asked
        assert headers["x-content-type-options"] == "nosniff", asked
        assert headers["referrer-policy"] in {"same-origin", "no-referrer"}, asked
        if headers["content-type"].startswith("text/html"):
            assert headers["cross-origin-opener-policy"] == "same-origin", asked
            assert headers["cross-origin-resource-policy"] == "same-origin", asked
            assert headers["cache-control"] == "no-store", asked
        if answer.status_code != 303:  # which shows nothing
            assert policy_of(answer)["frame-ancestors"] == "'none'", asked
            assert policy_of(answer)["object-src"] == policy_of(answer)["base-uri"] == "'none'", asked
    assert {200, 303, 403, 404} <= statuses


@on_sqlite
async def test_pages_take_nothing_from_other_sites(clinic: Clinic) -> None:
    """A form of another site cannot be posted here, whether the browser has a session or not."""
    for page in ("/sign-in", "/sign-out", "/account/password", "/invitation", "/sign-in/passkey"):
        for headers in ({"origin": "https://evil.example.org"}, {"origin": "null"}, {}):
            answer = await clinic.client.post(f"{SIGN_IN}{page}", headers=headers, data={"login": "ada"})
            assert answer.status_code == 403, (page, headers)
            assert "set-cookie" not in answer.headers


@on_sqlite
async def test_every_body_says_its_type_and_its_length(clinic: Clinic) -> None:
    seen = set()
    async for answer in answers(clinic, *API_PLACES, DENIED, *STRANGE, *(f"{SIGN_IN}{page}" for page in PAGES)):
        if answer.request.method == "HEAD":
            assert answer.content == b""
            continue
        content_type = answer.headers["content-type"]
        seen.add(content_type)
        assert re.fullmatch(
            r"application/(fhir\+|scim\+|jwk-set\+)?json(; ?charset=utf-8)?|text/(html|plain); ?charset=utf-8",
            content_type,
        ), answer.request.url
        assert int(answer.headers["content-length"]) == len(answer.content)
        if "json" in content_type:
            answer.json()
    assert len(seen) > 3


@on_sqlite
@pytest.mark.parametrize("page", ["/fhir/metadata", "/nothing", f"{SIGN_IN}/sign-in", "/healthz"])
async def test_nothing_tells_what_the_server_is_made_of(clinic: Clinic, page: str) -> None:
    answer = await clinic.client.get(page)
    for header in ("server", "x-powered-by", "via", "x-aspnet-version", "x-runtime"):
        assert header not in answer.headers
    assert not re.search(r"granian|python/|uvloop|jinja|openssl|sqlite|postgres|hyper/", answer.text, re.IGNORECASE)
