"""What a check says."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at."""

    state: State
    what: str
    why: str = ""
    fix: str = ""


_ORDER: tuple[State, ...] = ("problem", "warning", "ok")


def worst_first(found: Iterable[Diagnosis]) -> list[Diagnosis]:
    """Problems, then warnings, then what is well; each in the order of the checks."""
    return sorted(found, key=lambda each: _ORDER.index(each.state))


def overall(found: Iterable[Diagnosis]) -> State:
    """The worst state of all."""
    return next((each.state for each in worst_first(found)), "ok")
