"""What Carekeep is compared with: a server with nothing in it, and a store with no security.

The open store does the same FHIR work as Carekeep with the same code (parsing, validation, index terms, exact matching
of searches) on the same kind of SQLite file (write-ahead log, synchronous FULL, group commit). It has no accounts, no
policies, no encryption, no ledger: the difference between the two is what security costs.
"""

import sqlite3
import uuid
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from carekeep.fhir import Query, Term, dump_json, index_terms, parse_json, parse_query
from carekeep.records import Stored
from carekeep.storage import Insert
from carekeep.storage.sqlite import SqliteDatabase
from carekeep.web.fhir.bodies import MAX_RESOURCE, check_valid, version_headers
from carekeep.web.http import Receive, Request, Response, Scope, Send, read_request, send_response

_SCHEMA = """
PRAGMA journal_mode = WAL;
CREATE TABLE resource (seq INTEGER PRIMARY KEY, type TEXT, id TEXT, version INTEGER, updated_ms INTEGER, body BLOB);
CREATE UNIQUE INDEX resource_id ON resource (type, id);
CREATE TABLE term (type TEXT, term BLOB, seq INTEGER, PRIMARY KEY (type, term, seq)) WITHOUT ROWID;
"""
_RESOURCE = ("seq", "type", "id", "version", "updated_ms", "body")
_TERM = ("type", "term", "seq")
_ROW = "SELECT type, id, version, updated_ms, body FROM resource"
_FULL_PAGE = 200


class Bare:
    """Answers every request with the same bytes, those of one stored record."""

    def __init__(self, answer: Response) -> None:
        self._answer = answer

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] == "http":
            await send_response(self._answer, send)


class OpenStore:
    """Read, create and search on plaintext."""

    def __init__(self, path: Path, fhir_url: str) -> None:
        self._database = SqliteDatabase(path)
        self._fhir_url = fhir_url
        self._last = uuid.uuid4().int >> 66  # above what was filled in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; it is taken to be a good one."""
        if scope["type"] != "http":
            return
        request = read_request(scope, receive)
        match request.method, request.segments[1:]:
            case "GET", (type_, id_):
                response = await self._read(type_, id_)
            case "GET", (type_,):
                response = await self._search(request, type_)
            case _:
                response = await self._create(request)
        await send_response(response, send)

    async def _read(self, type_: str, id_: str) -> Response:
        row = await self._database.fetch_one(f"{_ROW} WHERE type = $1 AND id = $2", (type_, id_))
        if row is None:
            return Response(404)
        stored = _stored(row)
        return Response(200, stored.body, headers=version_headers(stored))

    async def _create(self, request: Request) -> Response:
        resource = parse_json(await request.body(MAX_RESOURCE))
        check_valid(resource)
        id_ = resource["id"] = str(uuid.uuid4())
        self._last += 1
        record, terms = _rows(self._last, resource, dump_json(resource))
        await self._database.commit([Insert("resource", _RESOURCE, [record]), Insert("term", _TERM, terms)])
        stored = _stored(record[1:])
        location = f"{self._fhir_url}/{stored.type}/{id_}/_history/1".encode()
        return Response(201, stored.body, headers=(*version_headers(stored), (b"location", location)))

    async def _search(self, request: Request, type_: str) -> Response:
        query = parse_query(type_, request.pairs(), lenient=False)
        rows = await self._database.fetch(*_by_terms(query))
        found = [stored for stored in map(_stored, rows) if query.matches(stored.resource)][: query.count]
        entries = [{"resource": orjson.Fragment(each.body), "search": {"mode": "match"}} for each in found]
        return Response(200, orjson.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entries}))


def fill(path: Path, resources: Iterable[dict[str, Any]]) -> None:
    """Make the open store's file and put resources into it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(_SCHEMA)
        connection.execute("BEGIN")
        for seq, resource in enumerate(resources, start=1):
            record, terms = _rows(seq, resource, dump_json(resource))
            connection.execute("INSERT INTO resource VALUES (?, ?, ?, ?, ?, ?)", record)
            connection.executemany("INSERT INTO term VALUES (?, ?, ?)", terms)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _rows(
    seq: int, resource: dict[str, Any], body: bytes
) -> tuple[tuple[int, str, str, int, int, bytes], list[tuple[str, bytes, int]]]:
    type_ = resource["resourceType"]
    terms = [(type_, _indexed(term), seq) for term in index_terms(resource)]
    return (seq, type_, resource["id"], 1, 0, body), terms


def _stored(row: Any) -> Stored:
    type_, id_, version, updated_ms, body = row
    return Stored(type_, id_, version, updated_ms, deleted=False, patients=(), labels=(), written=0, body=body)


def _indexed(term: Term) -> bytes:
    return b"%b\0%b" % (term.parameter.encode(), term.value)


def _by_terms(query: Query) -> tuple[str, list[str | bytes]]:
    """Records that have a term of every clause, newest first: the statement that Carekeep has, over plaintext."""
    values: list[str | bytes] = [query.type]
    conditions = []
    for terms in sorted((clause.terms for clause in query.clauses if clause.terms is not None), key=len):
        first = len(values) + 1
        values += map(_indexed, terms)
        conditions.append(", ".join(f"${number}" for number in range(first, len(values) + 1)) or "NULL")
    driver, *others = conditions
    sql = f"SELECT DISTINCT d.seq FROM term d WHERE d.type = $1 AND d.term IN ({driver})"  # noqa: S608 - numbers only
    for other in others:
        sql += f" AND EXISTS (SELECT 1 FROM term o WHERE o.type = $1 AND o.term IN ({other}) AND o.seq = d.seq)"  # noqa: S608
    return f"{_ROW} WHERE seq IN ({sql} ORDER BY d.seq DESC LIMIT {_FULL_PAGE}) ORDER BY seq DESC", values
