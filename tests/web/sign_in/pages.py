"""A browser without a screen for the sign-in host: cookies, forms, and what each answer and its entry say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import orjson

from carekeep.audit import Entry
from carekeep.encryption import Secret, new_totp_key, totp_code
from carekeep.identity import Account, Kind
from tests.web.clinic import Clinic
from tests.web.knocking import Header, knock

HOST = b"auth.records.example.org"
ORIGIN = b"https://auth.records.example.org"
FORM, JSON = b"application/x-www-form-urlencoded", b"application/json"
OWN_PAGE: tuple[Header, ...] = ((b"origin", ORIGIN), (b"sec-fetch-site", b"same-origin"))
PASSWORD = "seventeen swans swim south"  # noqa: S105 - a test's


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: headers in order, since some stand more than once."""

    status: int
    headers: tuple[Header, ...]
    body: bytes = field(repr=False)
    entry: Entry | None

    def header(self, name: bytes) -> bytes | None:
        """The only header of this name."""
        found = [value for each, value in self.headers if each == name]
        assert len(found) <= 1, (name, found)
        return found[0] if found else None

    @property
    def cookies(self) -> dict[str, str]:
        """What the browser is told to keep, by name: the whole line."""
        lines = [value.decode() for name, value in self.headers if name == b"set-cookie"]
        return {line.partition("=")[0]: line for line in lines}

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


@dataclass(slots=True)
class Screenless:
    """Keeps cookies like a browser, and says whatever it is told to say."""

    clinic: Clinic
    kept: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str, *, headers: Iterable[Header] = (), method: str = "GET") -> Page:
        """Open a path, with its query."""
        return await self._ask(method, path, b"", headers)

    async def post(
        self,
        path: str,
        body: Mapping[str, str] | bytes | Any = None,
        *,
        headers: Iterable[Header] = OWN_PAGE,
        as_: bytes = FORM,
    ) -> Page:
        """Send a form, or with ``as_=JSON`` JSON, as a page of the same origin does; ``headers`` may say otherwise."""
        if isinstance(body, bytes):
            content = body
        else:
            content = orjson.dumps(body or {}) if as_ == JSON else urlencode(body or {}).encode()
        return await self._ask("POST", path, content, ((b"content-type", as_), *headers))

    async def _ask(self, method: str, path: str, body: bytes, headers: Iterable[Header]) -> Page:
        place, _, query = path.partition("?")
        given = [(b"host", HOST), *headers]
        if self.kept:
            given.append((b"cookie", "; ".join(f"{name}={value}" for name, value in self.kept.items()).encode()))
        reply = await knock(self.clinic, method, place.encode(), query.encode(), body=[body], headers=given, who=None)
        named = reply.headers.get(b"x-ledger-entry")
        entry = await self.clinic.entry(named.decode()) if named else None
        page = Page(reply.status, reply.all_headers, reply.body, entry)
        for name, line in page.cookies.items():
            value = line.partition("=")[2].partition(";")[0]
            self.kept[name] = value
            if "Max-Age=0" in line:
                del self.kept[name]
        return page


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody with a password and codes."""

    account: Account
    key: Secret
    login: str


async def new_person(clinic: Clinic, login: str = "amelie", **given: Any) -> Known:
    """A patient's account, unless ``given`` says otherwise."""
    key = new_totp_key()
    facts: dict[str, Any] = {"name": "Ada Moreau", "fhir_user": "Patient/ada", "password": Secret(PASSWORD)} | given
    kind = facts.pop("kind", Kind.PATIENT)
    made = await clinic.system.services.accounts.prepare_create(kind, login=login, totp_key=key, **facts)
    await clinic.record("an account was made", made)
    return Known(made.value, key, login)


def code(clinic: Clinic, person: Known) -> str:
    """A code that was not used yet."""
    clinic.time.now_ms += 30_000
    return totp_code(person.key, clinic.time())


async def sign_in(
    clinic: Clinic, person: Known, browser: Screenless | None = None, next_: str = "/account"
) -> Screenless:
    """A browser in which they are signed in."""
    browser = browser or Screenless(clinic)
    form = {"login": person.login, "password": PASSWORD, "code": code(clinic, person), "next": next_}
    page = await browser.post("/sign-in", form)
    assert page.status == 200, page.text
    return browser
