"""The defences of pages, each by itself: cookies, origins, redirects, policies, static files."""

import re
from collections.abc import Mapping

import orjson
import pytest

from carekeep.identity.outside import Fetched, RelyingParty
from carekeep.web.browser import (
    Pages,
    StaticFiles,
    cookie,
    drop_cookie,
    read_cookie,
    read_form,
    refuse_other_origins,
    safe_path,
)
from carekeep.web.http import BadRequest, Request
from carekeep.web.problems import Problem
from carekeep.web.sign_in import outside
from carekeep.web.sign_in.signing_in import signed_out
from tests.house.tree import PACKAGE
from tests.identity.outside.test_beginning import METADATA
from tests.identity.outside.test_relying_party import HOSPITAL
from tests.web.clinic import Clinic, on_sqlite

ORIGIN = "https://auth.records.example.org"
LARGEST = 4096  # bytes of name and value that a browser keeps (RFC 6265bis §5.6)


def request_with(headers: Mapping[bytes, bytes], body: bytes = b"") -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body}

    return Request("POST", ("account",), "", dict(headers), None, receive)


@pytest.mark.parametrize("same_site", ["Lax", "Strict"])
def test_a_cookie_is_for_this_host_over_tls_and_for_no_script(same_site: str) -> None:
    name, value = cookie("session", "x", same_site=same_site, seconds=60)  # type: ignore[arg-type]
    assert name == b"set-cookie"
    assert value.decode() == f"__Host-session=x; Path=/; Secure; HttpOnly; SameSite={same_site}; Max-Age=60"
    _, dropped = drop_cookie("session")
    assert dropped.decode() == "__Host-session=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"


@on_sqlite
async def test_no_cookie_is_too_large_for_a_browser(clinic: Clinic) -> None:
    """The largest is the one that goes along to an outside directory: it holds where the person goes on to."""

    async def metadata(_url: str, _headers: Mapping[str, str], _body: bytes | None) -> Fetched:
        return Fetched(200, orjson.dumps(METADATA))

    party = RelyingParty((HOSPITAL,), clinic.system.services.keyring, metadata, f"{ORIGIN}/federation-callback")
    begun = await party.begin("hospital", "/" + "x" * outside._LONGEST_NEXT)  # noqa: SLF001 - what it is limited to
    _, header = cookie("outside", begun.state, same_site="Lax")
    pair = header.partition(b";")[0]
    assert len(pair) < LARGEST
    assert read_cookie(request_with({b"cookie": pair}), "outside") == begun.state
    assert read_cookie(request_with({b"cookie": b"__Host-x=" + b"y" * LARGEST}), "x") is None


@on_sqlite
async def test_each_page_has_a_policy_with_a_nonce_of_its_own(clinic: Clinic) -> None:
    pages = Pages(StaticFiles())
    policies = set()
    for _ in range(2):
        page = pages.page("message.html", title="A <b>title", text="<script>alert(1)</script>", link=("/account", "On"))
        headers = dict(page.headers)
        assert headers[b"cache-control"] == b"no-store"
        policies.add(headers[b"content-security-policy"].decode())
        assert b"<script>alert" not in page.body
        assert b"A &lt;b&gt;title" in page.body
    assert len(policies) == 2
    for policy in policies:
        directives = dict(each.strip().split(" ", 1) for each in policy.split(";"))
        assert directives["default-src"] == directives["object-src"] == directives["base-uri"] == "'none'"
        assert directives["frame-ancestors"] == "'none'"
        assert re.fullmatch(r"'nonce-[0-9a-f]{32}'", directives["script-src"])
        assert "unsafe" not in policy
    shown = await clinic.client.get(f"{ORIGIN}/sign-in")
    nonce = re.search(r"'nonce-([0-9a-f]{32})'", shown.headers["content-security-policy"])
    assert nonce is not None
    assert f'nonce="{nonce[1]}"' in shown.text


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({b"origin": ORIGIN.encode(), b"sec-fetch-site": b"same-origin"}, True),
        ({b"origin": ORIGIN.encode()}, True),  # an older browser
        ({}, False),
        ({b"sec-fetch-site": b"same-origin"}, False),
        ({b"origin": b"null", b"sec-fetch-site": b"same-origin"}, False),
        ({b"origin": ORIGIN.encode(), b"sec-fetch-site": b"cross-site"}, False),
        ({b"origin": ORIGIN.encode(), b"sec-fetch-site": b"same-site"}, False),
        ({b"origin": b"https://records.example.org", b"sec-fetch-site": b"same-site"}, False),
        ({b"origin": b"https://auth.records.example.org.evil.example"}, False),
        ({b"origin": ORIGIN.replace("https", "http").encode()}, False),
        ({b"origin": ORIGIN.encode() + b":8443"}, False),
    ],
)
def test_only_a_page_of_ours_changes_something(headers: dict[bytes, bytes], *, is_ours: bool) -> None:
    if is_ours:
        refuse_other_origins(request_with(headers), ORIGIN)
        return
    with pytest.raises(Problem) as refused:
        refuse_other_origins(request_with(headers), ORIGIN)
    assert refused.value.status == 403


@pytest.mark.parametrize(
    "place",
    [
        "https://evil.example.org/",
        "//evil.example.org/",
        "/\\evil.example.org/",
        "/\t/evil.example.org/",
        "\\\\evil.example.org",
        "javascript:alert(1)",
        "account",
        "/account\r\nset-cookie: x=y",
        "/account#x",
        "",
        "/" + "x" * 6001,
    ],
)
def test_nobody_is_sent_to_another_host_by_a_link(place: str) -> None:
    assert safe_path(place, "/account") == "/account"
    assert safe_path("/authorize?client_id=x&scope=a%20b", "/account") == "/authorize?client_id=x&scope=a%20b"


def test_static_files_are_those_of_the_package() -> None:
    static, folder = StaticFiles(), PACKAGE / "web" / "browser" / "static"
    for file in folder.iterdir():
        answer = static.answer(static.url(file.name).removeprefix("/static/"))
        assert answer is not None
        assert (answer.status, answer.body) == (200, file.read_bytes())
        assert b"default-src 'none'" in dict(answer.headers)[b"content-security-policy"]
        assert answer.content_type.partition(b";")[0] in {b"text/css", b"text/javascript", b"image/svg+xml"}
    for name in ("../pages.py", "..%2fpages.py", "passkey.js", "", ".", "__init__.py", "/etc/passwd"):
        assert static.answer(name) is None


def test_signing_out_clears_the_browser() -> None:
    headers = signed_out().headers
    assert {b'"cache"', b'"storage"'} <= set(dict(headers)[b"clear-site-data"].split(b", "))
    dropped = [value for name, value in headers if name == b"set-cookie"]
    assert any(value.startswith(b"__Host-session=;") and b"Max-Age=0" in value for value in dropped)


@pytest.mark.parametrize("body", [b"login=a&login=b", b"login=a&password=x&login=", b"l\xc3\xb6gin=a"])
async def test_a_field_that_stands_twice_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        await read_form(request_with({b"content-type": b"application/x-www-form-urlencoded"}, body))
