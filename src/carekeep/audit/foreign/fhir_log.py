"""FHIR AuditEvents (R4): one resource a line, or one Bundle."""

from typing import Any

from carekeep.audit.foreign.foreign import (
    BY_CODE,
    MOST_PATIENTS,
    OUTCOME_BY_CODE,
    Foreign,
    LineRefused,
    clean,
    moment,
    purpose_of,
)

Json = dict[str, Any]
_SIGNED = {"110122": "sign-in", "110123": "sign-out"}


def foreign_of(event: object, line: int, raw: bytes) -> Foreign:
    """What an AuditEvent says. Raises LineRefused."""
    if not isinstance(event, dict) or event.get("resourceType") != "AuditEvent":
        raise LineRefused("it is no AuditEvent")
    period = _object(event.get("period"))
    codes = [str(_object(each).get("code", ""))[:40] for each in _list(event.get("subtype"))]
    verb = next((_SIGNED[code] for code in codes if code in _SIGNED), None)
    if verb is None and any(code.startswith("search") for code in codes):
        verb = "search"
    agents = list(map(_object, _list(event.get("agent"))))
    agent = next((each for each in agents if each.get("requestor") is True), agents[0] if agents else {})
    patients, what = _entities(event)
    return Foreign(
        line=line,
        raw=raw,
        happened_ms=moment(period.get("start") or event.get("recorded")),
        verb=verb or BY_CODE.get(str(event.get("action")), "other"),
        outcome=OUTCOME_BY_CODE.get(str(event.get("outcome", "0")), "failed"),
        who=_who(agent),
        role=clean(_text(next(iter(_list(agent.get("role"))), {}))),
        address=clean(_object(agent.get("network")).get("address"), 64),
        purpose=_purpose(event, agent),
        patients=patients,
        what=what,
        said=", ".join(filter(None, (clean(code, 40) for code in codes[:3]))),
    )


def _entities(event: Json) -> tuple[tuple[str, ...], tuple[str, ...]]:
    patients, what = [], []
    for entity in map(_object, _list(event.get("entity"))):
        target = _object(entity.get("what"))
        reference = str(target.get("reference", ""))
        parts = reference.rstrip("/").split("/_history/")[0].split("/")
        if _object(entity.get("role")).get("code") == "1" or parts[-2:-1] == ["Patient"]:
            found = clean(_object(target.get("identifier")).get("value")) or clean(parts[-1])
            patients.append(found)
        elif reference:
            what.append(clean("/".join(parts[-2:])))
    return tuple(dict.fromkeys(filter(None, patients)))[:MOST_PATIENTS], tuple(filter(None, what))[:MOST_PATIENTS]


def _who(agent: Json) -> str:
    who = _object(agent.get("who"))
    names = (who.get("display"), agent.get("name"), _object(who.get("identifier")).get("value"), agent.get("altId"))
    return next(filter(None, map(clean, (*names, who.get("reference")))), "")


def _purpose(event: Json, agent: Json) -> str:
    for concept in (*_list(agent.get("purposeOfUse")), *_list(event.get("purposeOfEvent"))):
        for coding in _list(_object(concept).get("coding")):
            if found := purpose_of(_object(coding).get("code")):
                return found
    return ""


def _text(concept: object) -> object:
    given = _object(concept)
    coding = _object(next(iter(_list(given.get("coding"))), {}))
    return given.get("text") or coding.get("display") or coding.get("code")


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value[:200] if isinstance(value, list) else []
