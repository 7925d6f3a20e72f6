"""The organization's own sites as clients. They are part of this server: no row keeps them, nobody changes them."""

from dataclasses import dataclass
from typing import Final

from carekeep.identity.apps.client import Client, ClientAuthentication, ClientState

PORTAL: Final = "portal"
CONSOLE: Final = "console"
ENTRANCE: Final = "/entered"
"""Where the sign-in site sends people back to, at each of the sites."""

_IDS = {PORTAL: f"{1:032x}", CONSOLE: f"{2:032x}"}  # no random id looks like these


@dataclass(frozen=True, slots=True)
class OwnSite:
    """One of our sites for people: its name, and its origin (``https://host[:port]``)."""

    name: str
    origin: str

    @property
    def client_id(self) -> str:
        """The id by which it asks the sign-in site."""
        return _IDS[self.name]

    @property
    def entrance(self) -> str:
        """The redirect URI of its sign-ins."""
        return self.origin + ENTRANCE

    def as_client(self) -> Client:
        """The client that it is. It is given nothing but who signed in; its sessions are those of the person."""
        return Client(
            id=self.client_id,
            name=f"Carekeep {self.name}",
            authentication=ClientAuthentication.NONE,
            created_ms=0,
            state=ClientState.APPROVED,
            redirect_uris=(self.entrance,),
            scopes="openid",
            first_party=True,
        )
