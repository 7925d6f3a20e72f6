"""``/ledger``: checkpoint, tiles and entry bundles (C2SP tlog-tiles), the public key, and proofs.

Proofs that the log only grew are for anyone; proofs of entries for auditors, and for patients of what names them.
``POST /ledger/import`` (``log_import``) is for auditors.
"""

from base64 import b64encode

import orjson

from carekeep.access import Action, Target
from carekeep.audit import EntryId, LedgerFiles, NotInLog, What, prove, prove_consistency
from carekeep.identity import Kind
from carekeep.web.exchange.log_import import import_log
from carekeep.web.http import Receive, Request, Response, Scope, Send, number, read_request, send_response
from carekeep.web.passage import Passage
from carekeep.web.problems import answer, as_problem, problem, unexpected
from carekeep.web.services import Services

_TEXT = b"text/plain; charset=utf-8"
_BINARY = b"application/octet-stream"
_JSON = b"application/json"
_NO_ENTRY = "There is no such entry in the log. A new one takes a second."


class LedgerRoutes:
    """The ASGI application at ``/ledger``."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._files = LedgerFiles(services.database, finals=services.witnesses.policy is not None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        try:
            response = await self._route(read_request(scope, receive))
        except Exception as error:  # noqa: BLE001 - the last line of defence
            found = as_problem(error)
            response = answer(found) if found else unexpected(error, "the ledger")
        await send_response(response, send)

    async def _route(self, request: Request) -> Response:
        if (request.method, request.segments[1:]) == ("POST", ("import",)):
            return await import_log(Passage(self._services, request))
        if request.method != "GET":
            raise problem(405, "not-supported", "The ledger can only be read, and take over logs of other systems.")
        match request.segments[1:]:
            case ("key",):
                return Response(200, f"{self._services.ledger_key}\n".encode(), _TEXT)
            case ("keys",):
                keys = "".join(f"{key}\n" for key in self._services.witnesses.keys)
                return Response(200, keys.encode(), _TEXT)
            case ("checkpoint",):
                return await self._checkpoint()
            case ("tile", *_):
                return await self._tile("/".join(request.segments[1:]))
            case ("consistency",):
                return await self._consistency(request)
            case ("proof", entry):
                return await self._proof(Passage(self._services, request), entry)
        raise problem(404, "not-found", "There is nothing at this URL.")

    async def _checkpoint(self) -> Response:
        checkpoint = await self._files.checkpoint()
        if checkpoint is None:
            raise problem(404, "not-found", "The ledger has no entries yet.")
        return Response(200, checkpoint.encode(), _TEXT)

    async def _tile(self, path: str) -> Response:
        """A tile of hashes or an entry bundle; entries are sealed, so anyone may have them."""
        try:
            content = await self._files.tile(path)
        except LookupError:
            raise problem(404, "not-found", "There is no such tile.") from None
        return Response(200, content, _BINARY)

    async def _consistency(self, request: Request) -> Response:
        """That the log of ``to`` entries continues the one of ``from``; the answer's form is RFC 6962's, 4.4."""
        sizes = dict(request.pairs())
        old, new = (number(sizes.get(name, "")) for name in ("from", "to"))
        if old is None or new is None:
            raise problem(400, "value", "Two sizes are needed, as in ?from=100&to=200.")
        try:
            hashes = await prove_consistency(self._services.database, old, new)
        except NotInLog as error:
            raise problem(404, "not-found", f"Not proven: {error}") from None
        path = [b64encode(each).decode() for each in hashes]
        return Response(200, orjson.dumps({"from": old, "to": new, "consistency": path}), _JSON)

    async def _proof(self, passage: Passage, entry: str) -> Response:
        """A tlog-proof of any entry for auditors; for a patient, of one that names the patient."""
        principal = await passage.authenticate(Action.LEDGER_PROVE)
        if principal.kind is Kind.PATIENT:
            return await self._own_proof(passage, entry, (principal.fhir_user or "").removeprefix("Patient/"))
        decision = await passage.demand(Action.LEDGER_PROVE, Target())
        await passage.record(Action.LEDGER_PROVE, "permitted", decision=decision, query=entry[:64])
        return await self._proven(entry)

    async def _own_proof(self, passage: Passage, entry: str, patient: str) -> Response:
        """Whether there is an entry that names somebody else is not said: it is as if there were none."""
        decision = await passage.demand(Action.DISCLOSURE_READ, Target("Patient", (patient,)))
        is_own = await self._names(entry, patient)
        await passage.record(
            Action.DISCLOSURE_READ,
            "permitted" if is_own else "failed",
            decision=decision,
            what=(What(f"Patient/{patient}"),),
            patients=(patient,),
            query=entry[:64],
        )
        if not is_own:
            raise problem(404, "not-found", _NO_ENTRY)
        return await self._proven(entry)

    async def _names(self, entry: str, patient: str) -> bool:
        try:
            sealed = await self._services.ledger.find(EntryId(bytes.fromhex(entry)))
        except ValueError:
            return False
        return sealed is not None and patient in self._services.ledger.open(sealed.leaf)[0].patients

    async def _proven(self, entry: str) -> Response:
        try:
            proof = await prove(self._services.database, EntryId(bytes.fromhex(entry)))
        except (ValueError, NotInLog):
            raise problem(404, "not-found", _NO_ENTRY) from None
        return Response(200, proof.encode(), _TEXT)
