"""``Observation/$lastn`` (FHIR R4, observation-operation-lastn.html): the newest observations of each kind."""

from collections.abc import Iterable
from typing import Any

from carekeep.fhir.search.values import dates

Json = dict[str, Any]
Code = tuple[str, str]
_TEXT = "\0text"  # no system can have this name
_NEVER = -dates.FOREVER


def last_of_each(observations: Iterable[Json], count: int) -> list[Json]:
    """At most ``count`` of each group, newest first, group after group; groups come in the order they are met.

    Observations are of one group when they share a coding (system and code), or are linked by others that do: the
    codings of one code are translations of each other. Codes of text only are grouped by their text as it is written.
    What ties with the last of a group comes along, as the operation says, so a group may have more than ``count``.
    """
    ordered = list(observations)
    kinds = _Kinds()
    for observation in ordered:
        kinds.join(_codes(observation))
    groups: dict[Code, list[tuple[int, Json]]] = {}
    for observation in ordered:
        group = groups.setdefault(kinds.of(_codes(observation)[0]), [])
        group.append((_moment(observation), observation))
    return [observation for group in groups.values() for observation in _newest(group, count)]


def _newest(group: list[tuple[int, Json]], count: int) -> list[Json]:
    group.sort(key=lambda pair: -pair[0])
    oldest = group[min(count, len(group)) - 1][0]
    return [observation for moment, observation in group if moment >= oldest]


class _Kinds:
    """Codes that mean the same: a union-find, so that it is transitive."""

    def __init__(self) -> None:
        self._same_as: dict[Code, Code] = {}

    def of(self, code: Code) -> Code:
        root = code
        while (parent := self._same_as.setdefault(root, root)) != root:
            root = parent
        while code != root:
            self._same_as[code], code = root, self._same_as[code]
        return root

    def join(self, codes: list[Code]) -> None:
        first = self.of(codes[0])
        for code in codes[1:]:
            self._same_as[self.of(code)] = first


def _codes(observation: Json) -> list[Code]:
    code = observation.get("code", {})
    codings = [(each.get("system", ""), each["code"]) for each in code.get("coding", ()) if "code" in each]
    return codings or [(_TEXT, code.get("text", ""))]


def _moment(observation: Json) -> int:
    """When it was effective, in ms since 1970; a period counts from its end, an observation without any from issue."""
    period = observation.get("effectivePeriod", {})
    timing = observation.get("effectiveTiming", {}).get("event", [None])
    for text in (
        observation.get("effectiveDateTime"),
        observation.get("effectiveInstant"),
        period.get("end"),
        period.get("start"),
        timing[-1],
        observation.get("issued"),
    ):
        found = dates.read(text)
        if found is not None:
            return found.start
    return _NEVER
