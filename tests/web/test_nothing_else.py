"""What is not there: other methods, files, wrapped answers, doors for strangers. Asked for, it is refused."""

import pytest

from carekeep.web.sign_in import SEGMENTS
from tests.web.clinic import Clinic, on_sqlite, records_kept

SIGN_IN = "https://auth.records.example.org"
API_PLACES = (
    "/healthz",
    "/fhir",
    "/fhir/metadata",
    "/fhir/Patient",
    "/fhir/Patient/ada",
    "/fhir/Patient/ada/$everything",
    "/fhir/.well-known/smart-configuration",
    "/bulk/00000000000000000000000000000000",
    "/auth/sign-in",
    "/auth/session",
    "/oauth/token",
    "/oauth/jwks",
    "/oauth/userinfo",
    "/ledger/key",
    "/ledger/checkpoint",
    "/devices",
    "/admin/accounts",
    "/admin/disposals",
    "/reviews",
    "/scim/v2/Users",
    "/links",
    "/shl/x",
    "/guests",
    "/.well-known/security.txt",
    "/.well-known/oauth-protected-resource",
)
PAGES = (
    *(f"{SIGN_IN}/{segment}" for segment in sorted(SEGMENTS)),
    f"{SIGN_IN}/.well-known/openid-configuration",
    f"{SIGN_IN}/.well-known/oauth-authorization-server",
)
METHODS = ("TRACE", "TRACK", "CONNECT", "DEBUG", "PROPFIND", "MOVE", "LOCK", "BREW")


@on_sqlite
@pytest.mark.parametrize("method", METHODS)
async def test_methods_that_nobody_uses_are_refused(clinic: Clinic, method: str) -> None:
    for place in (*API_PLACES[1:], *PAGES):  # not /healthz, which tells the same whatever is asked
        answer = await clinic.client.request(method, place, headers={"authorization": "Bearer x", "x-marked": "word"})
        assert answer.status_code in {401, 403, 404, 405}, (method, place)
        assert b"word" not in answer.content, "a TRACE gives back what was sent"


# What changes something, and where.
CHANGES = (
    "/auth/sign-in",
    "/auth/sign-out",
    "/oauth/token",
    "/oauth/revoke",
    "/oauth/register",
    "/oauth/par",
    "/oauth/launch",
    "/devices",
    "/devices/enrol",
    "/devices/mdm",
    "/admin/accounts/{id}/disable",
    "/admin/clients/{id}/approve",
    "/admin/disposals/{id}/approve",
    "/admin/holds/{id}/lift",
    "/reviews/{id}/answer",
    "/fhir/Patient/$find-in-emergency",
    "/ledger/import",
    "/links/{id}/files",
    "/shl/x",
    "/guests/prove",
    "/fhir/Patient/ada/$break-glass",
    "/fhir/Patient/ada/$meta-add",
    f"{SIGN_IN}/sign-out",
    f"{SIGN_IN}/sign-in/passkey",
    f"{SIGN_IN}/account/password",
    f"{SIGN_IN}/account/passkeys",
    f"{SIGN_IN}/account/sessions/end-all",
)


