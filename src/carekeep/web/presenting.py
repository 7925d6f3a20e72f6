"""How an access token is presented, and the proof that whoever presents it holds the key that it is bound to.

A token that is bound to a key is good with a proof of that key only (RFC 9449 §7.1, RFC 8705 §3); one that is bound to
nothing is a bearer token (RFC 6750), and to send it as anything else is a mistake that would hide that.
"""

import asyncio
import hmac
from dataclasses import dataclass, field
from urllib.parse import quote

from carekeep.fhir import Issue
from carekeep.identity import Binding, BindingKind, TokenRefused
from carekeep.identity.apps.proofs import ALGORITHMS, ProofRefused, Proofs, Proven
from carekeep.identity.apps.public_keys import thumbprint_of
from carekeep.web.http import Request
from carekeep.web.problems import Problem

_BEARER, _DPOP = "bearer", "dpop"
_ALGORITHMS = " ".join(ALGORITHMS)
_SAFE = "/~!$&'()*+,;=:@"  # RFC 3986 §3.3; the rest that needs no escape, quote knows


@dataclass(frozen=True, slots=True)
class Presented:
    """What the Authorization header says. ``scheme`` is in lower case."""

    scheme: str
    token: str = field(repr=False)


@dataclass(slots=True)
class ProofUse:
    """What becomes of a request's proof: ``unused`` until the first entry of the request uses it up.

    Shared with the requests within a batch, which take ``turn``. If it ``is_replay``, nothing more is done for the
    request. ``nonce`` is the one to hand out with the answer.
    """

    unused: Proven | None = None
    nonce: str | None = None
    is_replay: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


def presented(request: Request) -> Presented:
    """The access token of a request. Raises TokenRefused when there is none."""
    header = request.headers.get(b"authorization", b"")
    scheme, space, token = header.partition(b" ")
    name = scheme.lower().decode("latin-1")
    if name not in {_BEARER, _DPOP} or not space or not header.isascii():
        raise TokenRefused("no access token")
    return Presented(name, token.decode("ascii"))


async def prove(
    proofs: Proofs, base_url: str, request: Request, shown: Presented, binding: Binding | None
) -> Proven | None:
    """What the request proves, beyond having the token: a proof to be used up, or nothing more.

    ``base_url`` is where clients reach this server, ``binding`` what the token is bound to. Raises ProofRefused, or
    TokenRefused for a token that is presented in another way than its binding asks for.
    """
    if shown.scheme == _DPOP:
        return await _proven_by_key(proofs, base_url, request, shown, binding)
    if binding is None:
        return None
    if binding.kind is not BindingKind.CERTIFICATE:
        raise TokenRefused("the token is bound to a key, and came without its proof")
    if request.certificate is None:
        raise TokenRefused("the token is bound to a certificate, and came without it")
    if not hmac.compare_digest(thumbprint_of(request.certificate), binding.thumbprint):
        raise TokenRefused("the token is bound to another certificate")
    return None


async def _proven_by_key(
    proofs: Proofs, base_url: str, request: Request, shown: Presented, binding: Binding | None
) -> Proven:
    if binding is None or binding.kind is not BindingKind.DPOP:
        raise TokenRefused("the token is not bound to a key, and came with the scheme DPoP")
    proof = request.headers.get(b"dpop", b"")
    if not proof:
        raise ProofRefused("there is no proof")
    url = base_url + quote("/".join(("", *request.segments)), safe=_SAFE)
    method = "HEAD" if request.is_head else request.method
    proven = await proofs.verify(proof.decode("latin-1"), method=method, url=url, token=shown.token)
    if not hmac.compare_digest(proven.thumbprint, binding.thumbprint):
        raise ProofRefused("it is by another key than the token's")
    return proven


def challenge(refused: TokenRefused | ProofRefused, shown: Presented | None, nonce: str) -> Problem:
    """The 401 of a refusal (RFC 6750 §3.1, RFC 9449 §7.1 and §9). ``shown`` is what was tried, if there was a token."""
    if shown is None:  # no error code for who did not know that one is needed
        parameters = ['Bearer realm="carekeep"']
    else:
        code = refused.code if isinstance(refused, ProofRefused) else "invalid_token"
        name = "DPoP" if shown.scheme == _DPOP else "Bearer"
        parameters = [f'{name} realm="carekeep"', f'error="{code}"']
    if shown is not None and shown.scheme == _DPOP:
        parameters.append(f'algs="{_ALGORITHMS}"')
    headers = [(b"www-authenticate", ", ".join(parameters).encode())]
    if isinstance(refused, ProofRefused):
        headers.append((b"dpop-nonce", nonce.encode()))
    return Problem(401, Issue("error", "login", "", str(refused)), headers=tuple(headers))
