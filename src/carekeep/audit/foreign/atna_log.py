"""ATNA messages (DICOM PS3.15 A.5, and RFC 3881 before it), as bare XML or behind a syslog header.

Read by Expat with everything off that could expand or fetch: a document type is refused, so there are no entities.
"""

from collections.abc import Iterable
from xml.parsers import expat

from carekeep.audit.foreign.foreign import (
    BY_CODE,
    MOST_PATIENTS,
    OUTCOME_BY_CODE,
    Foreign,
    LineRefused,
    clean,
    moment,
)

BEGIN, END = b"<AuditMessage", b"</AuditMessage>"
_MOST_ELEMENTS = 2_000
_DEEPEST = 12
_SIGNED = {"110122": "sign-in", "110123": "sign-out"}
Attributes = dict[str, str]


class _Reader:
    """Collects the attributes of the elements that say something."""

    def __init__(self) -> None:
        self.event: Attributes = {}
        self.codes: list[str] = []
        self.names: list[str] = []
        self.people: list[Attributes] = []
        self.roles: list[str] = []
        self.objects: list[Attributes] = []
        self._path: list[str] = []
        self._count = 0

    def read(self, raw: bytes) -> None:
        parser = expat.ParserCreate(encoding="utf-8")
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.StartDoctypeDeclHandler = _refuse
        parser.EntityDeclHandler = _refuse
        parser.ProcessingInstructionHandler = _refuse
        parser.Parse(raw, True)  # noqa: FBT003 - Expat's own

    def _start(self, name: str, attributes: Attributes) -> None:
        self._count += 1
        if self._count > _MOST_ELEMENTS or len(self._path) >= _DEEPEST:
            raise LineRefused("it has too many elements")
        parent = self._path[-1] if self._path else ""
        self._path.append(name)
        code = attributes.get("csd-code") or attributes.get("code") or ""
        display = attributes.get("originalText") or attributes.get("displayName") or ""
        if name == "EventIdentification":
            self.event = attributes
        elif name in {"EventID", "EventTypeCode"}:
            self.codes.append(code)
            self.names.append(display)
        elif name == "ActiveParticipant":
            self.people.append(attributes)
            self.roles.append("")
        elif name == "RoleIDCode" and parent == "ActiveParticipant":
            self.roles[-1] = self.roles[-1] or display or code
        elif name == "ParticipantObjectIdentification":
            self.objects.append(attributes)

    def _end(self, _: str) -> None:
        self._path.pop()


def _refuse(*_: object) -> None:
    raise LineRefused("it has a document type, an entity or an instruction")


def foreign_of(raw: bytes, line: int) -> Foreign:
    """What a message says. Raises LineRefused."""
    found = _Reader()
    try:
        found.read(raw)
    except (expat.ExpatError, UnicodeDecodeError, ValueError) as error:
        raise error if isinstance(error, LineRefused) else LineRefused("it is no well-formed XML") from None
    asked = next((n for n, each in enumerate(found.people) if each.get("UserIsRequestor") in {"true", "1"}), 0)
    person = found.people[asked] if found.people else {}
    patients = [each for each in found.objects if each.get("ParticipantObjectTypeCodeRole") == "1"]
    others = [each for each in found.objects if each.get("ParticipantObjectTypeCodeRole") != "1"]
    verb = next((_SIGNED[code] for code in found.codes if code in _SIGNED), None)
    return Foreign(
        line=line,
        raw=raw,
        happened_ms=moment(found.event.get("EventDateTime")),
        verb=verb or BY_CODE.get(found.event.get("EventActionCode", ""), "other"),
        outcome=OUTCOME_BY_CODE.get(found.event.get("EventOutcomeIndicator", "0"), "failed"),
        who=clean(person.get("UserName")) or clean(person.get("UserID")),
        role=clean(found.roles[asked]) if found.roles else "",
        address=clean(person.get("NetworkAccessPointID"), 64),
        # HL7 v2 writes the number before the first caret of a CX.
        patients=_ids(each.get("ParticipantObjectID", "").partition("^")[0] for each in patients),
        what=_ids(each.get("ParticipantObjectID", "") for each in others),
        said=", ".join(filter(None, (clean(name, 40) for name in found.names[:3]))),
    )


def _ids(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, map(clean, texts))))[:MOST_PATIENTS]
