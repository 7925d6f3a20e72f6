"""Search of one type: what the policies let the person see, exactly matched, with every disclosure recorded."""

import base64
import binascii
import struct
from collections.abc import Iterable
from urllib.parse import urlencode

from carekeep.access import Action, Decision, Target
from carekeep.fhir import Query, parse_query
from carekeep.records import Position, Stored
from carekeep.web.fhir.bodies import check_format, lenient
from carekeep.web.fhir.bundles import searchset
from carekeep.web.http import BadRequest, Response, form_pairs
from carekeep.web.passage import Passage, denied, target_of, together, what_of
from carekeep.web.problems import problem

_CURSOR = struct.Struct(">qq")
_CURSOR_NAME = "_cursor"
_MAX_FORM = 64 * 1024
_MOST_SORTED = 10_000


async def search_by_get(passage: Passage, type_: str) -> Response:
    """``GET [type]?…``."""
    await passage.authenticate(Action.SEARCH)
    return await _search(passage, type_, passage.request.pairs())


async def search_by_post(passage: Passage, type_: str) -> Response:
    """``POST [type]/_search``: the same, without names and numbers of patients in URLs."""
    await passage.authenticate(Action.SEARCH)
    content_type = (passage.request.header(b"content-type") or "").split(";")[0].strip().lower()
    if content_type != "application/x-www-form-urlencoded":
        raise problem(415, "not-supported", "Send application/x-www-form-urlencoded.")
    body = await passage.request.body(_MAX_FORM)
    if not body.isascii():
        raise BadRequest("The form is not percent-encoded UTF-8.")
    return await _search(passage, type_, passage.request.pairs() + form_pairs(body.decode("ascii")))


async def _search(passage: Passage, type_: str, pairs: list[tuple[str, str]]) -> Response:
    check_format([value for name, value in pairs if name == "_format"])
    after = _position([value for name, value in pairs if name == _CURSOR_NAME])
    asked = [(name, value) for name, value in pairs if name != _CURSOR_NAME]
    query = parse_query(type_, asked, lenient=lenient(passage.request))
    _refuse_shapes(query)
    sight = await _Sight.of(passage, query)
    counting = query.summary == "count" or query.count == 0
    matches, following = ([], None) if counting else await sight.page(after)
    total = await sight.total() if counting or query.total == "accurate" else None
    await passage.record(
        Action.SEARCH,
        "permitted",
        decision=together(sight.decisions),
        what=tuple(map(what_of, matches)),
        patients=dict.fromkeys(patient for stored in matches for patient in stored.patients),
        query=f"{type_}?{urlencode(asked)}",
    )
    links = _links(passage.services.fhir_url, query, following)
    return Response(200, searchset(passage.services.fhir_url, matches, links, total=total))


def _refuse_shapes(query: Query) -> None:
    """Raises 400 for result shapes that are not given yet; a shape that is ignored would be a wrong answer."""
    if query.elements or query.summary not in {None, "false", "count"}:
        raise problem(400, "not-supported", "_elements and _summary (but for count) are not supported yet.")


