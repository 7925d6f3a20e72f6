"""A witness over HTTP (C2SP tlog-witness): ``add-checkpoint``, and what others fetch to compare.

An application of its own, beside no other: a witness knows nothing of Carekeep's records, and needs no installation.
"""

import asyncio
import re
from pathlib import Path

from carekeep.audit.note import NoteRefused
from carekeep.audit.witnessing import LARGEST_REQUEST, Declined, Witness, WitnessBroken
from carekeep.web.http import BadRequest, Receive, Request, Response, Scope, Send, read_request, send_response
from carekeep.web.problems import unexpected

_TEXT = b"text/plain; charset=utf-8"
_SIZE = b"text/x.tlog.size"
_HASH = re.compile(r"[0-9a-f]{64}")
_BODY_S = 10.0
_MOST_AT_ONCE = 64
"""Submissions that are looked at together; more are told to come again."""


class WitnessApplication:
    """The ASGI application of a witness.

    ``POST /add-checkpoint``; ``GET /<SHA-256 of a log's origin>/checkpoint``: the newest one we cosigned;
    ``GET /keys``; ``GET /split-views`` and ``GET /split-views/<id>``: proofs against logs; ``GET /healthz``.
    """

    def __init__(self, witness: Witness) -> None:
        self._witness = witness
        self._at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one response."""
        if scope["type"] != "http":
            return
        try:
            response = await self._route(read_request(scope, receive))
        except BadRequest as error:
            response = _text(error.status, str(error))
        except Declined as declined:
            response = _declined(declined)
        except (WitnessBroken, NoteRefused) as error:
            response = _text(500, f"The witness cannot work: {error}")
        except Exception as error:  # noqa: BLE001 - the last line of defence
            response = unexpected(error, "the witness")
        await send_response(response, send)

    async def _route(self, request: Request) -> Response:
        match request.method, request.segments:
            case "POST", ("add-checkpoint",):
                return await self._add(request)
            case "GET", ("healthz",):
                return _text(200, "ok")
            case "GET", ("keys",):
                cosigners = await asyncio.to_thread(self._witness.folder.cosigners)
                return _text(200, "\n".join(str(cosigner.key) for cosigner in cosigners))
            case "GET", ("split-views",):
                return _text(200, "\n".join(path.stem for path in await self._split_views()))
            case "GET", ("split-views", name):
                return await self._split_view(name)
            case "GET", (log, "checkpoint") if _HASH.fullmatch(log):
                note = await asyncio.to_thread(self._witness.folder.cosigned, log)
                return _text(404, "Nothing of this log was cosigned here.") if note is None else _as_is(note)
        raise BadRequest("There is nothing at this URL.", 404)

    async def _add(self, request: Request) -> Response:
        try:
            async with asyncio.timeout(_BODY_S):
                body = await request.body(LARGEST_REQUEST)
        except TimeoutError:
            raise BadRequest("The body did not come in time.", 408) from None
        if self._at_once >= _MOST_AT_ONCE:
            return _text(503, "Too many checkpoints at once. Try again in a moment.")
        self._at_once += 1
        try:
            lines = await asyncio.to_thread(self._witness.add_checkpoint, body)
        finally:
            self._at_once -= 1
        return _as_is("".join(map(str, lines)))

    async def _split_views(self) -> list[Path]:
        return await asyncio.to_thread(self._witness.folder.split_views)

    async def _split_view(self, name: str) -> Response:
        for path in await self._split_views():
            if path.stem == name:
                return _as_is(await asyncio.to_thread(path.read_text, encoding="utf-8"))
        raise BadRequest("There is no such proof.", 404)


def _declined(declined: Declined) -> Response:
    if declined.size is not None:
        return Response(declined.refusal.value, b"%d\n" % declined.size, _SIZE)
    return _text(declined.refusal.value, str(declined))


def _text(status: int, text: str) -> Response:
    return Response(status, f"{text}\n".encode(), _TEXT)


def _as_is(text: str) -> Response:
    return Response(200, text.encode(), _TEXT)
