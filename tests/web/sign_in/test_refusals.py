"""Bad input and bad luck at the sign-in host: bounded, in the ledger, and the same whoever one claims to be."""

import re
from dataclasses import replace

import pytest

from carekeep.identity import SignedIn
from tests.web.clinic import Clinic, on_sqlite
from tests.web.sign_in.pages import FORM, JSON, PASSWORD, Page, Screenless, code, new_person, sign_in

pytestmark = on_sqlite

MINUTE_MS = 60_000


async def test_whoever_one_claims_to_be_the_answer_is_the_same(clinic: Clinic) -> None:
    """User enumeration: nobody, a wrong password, a wrong code, no password at all, disabled."""
    person, gone = await new_person(clinic), await new_person(clinic, "disabled")
    services = clinic.system.services
    disabled = services.accounts.prepare_change(replace(gone.account, disabled=True))
    await clinic.record("disabled", disabled)
    tries = [
        {"login": "nobody", "password": PASSWORD, "code": "123456"},
        {"login": person.login, "password": "wrong", "code": "123456"},
        {"login": person.login, "password": PASSWORD, "code": ""},
        {"login": person.login, "password": PASSWORD, "code": "000000"},
        {"login": "physician", "password": PASSWORD, "code": ""},
        {"login": gone.login, "password": PASSWORD, "code": code(clinic, gone)},
    ]
    seen, reasons = set(), []
    for form in tries:
        page = await Screenless(clinic).post("/sign-in", form)
        text = re.sub(r'nonce="[0-9a-f]{32}"', "", page.text).replace(f'value="{form["login"]}"', "")
        names = tuple(name for name, _ in page.headers if name != b"x-request-id")
        seen.add((page.status, text, names))
        assert page.entry is not None
        reasons.append((page.entry.outcome, page.entry.reason))
    assert len(seen) == 1
    assert reasons == [
        ("denied", "no account has this login"),
        ("denied", "wrong password"),
        ("denied", "no code"),
        ("denied", "wrong or used code"),
        ("denied", "the account has no password"),
        ("denied", "the account is disabled"),
    ]


async def test_too_many_tries_look_the_same_for_nobody(clinic: Clinic) -> None:
    person = await new_person(clinic)
    seen = []
    for login in ("nobody", person.login):
        pages = [await Screenless(clinic).post("/sign-in", {"login": login, "password": "wrong"}) for _ in range(20)]
        seen.append([page.status for page in pages])
        assert pages[-1].status == 429
        assert pages[-1].entry is not None
        assert pages[-1].entry.outcome == "denied"
    assert seen[0] == seen[1]


async def test_a_passkey_sign_in_tells_nobody_anything(clinic: Clinic) -> None:
    options = (await Screenless(clinic).post("/sign-in/passkey/options", as_=JSON)).json
    assert options["allowCredentials"] == []
    assert options["userVerification"] == "required"
    assert options["rpId"] == "auth.records.example.org"


