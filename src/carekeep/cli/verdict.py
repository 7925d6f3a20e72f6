"""What a check of ``carekeep doctor`` says."""

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
