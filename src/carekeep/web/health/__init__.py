"""Is this installation well? Every check is named here; ``carekeep doctor`` and the console's overview ask the same.

A new check is a function in a module of this room and a line in one of the two lists. It looks at one thing, says what
it found in plain words, why that matters and exactly what to do, and changes nothing.
"""

from carekeep.web.health.checks import BEFORE_OPENING, look_at_installation, look_at_machine
from carekeep.web.health.installed import Installed, Opened
from carekeep.web.health.lookout import Lookout
from carekeep.web.health.verdict import Diagnosis, State, overall, worst_first

__all__ = [
    "BEFORE_OPENING",
    "Diagnosis",
    "Installed",
    "Lookout",
    "Opened",
    "State",
    "look_at_installation",
    "look_at_machine",
    "overall",
    "worst_first",
]
