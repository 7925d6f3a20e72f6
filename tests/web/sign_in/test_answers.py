"""What every answer of the sign-in host carries, whatever is asked."""

import re

import pytest

from carekeep.web.sign_in.changing import _CHANGES
from carekeep.web.sign_in.site import SEGMENTS
from tests.web.clinic import Clinic, on_sqlite
from tests.web.sign_in.pages import FORM, JSON, OWN_PAGE, Page, Screenless, new_person, sign_in

pytestmark = on_sqlite

CHANGES = tuple("/account/" + "/".join(rest) for rest in _CHANGES)
JSON_POSTS = (
    "/sign-in/passkey/options",
    "/sign-in/passkey",
    "/account/passkeys/options",
    "/account/passkeys",
    "/invitation/passkey/options",
    "/invitation/passkey",
)
FORM_POSTS = (
    *("/sign-in", "/sign-out", "/authorize/answer", "/invitation", "/invitation/set-up"),
    *(path for path in CHANGES if path not in JSON_POSTS),
)
POSTS = (*FORM_POSTS, *JSON_POSTS)
GETS = (
    "/",
    "/sign-in",
    "/sign-in?next=/account&again=1",
    "/sign-out",
    "/account",
    "/authorize",
    "/authorize?client_id=nobody",
    "/invitation",
    "/invitation/set-up",
    "/ledger/check",
    "/ledger",
    "/federation/hospital",
    "/federation-callback/hospital",
    "/static/nothing.css",
    "/account/nothing",
    "/sign-in/..%2f..%2faccount",
    "/static/../account",
)
MUST_HAVE = {
    b"strict-transport-security": b"max-age=31536000; includeSubDomains",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
FOR_SCRIPTS = {
    b"strict-transport-security": b"max-age=31536000; includeSubDomains",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"content-security-policy": b"default-src 'none'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
}
POLICY = re.compile(
    r"default-src 'none'; script-src 'nonce-([0-9a-f]{32})'; style-src 'self'; img-src 'self' data:; "
    r"(?:connect-src 'self'; form-action 'self'|connect-src 'none'; form-action 'none'); "
    r"frame-ancestors 'none'; base-uri 'none'; object-src 'none'; "
    r"require-trusted-types-for 'script'; trusted-types 'none'"
)
COOKIE = re.compile(
    r"__Host-[a-z]+=[A-Za-z0-9._~+/=-]*; Path=/; Secure; HttpOnly; SameSite=(Lax|Strict)(; Max-Age=\d+)?"
)


def check(page: Page) -> None:
    """The headers, by the sort of the answer."""
    kind = page.header(b"content-type")
    for name, value in (FOR_SCRIPTS if kind == b"application/json" else MUST_HAVE).items():
        assert page.header(name) == value, name
    assert page.header(b"cache-control") == b"no-store"
    for line in page.cookies.values():
        assert COOKIE.fullmatch(line), line
    if kind == b"application/json":
        assert isinstance(page.json, dict)
    elif page.status == 303:
        assert page.body == b""
        assert (page.header(b"location") or b"").startswith(b"/")
    else:
        assert kind == b"text/html; charset=utf-8"
        found = POLICY.fullmatch((page.header(b"content-security-policy") or b"").decode())
        assert found is not None, page.header(b"content-security-policy")
        assert set(re.findall(r"<script[^>]*nonce=\"([^\"]*)\"", page.text)) <= {found[1]}
        assert len(re.findall("<script", page.text)) == len(re.findall(r"<script[^>]*nonce=", page.text))
        assert not re.search(r"\son[a-z]+=|\sstyle=|javascript:", page.text)


@pytest.mark.parametrize("known", [False, True])
async def test_every_answer_carries_the_headers(clinic: Clinic, known: bool) -> None:
    """All routes, asked by a stranger and by somebody who is signed in; well, and by a page of another origin."""
    person = await new_person(clinic)
    for path in GETS:
        browser = await sign_in(clinic, person) if known else Screenless(clinic)
        page = await browser.get(path)
        assert page.status < 500, path
        check(page)
    for path in POSTS:
        browser = await sign_in(clinic, person) if known else Screenless(clinic)
        kind = JSON if path in JSON_POSTS else FORM
        check(await browser.post(path, as_=kind))
        check(await browser.post(path, as_=kind, headers=()))
    assert {path.split("/")[1].partition("?")[0] for path in (*GETS, *POSTS)} == set(SEGMENTS)


async def test_the_page_that_checks_proofs_may_send_nothing(clinic: Clinic) -> None:
    for path, sends in (("/ledger/check", False), ("/sign-in", True)):
        policy = (await Screenless(clinic).get(path)).header(b"content-security-policy") or b""
        assert (b"connect-src 'none'; form-action 'none';" in policy) is not sends, path


async def test_a_nonce_is_never_the_same_twice(clinic: Clinic) -> None:
    policies = [(await Screenless(clinic).get("/sign-in")).header(b"content-security-policy") for _ in range(20)]
    assert len(set(policies)) == 20


async def test_what_is_linked_is_served_and_kept(clinic: Clinic) -> None:
    page = await Screenless(clinic).get("/sign-in")
    links = re.findall(r"(?:src|href)=\"(/static/[^\"]+)\"", page.text)
    assert len(links) == 2
    for link in links:
        file = await Screenless(clinic).get(link)
        assert file.status == 200
        assert file.header(b"cache-control") == b"public, max-age=31536000, immutable"
        assert file.header(b"x-content-type-options") == b"nosniff"
        assert file.header(b"cross-origin-resource-policy") == b"same-origin"
        assert (file.header(b"content-type") or b"").startswith((b"text/css", b"text/javascript"))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "GETT"])