class _Sight:
    """What one person sees of one query: matches that a policy lets this person read, and nothing else.

    ``patients`` bounds where is looked (None: everywhere); each record is decided all the same.
    """

    def __init__(self, passage: Passage, query: Query, decision: Decision, patients: Iterable[str] | None) -> None:
        self._passage = passage
        self._query = query
        self._patients = patients
        self._verdicts: dict[Target, bool] = {}
        self.decisions = [decision]

    @classmethod
    async def of(cls, passage: Passage, query: Query) -> "_Sight":
        """Raises 403 when the person may not search this type, or none of the patients that the query names."""
        decision = await passage.demand(Action.SEARCH, Target(query.type, (), ()))
        return cls(passage, query, decision, await _patients_in_sight(passage, query))

    async def page(self, after: Position | None) -> tuple[list[Stored], Position | None]:
        """The next matches, at most as many as the query asks for, and where the page after them begins."""
        if self._query.sort:
            return await self._sorted_page(after.seq if after else 0)
        seen: list[Stored] = []
        position = after
        while True:
            missing = self._query.count - len(seen)
            found = await self._passage.services.vault.search(
                self._query, self._patients, after=position, limit=missing
            )
            seen.extend([stored for stored in found.matches if await self._permitted(stored)])
            position = found.next
            if position is None or len(seen) == self._query.count:
                return seen, position

    async def _sorted_page(self, start: int) -> tuple[list[Stored], Position | None]:
        """A page of everything in order. Positions are counts here: sorting needs all matches at once."""
        by_id: dict[str, Stored] = {}
        async for stored in self._passage.services.vault.search_all(self._query, self._patients):
            if await self._permitted(stored):
                by_id[stored.id] = stored
            if len(by_id) > _MOST_SORTED:
                raise problem(400, "too-costly", f"More than {_MOST_SORTED:,} matches are not sorted.", "http._sort")
        ordered = [by_id[resource["id"]] for resource in self._query.in_order(each.resource for each in by_id.values())]
        end = start + self._query.count
        return ordered[start:end], Position(0, end) if end < len(ordered) else None

    async def total(self) -> int:
        """How many matches there are for this person; what one may not see is not counted."""
        count = 0
        async for stored in self._passage.services.vault.search_all(self._query, self._patients):
            count += await self._permitted(stored)
        return count

    async def _permitted(self, stored: Stored) -> bool:
        target = target_of(stored)
        verdict = self._verdicts.get(target)
        if verdict is None:
            decision = await self._passage.judge(Action.READ, target)
            verdict = self._verdicts[target] = decision.permitted
            if verdict:
                self.decisions.append(decision)
        return verdict


async def _patients_in_sight(passage: Passage, query: Query) -> frozenset[str] | None:
    """Whose records to look at: those that are named, else those whom the person is related to; None for all."""
    named = [clause.patients for clause in query.clauses if clause.patients is not None]
    if named:
        wanted = frozenset(named[0]).intersection(*named[1:])
        verdicts = {patient: await passage.judge(Action.READ, Target(query.type, (patient,), ())) for patient in wanted}
        permitted = frozenset(patient for patient, decision in verdicts.items() if decision.permitted)
        if wanted and not permitted:
            refusal = next(iter(verdicts.values()))
            await passage.record(Action.SEARCH, "denied", decision=refusal, patients=sorted(wanted))
            raise denied(refusal)
        return permitted
    return await passage.patients_in_sight()


def _position(values: list[str]) -> Position | None:
    """Where a next link goes on. It holds numbers of rows, and is checked like any input."""
    if not values:
        return None
    try:
        scope, seq = _CURSOR.unpack(base64.urlsafe_b64decode(values[0].encode("ascii") + b"=="))
    except (ValueError, struct.error, binascii.Error):
        raise problem(400, "value", "Follow the next link as it was given.", _CURSOR_NAME) from None
    return Position(scope, seq)


def _links(fhir_url: str, query: Query, following: Position | None) -> list[dict[str, str]]:
    base = f"{fhir_url}/{query.type}"
    pairs = list(query.self_link)
    links = [{"relation": "self", "url": f"{base}?{urlencode(pairs)}" if pairs else base}]
    if following is not None:
        cursor = base64.urlsafe_b64encode(_CURSOR.pack(following.scope, following.seq)).rstrip(b"=").decode()
        links.append({"relation": "next", "url": f"{base}?{urlencode([*pairs, (_CURSOR_NAME, cursor)])}"})
    return links


async def single_match(passage: Passage, reference: str, at: str) -> str:
    """What a conditional reference (``Type?search``) stands for: the one match that the person may see.

    Raises 412 when there is none, or more than one.
    """
    type_, _, search = reference.partition("?")
    query = parse_query(type_, form_pairs(search), lenient=False)
    sight = await _Sight.of(passage, query)
    matches, _ = await sight.page(None)
    if len(matches) != 1:
        how_many = "nothing" if not matches else "more than one record"
        raise problem(412, "multiple-matches" if matches else "not-found", f"The reference matches {how_many}.", at)
    return matches[0].reference
