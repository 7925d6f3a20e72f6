"""Which client sends a request, and how it proves that. There are no client secrets that could leak.

A client proves itself in the way that it was registered with, and in no other: an app without a key cannot be taken for
one that has one, and whoever has a key must use it.
"""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace

from carekeep.identity import Binding, BindingKind
from carekeep.identity.apps.assertions import AssertionRefused
from carekeep.identity.apps.business import Business
from carekeep.identity.apps.client import REFRESH_TOKEN, Client, ClientAuthentication
from carekeep.identity.apps.proofs import ProofRefused, Proven
from carekeep.identity.apps.public_keys import thumbprint_of
from carekeep.identity.apps.signed import NotSigned, take_apart
from carekeep.storage import Prepared
from carekeep.web.http import Request
from carekeep.web.oauth.protocol import Refused, invalid_client, invalid_request
from carekeep.web.oauth.urls import Urls
from carekeep.web.services import Services

_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LONGEST_ASSERTION = 16_384


@dataclass(frozen=True, slots=True)
class Caller:
    """The client that sends a request.

    ``binding``: the key that it proved to have, to which its tokens are bound. ``asserted``: the use of its assertion,
    ``proven`` its DPoP proof, if there were any.
    """

    client: Client
    binding: Binding | None = None
    asserted: Prepared[Business | None] | None = None
    proven: Proven | None = None

    @property
    def once(self) -> tuple[Prepared[Business | None], ...]:
        """What must be committed so that its proofs are not used again."""
        shown = (self.asserted, self.proven.once if self.proven is not None else None)
        return tuple(each for each in shown if each is not None)

    async def check_replay(self, services: Services) -> None:
        """After a conflict: whether it was a proof that was used before. Raises Refused."""
        if self.asserted is not None and await services.assertions.is_replay(self.asserted):
            raise invalid_client(f"the assertion of the client {self.client.id} was used before")
        if self.proven is not None and await services.proofs.is_replay(self.proven):
            raise Refused("invalid_dpop_proof", "the proof was used before", "The proof was used before.")


async def authenticate(services: Services, urls: Urls, request: Request, parameters: Mapping[str, str]) -> Caller:
    """The client of a request to an endpoint for clients. Raises Refused, with one answer for whatever was wrong."""
    if b"authorization" in request.headers or "client_secret" in parameters:
        raise invalid_client("a client secret was sent, and there are none")
    assertion = parameters.get("client_assertion")
    client = await _client(services, parameters, assertion)
    match client.authentication:
        case ClientAuthentication.PRIVATE_KEY_JWT:
            return Caller(client, asserted=await _verified(services, urls, request, client, parameters))
        case ClientAuthentication.CERTIFICATE:
            binding = _certificate(request)
            if not any(hmac.compare_digest(binding.thumbprint, known) for known in client.certificates):
                raise invalid_client(f"the certificate is not one of the client {client.id}")
            return Caller(client, binding)
    if assertion is not None:
        raise invalid_client(f"the client {client.id} is registered without a key, and sent an assertion")
    return Caller(client)


async def _client(services: Services, parameters: Mapping[str, str], assertion: str | None) -> Client:
    claimed = _claimed(assertion) if assertion is not None else None
    id_ = parameters.get("client_id", claimed)
    if id_ is None and parameters.get("grant_type") == REFRESH_TOKEN:
        id_ = await _holder(services, parameters.get("refresh_token", ""))
    if id_ is None:
        raise invalid_client("no client is named")
    if claimed is not None and claimed != id_:
        raise invalid_client("the assertion is of another client than the request")
    client = await services.apps.clients.get(id_)
    if client is None:
        raise invalid_client("no such client")
    if not client.is_approved:
        raise invalid_client(f"the client {client.id} is {client.state}")
    return client


async def _holder(services: Services, refresh_token: str) -> str | None:
    """Whose a refresh token is. SMART's public apps name themselves in no refresh request (App Launch 2.2.0)."""
    presented = await services.apps.grants.present(refresh_token)
    return presented.grant.client if presented is not None else None


def _claimed(assertion: str) -> str | None:
    """The client that an assertion says it is of; nothing is verified yet."""
    try:
        subject = take_apart(assertion, _LONGEST_ASSERTION).claims().get("sub")
    except NotSigned:
        raise invalid_client("the assertion is no signed object") from None
    return subject if isinstance(subject, str) else None


async def _verified(
    services: Services, urls: Urls, request: Request, client: Client, parameters: Mapping[str, str]
) -> Prepared[Business | None]:
    """The use of the assertion, which is for the token endpoint or for the one that was asked (RFC 9126 §2)."""
    assertion = parameters.get("client_assertion")
    if assertion is None or parameters.get("client_assertion_type") != _JWT_BEARER:
        raise invalid_client(f"the client {client.id} sent no assertion")
    try:
        return await services.assertions.verify(assertion, client, urls.token, urls.endpoint(request.segments[-1]))
    except AssertionRefused as refused:
        raise invalid_client(f"the assertion of the client {client.id}: {refused.reason}") from None


def _certificate(request: Request) -> Binding:
    if request.certificate is None:
        raise invalid_client("the client came without its certificate")
    return Binding(BindingKind.CERTIFICATE, thumbprint_of(request.certificate))


async def with_possession(services: Services, request: Request, url: str, caller: Caller) -> Caller:
    """The caller with the key of the DPoP proof that came along (RFC 9449 §5), which its tokens are bound to.

    Raises Refused, also where the client must prove possession and does not.
    """
    proof = request.headers.get(b"dpop")
    if proof is None:
        if caller.client.must_prove_possession and caller.binding is None:
            raise invalid_request("This client gets tokens that are bound to a key only: send a DPoP proof.")
        return caller
    if caller.binding is not None:
        raise invalid_request("Tokens are bound to the certificate or to a DPoP key, not to both.")
    try:
        proven = await services.proofs.verify(proof.decode("latin-1"), method="POST", url=url)
    except ProofRefused as refused:
        raise Refused(refused.code, refused.reason, str(refused)) from None
    binding = Binding(BindingKind.DPOP, proven.thumbprint)
    return replace(caller, binding=binding, proven=proven)