async def test_a_code_that_was_used_signs_nobody_in_again(clinic: Clinic) -> None:
    person = await new_person(clinic)
    form = {"login": person.login, "password": PASSWORD, "code": code(clinic, person)}
    assert (await Screenless(clinic).post("/sign-in", form)).status == 200
    page = await Screenless(clinic).post("/sign-in", form)
    assert page.status == 401
    assert page.entry is not None
    assert page.entry.reason == "wrong or used code"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"login=a&login=b", FORM, 400),
        (b"login=%ff", FORM, 400),
        (b"login=\xc3\xa9", FORM, 400),
        (b"&".join(b"f%d=1" % number for number in range(300)), FORM, 400),
        (b"login=" + b"a" * 20_000, FORM, 413),
        (b"a" * 40_000, FORM, 413),
        (b"{", JSON, 400),
        (b"[]", JSON, 400),
        (b"null", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b'{"credential":' + b"[" * 2_000 + b"]" * 2_000 + b"}", JSON, 400),
        (b'{"credential":' + b"[" * 300 + b"]" * 300 + b"}", JSON, 400),
        (b'{"credential":"' + b"a" * 70_000 + b'"}', JSON, 413),
        (b'{"credential":null}', JSON, 401),
        (b'{"credential":{"id":1}}', JSON, 401),
        (b'{"credential":{},"next":{"a":1}}', JSON, 401),
        (b"{}", JSON, 401),
    ],
)
async def test_bad_bodies_are_refused_in_their_own_format(
    clinic: Clinic, body: bytes, kind: bytes, status: int
) -> None:
    page = await Screenless(clinic).post("/sign-in" if kind == FORM else "/sign-in/passkey", body, as_=kind)
    assert page.status == status, page.text
    if kind == JSON:
        assert set(page.json) == {"message"}
        assert len(page.json["message"]) > 10
    else:
        assert page.text.startswith("<!doctype html>")
    assert page.cookies == {}


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"p{number}=1" for number in range(300)),
        "client_id=%ff",
        "client_id=a&client_id=b",
        "signed_in_since=" + "A" * 4_000,
        "request_uri=urn:x&client_id=" + "0" * 32,
    ],
)
async def test_broken_authorization_requests_lead_nowhere(clinic: Clinic, query: str) -> None:
    page = await Screenless(clinic).get(f"/authorize?{query}")
    assert page.status == 400
    assert page.header(b"location") is None
    browser = await sign_in(clinic, await new_person(clinic))
    page = await browser.post("/authorize/answer", {"request": query, "answer": "allow"})
    assert page.status == 400


@pytest.mark.parametrize(
    "login", ["", " ", "a" * 5_000, "\x00", "\ud7ff", "'; DROP TABLE account; --", "\uff21da", "a\nb"]
)
async def test_logins_that_nobody_has(clinic: Clinic, login: str) -> None:
    page = await Screenless(clinic).post("/sign-in", {"login": login, "password": PASSWORD})
    assert page.status == 401
    assert page.entry is not None
    assert login.strip() == "" or login not in repr(page.entry)  # people type passwords there


@pytest.mark.parametrize(
    ("cookie", "value"),
    [
        ("__Host-session", "A" * 43),
        ("__Host-session", "../../etc/passwd"),
        ("__Host-session", "A" * 5_000),
        ("session", "A" * 43),
        ("__Host-totp", "AAAA"),
        ("__Host-ceremony", "AAAA"),
        ("__Host-invitation", "cki_" + "A" * 43),
        ("__Host-browser", "AAAA"),
        ("__Host-federation", "AAAA"),
    ],
)
async def test_cookies_that_we_did_not_make_are_none(clinic: Clinic, cookie: str, value: str) -> None:
    browser = Screenless(clinic, {cookie: value})
    assert (await browser.get("/account")).status == 303
    assert (await browser.get("/invitation/set-up")).status == 404
    assert (await browser.post("/sign-in/passkey", {"credential": {}}, as_=JSON)).status == 401
    assert (await browser.get("/federation-callback/hospital?state=AAAA&code=1")).status == 401
    assert (await sign_in(clinic, await new_person(clinic), browser)).kept["__Host-session"] != value


async def test_each_refusal_is_in_the_ledger(clinic: Clinic) -> None:
    """With a reason for those who read it, and none of what was typed."""
    browser = await sign_in(clinic, await new_person(clinic))
    refused = {
        "password": await browser.post("/account/password", {"password": "password123"}),
        "codes": await _wrong_code(browser),
        "passkey": await browser.post("/account/passkeys", {"name": "x", "credential": {}}, as_=JSON),
        "invitation": await browser.post("/invitation", {"token": "cki_" + "A" * 43}),
        "authorize": await browser.get("/authorize?client_id=nobody"),
        "federation": await browser.get("/federation/nobody"),
        "callback": await browser.get("/federation-callback/nobody?code=1&state=2"),
    }
    for name, page in refused.items():
        assert 400 <= page.status < 500, name
        assert page.entry is not None, name
        assert page.entry.outcome == "denied", name
        assert len(page.entry.reason) > 10, name
        assert "password123" not in repr(page.entry)
        assert "cki_" not in repr(page.entry)


async def _wrong_code(browser: Screenless) -> Page:
    await browser.post("/account/codes")
    return await browser.post("/account/codes", {"code": "12345"})


