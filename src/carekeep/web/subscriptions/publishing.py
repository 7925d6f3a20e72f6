"""``/.well-known/http-message-signatures-directory``: the key that signs notifications, for those who receive them.

The path is that of the IETF draft on directories of HTTP message signature keys; the content is a JWK Set (RFC 7517).
"""

from carekeep.web.http import Receive, Response, Scope, Send, send_response
from carekeep.web.problems import answer, problem
from carekeep.web.services import Services
from carekeep.web.subscriptions.signing import key_set

PATH = "/.well-known/http-message-signatures-directory"
_JWK_SET = b"application/http-message-signatures-directory+json"


class SigningKeys:
    """The ASGI application of the path. Open to anyone: the key is public."""

    def __init__(self, services: Services) -> None:
        self._body = key_set(services.keyring.notification_key)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        del receive
        if scope["path"] != PATH:
            response = answer(problem(404, "not-found", "There is nothing at this URL."))
        elif scope["method"] != "GET":
            response = answer(problem(405, "not-supported", "Here only GET can be used."))
        else:
            response = Response(200, self._body, _JWK_SET)
        await send_response(response, send)
