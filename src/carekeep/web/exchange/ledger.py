"""``/ledger``: checkpoint, tiles and entry bundles (C2SP tlog-tiles), the public key, and proofs of entries."""

from carekeep.access import Action, Target
from carekeep.audit import EntryId, LedgerFiles, NotInLog, prove
from carekeep.web.http import Receive, Request, Response, Scope, Send, read_request, send_response
from carekeep.web.passage import Passage
from carekeep.web.problems import answer, as_problem, problem, unexpected
from carekeep.web.services import Services

_TEXT = b"text/plain; charset=utf-8"
_BINARY = b"application/octet-stream"


class LedgerRoutes:
    """The ASGI application at ``/ledger``."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._files = LedgerFiles(services.database)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        try:
            response = await self._route(read_request(scope, receive))
        except Exception as error:  # noqa: BLE001 - the last line of defence
            found = as_problem(error)
            response = answer(found) if found else unexpected(error, "the ledger")
        await send_response(response, send)

    async def _route(self, request: Request) -> Response:
        if request.method != "GET":
            raise problem(405, "not-supported", "The ledger can only be read.")
        match request.segments[1:]:
            case ("key",):
                return Response(200, f"{self._services.ledger_key}\n".encode(), _TEXT)
            case ("checkpoint",):
                return await self._checkpoint()
            case ("tile", *_):
                return await self._tile("/".join(request.segments[1:]))
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

    async def _proof(self, passage: Passage, entry: str) -> Response:
        """A tlog-proof, for auditors."""
        await passage.authenticate(Action.LEDGER_PROVE)
        decision = await passage.demand(Action.LEDGER_PROVE, Target())
        await passage.record(Action.LEDGER_PROVE, "permitted", decision=decision, query=entry[:64])
        try:
            entry_id = bytes.fromhex(entry)
            proof = await prove(self._services.database, EntryId(entry_id))
        except (ValueError, NotInLog):
            raise problem(404, "not-found", "There is no such entry in the log. A new one takes a second.") from None
        return Response(200, proof.encode(), _TEXT)