@on_sqlite
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("place", CHANGES)
async def test_what_changes_something_is_no_get(clinic: Clinic, method: str, place: str) -> None:
    token = clinic.tokens["administrator" if "admin" in place else "physician"]
    where = place.replace("{id}", clinic.accounts["ada"].id.hex())
    answer = await clinic.client.request(method, where, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code in {303, 400, 401, 403, 404, 405}, where
    assert answer.headers.get("location", "").startswith(("/account", "/sign-in")) or answer.status_code != 303
    assert (await clinic.ask("GET", "/auth/session", who="physician")).status == 200, "nobody was signed out"


@on_sqlite
@pytest.mark.parametrize("name", ["access_token", "token", "bearer_token", "authorization"])
async def test_a_token_in_the_url_is_none(clinic: Clinic, name: str) -> None:
    """RFC 6750 §2.3 is not supported: URLs are kept in too many places."""
    place = f"/fhir/Patient/ada?{name}={clinic.tokens['physician']}"
    assert (await clinic.client.get(place)).status_code == 401
    form = {name: clinic.tokens["physician"]}
    assert (await clinic.client.post("/fhir/Patient/_search", data=form)).status_code == 401


@on_sqlite
@pytest.mark.parametrize("name", ["callback", "jsonp", "cb"])
async def test_no_answer_is_wrapped_into_a_script(clinic: Clinic, name: str) -> None:
    for place in ("/fhir/Patient/ada", "/fhir/metadata", "/oauth/jwks", "/auth/session", "/scim/v2/Schemas"):
        answer = await clinic.ask("GET", f"{place}?{name}=taken", who="physician")
        assert not answer.body.lstrip().startswith((b"taken", b"/**/"))
        assert b"javascript" not in answer.headers["content-type"].encode()


FILES = (
    "/.git/config",
    "/.git/HEAD",
    "/.svn/entries",
    "/.env",
    "/carekeep.toml",
    "/carekeep.db",
    "/carekeep.keys",
    "/passphrase",
    "/tls/server.key",
    "/static/",
    "/static",
    "/static/../pages.py",
    "/static/..%2fpages.py",
    "/static/passkey.js",
    "/static/__init__.py",
    "/templates/layout.html",
    "/etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/src/carekeep/app.py",
    "/index.html",
    "/robots.txt",
)


@on_sqlite
@pytest.mark.parametrize("host", ["", SIGN_IN], ids=["api", "sign-in"])
@pytest.mark.parametrize("file", FILES)
async def test_no_file_of_the_installation_is_served(clinic: Clinic, host: str, file: str) -> None:
    answer = await clinic.client.get(f"{host}{file}")
    assert answer.status_code in {303, 404}
    assert answer.headers.get("location", "/account") == "/account"
    assert b"root:" not in answer.content
    assert "Index of" not in answer.text


@on_sqlite
@pytest.mark.parametrize("ending", ["/x.css", ".css", "%2fx.js", ";x.png", "%00.svg", "%3f.css", "/static/x.css"])
async def test_no_record_is_served_as_a_file(clinic: Clinic, ending: str) -> None:
    """A cache that keeps whatever is called .css would give it to the next who asks (web cache deception)."""
    answer = await clinic.ask("GET", f"/fhir/Patient/ada{ending}", who="physician")
    assert answer.status in {400, 404, 405}
    assert b"Moreau" not in answer.body
    assert answer.headers["cache-control"] == "no-store"


@on_sqlite
@pytest.mark.parametrize("path", ["/fhir/Patient/%2561da", "/fhir/%2550atient/ada", "/%2566hir/Patient/ada"])
async def test_what_was_encoded_twice_is_decoded_once(clinic: Clinic, path: str) -> None:
    once = path.replace("%25", "%")
    assert (await clinic.ask("GET", once, who="physician")).status == 200
    answer = await clinic.ask("GET", path, who="physician")
    assert answer.status in {400, 404}
    assert b"Moreau" not in answer.body


OPEN = {
    "/healthz",
    "/fhir/metadata",
    "/fhir/.well-known/smart-configuration",
    "/oauth/jwks",
    "/ledger/key",
    "/.well-known/oauth-protected-resource",
}


@on_sqlite
async def test_nothing_answers_strangers_but_what_should(clinic: Clinic) -> None:
    documents = (
        "/docs",
        "/openapi.json",
        "/swagger",
        "/redoc",
        "/metrics",
        "/debug",
        "/status",
        "/console",
        "/graphql",
    )
    before = await records_kept(clinic.system.database)
    answered = {place for place in (*API_PLACES, *documents) if (await clinic.client.get(place)).status_code == 200}
    assert answered == OPEN
    assert (await clinic.client.get("/healthz")).content == b"ok\n"
    assert await records_kept(clinic.system.database) == before


@on_sqlite
async def test_there_is_no_logout_by_other_parties(clinic: Clinic) -> None:
    """OpenID Connect RP-Initiated, Front-Channel and Back-Channel Logout: none is offered, and none is there."""
    document = (await clinic.client.get(f"{SIGN_IN}/.well-known/openid-configuration")).json()
    assert not [name for name in document if "logout" in name or "end_session" in name]
    for place in ("/logout", "/end_session", "/oauth/logout", "/connect/endsession"):
        assert (await clinic.client.get(f"{SIGN_IN}{place}")).status_code == 404
        assert (await clinic.client.get(place)).status_code == 404
