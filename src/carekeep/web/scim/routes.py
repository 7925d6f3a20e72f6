"""The door: the rest of this folder is loaded when somebody comes."""

import asyncio
import sys
from importlib import import_module

from carekeep.web.http import Receive, Scope, Send
from carekeep.web.services import Services

_REST = "carekeep.web.scim.serving"


class ScimRoutes:
    """The ASGI application at ``/scim``. Its one version is ``/scim/v2``."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        if _REST not in sys.modules:  # the models take a third of a second, in which other requests go on
            await asyncio.to_thread(import_module, _REST)
        from carekeep.web.scim.serving import serve  # noqa: PLC0415 - see above

        await serve(self._services, scope, receive, send)
