"""Letting an app ask for tokens, once somebody has looked at it."""

from dataclasses import replace

from carekeep.identity.account import Account, Kind
from carekeep.identity.apps.client import CLIENT_CREDENTIALS, Client, ClientInvalid, ClientState
from carekeep.identity.apps.clients import Clients
from carekeep.storage import Prepared


def prepare_approve(clients: Clients, client: Client, account: Account | None = None) -> Prepared[Client]:
    """The client as approved.

    ``account``: as whom it acts on nobody's behalf; None leaves the one that it has. No app chooses it for itself, so
    who approves one that acts for itself must name it. Raises ClientInvalid.
    """
    if account is not None and (account.kind is not Kind.APP or account.disabled):
        raise ClientInvalid("An app acts for itself as an account of kind app that is not disabled.", "account")
    acts_as = client.account if account is None else account.id.hex()
    if CLIENT_CREDENTIALS in client.grant_types and acts_as is None:
        message = "This app acts for itself (client_credentials): say as which account of kind app."
        raise ClientInvalid(message, "account")
    return clients.prepare_change(replace(client, state=ClientState.APPROVED, account=acts_as))
