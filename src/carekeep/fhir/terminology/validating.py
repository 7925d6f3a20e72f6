"""``$validate-code`` of value sets and code systems (FHIR R4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from carekeep.fhir.terminology.code_system import CodeSystem
from carekeep.fhir.terminology.expansion import Expanded, Key, expanded

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A coding to be checked."""

    system: str
    code: str
    display: str | None = None

    @classmethod
    def of(cls, coding: Json) -> "Asked":
        """The Coding's parts; what is absent is empty and matches nothing."""
        return cls(coding.get("system", ""), coding.get("code", ""), coding.get("display"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """``display`` is the right one, where there is one; ``message`` says what is wrong or was not checked."""

    result: bool
    message: str | None = None
    display: str | None = None

    def parameters(self) -> Json:
        """The Parameters of the answer."""
        told: list[Json] = [{"name": "result", "valueBoolean": self.result}]
        if self.message is not None:
            told.append({"name": "message", "valueString": self.message})
        if self.display is not None:
            told.append({"name": "display", "valueString": self.display})
        return {"resourceType": "Parameters", "parameter": told}


def in_value_set(codes: Mapping[Key, Expanded], asked: Sequence[Asked]) -> Verdict:
    """Whether one of the codings (translations of each other) is among the codes of a value set."""
    return _first_good(
        _of_code(codes[each.system, each.code], each)
        if (each.system, each.code) in codes
        else Verdict(result=False, message="The code is not in the value set.")
        for each in asked
    )


def in_code_system(system: CodeSystem, asked: Sequence[Asked]) -> Verdict:
    """Whether one of the codings is a code of the system."""
    return _first_good(_in_code_system(system, each) for each in asked)


def _in_code_system(system: CodeSystem, asked: Asked) -> Verdict:
    if asked.system != system.url:
        return Verdict(result=False, message="The code is of another code system.")
    concept = system.find(asked.code)
    if concept is None:
        some = "" if system.complete else ", which is loaded in part only"
        return Verdict(result=False, message=f"The code is not in the code system{some}.")
    return _of_code(expanded(system.url, concept, system.version), asked)


def _first_good(verdicts: Iterable[Verdict]) -> Verdict:
    last = Verdict(result=False, message="There is no code to check.")
    for verdict in verdicts:
        if verdict.result:
            return verdict
        last = verdict
    return last


def _of_code(found: Expanded, asked: Asked) -> Verdict:
    if found.abstract:
        return Verdict(result=False, message="The code groups others and is not to be used.", display=found.display)
    if asked.display is not None:
        names = [found.display, *(each.get("value") for each in found.designations)]
        known = {_folded(name) for name in names if name is not None}
        if not known:
            return Verdict(result=True, message="No name is loaded for the code; the display was not checked.")
        if _folded(asked.display) not in known:
            return Verdict(result=False, message="The code is right, its display is not.", display=found.display)
    message = "The code is inactive." if found.inactive else None
    return Verdict(result=True, message=message, display=found.display)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
