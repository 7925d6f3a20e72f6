"""A request that the holder of a key sends without a token: by a proof that is good once, or by a certificate."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from carekeep.identity import Binding, BindingKind
from carekeep.identity.apps.proofs import ProofRefused, Proven
from carekeep.identity.apps.public_keys import thumbprint_of
from carekeep.storage import Conflict, Prepared
from carekeep.web.passage import Passage
from carekeep.web.presenting import Presented, challenge
from carekeep.web.problems import Problem

_NO_TOKEN = Presented("dpop", "")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who sent the request: the holder of ``key``."""

    key: Binding
    _proven: Proven | None = field(default=None, repr=False)

    @property
    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The nonce to use from now on, if it is another one."""
        nonce = self._proven.nonce if self._proven else None
        return () if nonce is None else ((b"dpop-nonce", nonce.encode("ascii")),)

    async def record(self, passage: Passage, action: str, *prepared: Prepared[Any], reason: str) -> None:
        """Make it durable, and use up the proof. Raises 401 for one that was used before, Conflict as ``Passage``."""
        if self._proven is None:
            await passage.record(action, "permitted", *prepared, reason=reason)
            return
        try:
            await passage.record(action, "permitted", *prepared, self._proven.once, reason=reason)
        except Conflict:
            if not await passage.services.proofs.is_replay(self._proven):
                raise
            raise await _refusal(passage, action, ProofRefused("the proof was used before")) from None


async def prove_key(passage: Passage, action: str) -> Holder:
    """Whose key a request is sent with: by the header DPoP, else by the certificate of the connection.

    Raises 401 for neither, and for a proof that does not fit; that is recorded.
    """
    request, services = passage.request, passage.services
    proof = request.headers.get(b"dpop", b"")
    if not proof:
        if request.certificate is None:
            raise await _refusal(passage, action, ProofRefused("there is neither a proof nor a certificate"))
        return Holder(Binding(BindingKind.CERTIFICATE, thumbprint_of(request.certificate)))
    url = services.fhir_url.removesuffix("/fhir") + quote("/".join(("", *request.segments)))
    try:
        proven = await services.proofs.verify(proof.decode("latin-1"), method=request.method, url=url)
    except ProofRefused as refused:
        raise await _refusal(passage, action, refused) from None
    return Holder(Binding(BindingKind.DPOP, proven.thumbprint), proven)


async def _refusal(passage: Passage, action: str, refused: ProofRefused) -> Problem:
    await passage.record(action, "denied", reason=refused.reason)
    return challenge(refused, _NO_TOKEN, passage.services.proofs.nonce())
