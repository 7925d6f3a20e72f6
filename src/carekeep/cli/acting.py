"""Commands that a person carries out as themself: to have the passphrase is not enough, and one is not taken for two.

The person signs in with password and code, and the request then goes the way of every request: through the web
application, its policies and its entry, only not through a socket.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click
import orjson

from carekeep.access import Action
from carekeep.app import System
from carekeep.cli.console import fail
from carekeep.cli.operator import record_operation
from carekeep.encryption import Secret
from carekeep.identity import SignInRefused
from carekeep.web import WebApplication

_LIFETIME_MS = 300_000
_REFUSED = 400

as_option = click.option("--as", "login", required=True, metavar="LOGIN", help="Your own login.")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a person typed. The repr of a Secret hides it."""

    login: str
    password: Secret
    code: str | None


def ask_credentials(login: str) -> Credentials:
    """Prompt for password and code."""
    password = Secret(click.prompt(f"Password of {login}", hide_input=True, err=True))
    code = click.prompt("One-time code (empty for none)", default="", show_default=False, err=True) or None
    return Credentials(login, password, code)


class Acting:
    """Somebody who signed in for the length of one command."""

    def __init__(self, system: System, bearer: Secret) -> None:
        self._application = WebApplication(system.services)
        self._host = urlsplit(system.services.fhir_url).netloc.encode()
        self._bearer = bearer

    @classmethod
    async def sign_in(cls, system: System, credentials: Credentials) -> "Acting":
        """Sign in with a session of five minutes. Ends the command when it is refused, which is recorded."""
        services = system.services
        try:
            signed_in = await services.sign_in.verify(credentials.login, credentials.password, credentials.code)
        except SignInRefused as refused:
            await record_operation(services, Action.SIGN_IN, refused.reason, outcome="denied")
            fail("Login, password or code is wrong. A passkey is of no use here: use the API.")
        who = signed_in.value
        issued = services.tokens.prepare_issue(who.account, who.assurance, _LIFETIME_MS, methods=who.methods)
        told = f"account {who.account.id.hex()} signed in at the machine"
        await record_operation(services, Action.SIGN_IN, told, signed_in, issued)
        return cls(system, issued.value.secret)

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer to one request. Ends the command with what it says when it is a refusal."""
        status, content = await self._exchange(method, path, orjson.dumps(body or {}))
        answer: dict[str, Any] = orjson.loads(content or b"{}")
        if status >= _REFUSED:
            fail(" ".join(issue.get("diagnostics", "") for issue in answer.get("issue", [])) or f"refused: {status}")
        return answer

    async def _exchange(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        url, messages = urlsplit(path), []
        scope: MutableMapping[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "https",
            "path": url.path,
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "headers": [
                (b"host", self._host),
                (b"authorization", b"Bearer " + self._bearer.reveal()),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
            "client": ("127.0.0.1", 0),
        }

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            messages.append(message)

        await self._application(scope, receive, send)
        sent = b"".join(each.get("body", b"") for each in messages if each["type"] == "http.response.body")
        return messages[0]["status"], sent
