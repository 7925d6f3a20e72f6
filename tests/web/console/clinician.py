"""Somebody at the console, without a screen: a session, forms, and what each answer and its entry say."""

from dataclasses import dataclass
from urllib.parse import urlencode

from carekeep.audit import Entry
from carekeep.identity.apps.codes import Code
from carekeep.identity.apps.grant import Context
from tests.web.clinic import Clinic
from tests.web.knocking import knock

HOST = b"console.records.example.org"
ORIGIN = b"https://" + HOST
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Answer:
    """A page."""

    status: int
    text: str
    place: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Clinician:
    """A browser with a session of one account."""

    clinic: Clinic
    cookie: str

    async def get(self, path: str, language: str = "en") -> Answer:
        return await self._ask("GET", path, b"", ORIGIN, language)

    async def post(self, path: str, **fields: str) -> Answer:
        return await self._ask("POST", path, urlencode(fields).encode(), ORIGIN)

    async def forge(self, path: str, **fields: str) -> Answer:
        """As a page of somebody else would have the browser send it."""
        return await self._ask("POST", path, urlencode(fields).encode(), b"https://evil.example")

    async def _ask(self, method: str, path: str, body: bytes, origin: bytes, language: str = "en") -> Answer:
        path, _, query = path.partition("?")
        headers = [
            (b"host", HOST),
            (b"origin", origin),
            (b"accept-language", language.encode()),
            (b"cookie", f"__Host-session={self.cookie}".encode()),
            (b"content-type", b"application/x-www-form-urlencoded"),
        ]
        reply = await knock(self.clinic, method, path.encode(), query.encode(), body=[body], headers=headers, who=None)
        named = reply.headers.get(b"x-ledger-entry")
        entry = await self.clinic.entry(named.decode()) if named else None
        return Answer(reply.status, reply.body.decode(), reply.headers.get(b"location", b"").decode(), entry)


async def at_console(clinic: Clinic, login: str = "physician") -> Clinician:
    """Somebody who came in."""
    account, now = clinic.accounts[login], clinic.time()
    code = Code(
        client="console",
        account=account.id.hex(),
        redirect_uri="",
        scopes="openid",
        challenge="",
        context=Context(),
        assurance=2,
        authenticated_ms=now,
        methods=("pwd", "otp"),
        session_ends_ms=now + 8 * HOUR_MS,
        session="00" * 16,
    )
    entered = clinic.system.services.browser_sessions.prepare_enter("console", account, code, address=None)
    await clinic.record("came in", entered)
    return Clinician(clinic, entered.value.cookie.reveal_text())