async def test_what_is_somebody_elses_is_not_there(clinic: Clinic) -> None:
    """Ids of another person's passkeys, sessions, apps and devices do nothing."""
    mine, theirs = await new_person(clinic), await new_person(clinic, "another")
    browser, other = await sign_in(clinic, mine), await sign_in(clinic, theirs)
    services = clinic.system.services
    (session,) = await services.browser_sessions.of_account(theirs.account.id)
    assert (await browser.post("/account/sessions/end", {"id": session.id})).status == 303
    for place in ("passkeys/remove", "apps/stop", "devices/lost"):
        assert (await browser.post(f"/account/{place}", {"id": "ab" * 16})).header(b"location") == b"/account"
    assert (await other.get("/account")).status == 200
    assert (await browser.get("/account")).status == 200


async def test_a_key_that_waits_is_for_one_account(clinic: Clinic) -> None:
    """The cookie with a new authenticator key is worth nothing in somebody else's session."""
    mine, theirs = await new_person(clinic), await new_person(clinic, "another")
    attacker, victim = await sign_in(clinic, mine), await sign_in(clinic, theirs)
    await attacker.post("/account/codes")
    victim.kept["__Host-totp"] = attacker.kept["__Host-totp"]
    page = await victim.post("/account/codes", {"code": "123456"})
    assert "Give this key to an authenticator app" in page.text  # a new key, and no word of a wrong code
    assert page.status == 200


@pytest.mark.parametrize("path", ["/account/passkeys/options", "/account/passkeys"])
async def test_a_script_is_told_where_to_sign_in(clinic: Clinic, path: str) -> None:
    """A redirect would hand it the page as an answer."""
    page = await Screenless(clinic).post(path, as_=JSON)
    assert page.status == 401
    assert page.json["location"] == "/sign-in?next=%2Faccount"
    browser = await sign_in(clinic, await new_person(clinic))
    clinic.time.now_ms += 16 * MINUTE_MS
    page = await browser.post(path, as_=JSON)
    assert page.status == 401
    assert page.json["location"] == "/sign-in?next=%2Faccount&again=1"
    assert page.entry is not None
    assert page.entry.outcome == "denied"


async def test_one_factor_makes_no_stronger_way_in(clinic: Clinic) -> None:
    """Let in by a directory with one factor, or by a password alone: then the account's second factor comes first."""
    person = await new_person(clinic)
    browser, services = Screenless(clinic), clinic.system.services
    weak = services.browser_sessions.prepare_start(SignedIn(person.account, 1, ("fed",)), address=None)
    await clinic.record("signed in by a directory", weak)
    browser.kept["__Host-session"] = weak.value.cookie.reveal_text()
    for place in ("passkeys/options", "passkeys"):
        page = await browser.post(f"/account/{place}", as_=JSON)
        assert (page.status, page.json["location"]) == (401, "/sign-in?next=%2Faccount&again=1")
        assert page.entry is not None
        assert page.entry.outcome == "denied"
    for place in ("password", "codes", "recovery-codes", "passkeys/remove"):
        page = await browser.post(f"/account/{place}", {"password": "seventeen swans swim south"})
        assert page.header(b"location") == b"/sign-in?next=%2Faccount&again=1"


async def test_secrets_are_shown_once(clinic: Clinic) -> None:
    person = await new_person(clinic)
    browser = await sign_in(clinic, person)
    shown = await browser.post("/account/recovery-codes")
    codes = re.findall(r"<li>([A-Z2-7-]{19})</li>", shown.text)
    assert len(codes) == 10
    for path in ("/account", "/sign-in?again=1"):
        page = await browser.get(path)
        assert not any(secret in page.text for secret in codes)
        assert browser.kept["__Host-session"] not in page.text
        assert PASSWORD not in page.text
    assert all(secret not in repr(shown.entry) for secret in codes)


async def test_a_password_that_was_refused_is_not_in_the_page(clinic: Clinic) -> None:
    browser = await sign_in(clinic, await new_person(clinic))
    page = await browser.post("/account/password", {"password": "correct-horse-1"})
    assert "correct-horse-1" not in page.text
    page = await Screenless(clinic).post("/sign-in", {"login": "x", "password": "hunter2hunter2", "code": "654321"})
    assert "hunter2" not in page.text
    assert "654321" not in page.text