async def test_there_are_pages_and_forms_and_nothing_else(clinic: Clinic, method: str) -> None:
    page = await Screenless(clinic).get("/account", method=method)
    check(page)
    assert page.status == 405
    assert page.header(b"allow") == b"GET, HEAD, POST"


async def test_a_head_is_answered_like_a_get_without_its_body(clinic: Clinic) -> None:
    whole, head = await Screenless(clinic).get("/sign-in"), await Screenless(clinic).get("/sign-in", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.header(b"content-length") == whole.header(b"content-length")


@pytest.mark.parametrize(
    "path", ["/account/nothing", "/sign-in/nothing", "/invitation/x/y", "/federation", "/static/x"]
)
async def test_what_is_not_there_is_a_page_that_leads_on(clinic: Clinic, path: str) -> None:
    page = await Screenless(clinic).get(path)
    check(page)
    assert page.status == 404
    assert 'href="/account"' in page.text


async def test_loading_again_where_a_form_went_is_no_dead_end(clinic: Clinic) -> None:
    for path in CHANGES:
        page = await Screenless(clinic).get(path)
        assert (page.status, page.header(b"location")) == (303, b"/account")


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((b"sec-fetch-site", b"same-origin"),),
        ((b"origin", b"https://evil.example"),),
        ((b"origin", b"null"),),
        ((b"origin", b"https://records.example.org"), (b"sec-fetch-site", b"same-site")),
        ((b"origin", b"https://auth.records.example.org"), (b"sec-fetch-site", b"cross-site")),
        ((b"origin", b"https://auth.records.example.org"), (b"sec-fetch-site", b"same-site")),
        ((b"origin", b"https://auth.records.example.org"), (b"sec-fetch-site", b"none")),
        ((b"origin", b"http://auth.records.example.org"),),
        ((b"origin", b"https://auth.records.example.org.evil.example"),),
        ((b"origin", b"https://auth.records.example.org:444"),),
    ],
)
async def test_only_pages_of_this_origin_change_anything(
    clinic: Clinic, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    """CSRF, at every route, by everything that another site can make a browser say."""
    browser = await sign_in(clinic, await new_person(clinic))
    for path in POSTS:
        page = await browser.post(path, headers=headers, as_=JSON if path in JSON_POSTS else FORM)
        assert page.status == 403, path
        assert page.cookies == {}
        assert page.entry is not None
        assert page.entry.outcome == "denied"
        assert "another origin" in page.entry.reason
    assert (await browser.get("/account")).status == 200


async def test_a_page_of_this_origin_may(clinic: Clinic) -> None:
    """The other half: it is these headers that are refused above, and no others."""
    for headers in (OWN_PAGE, OWN_PAGE[:1]):
        page = await Screenless(clinic).post("/sign-in", {"login": "x", "password": "x"}, headers=headers)
        assert page.status == 401


async def test_a_form_and_json_are_not_taken_for_each_other(clinic: Clinic) -> None:
    """No body is sniffed: a form of another site cannot be JSON, and JSON of a script is no form."""
    browser = await sign_in(clinic, await new_person(clinic))
    for path in (
        "/sign-in",
        "/invitation",
        "/authorize/answer",
        *CHANGES,
        "/sign-in/passkey/options",
        "/sign-in/passkey",
    ):
        for kind in (FORM if path in JSON_POSTS else JSON, b"text/plain", b"multipart/form-data", b""):
            page = await browser.post(path, as_=kind)
            assert page.status == 415, (path, kind)
