"""Where in the chart somebody is, and by what right: as one who treats the patient, or in an emergency."""

from dataclasses import dataclass
from typing import Final

from carekeep.access import Grant, Purpose
from carekeep.web.browser import redirect
from carekeep.web.sites import Visit, nothing_here
from carekeep.web.sites.visit import Elsewhere

CARE: Final = "patient"
EMERGENCY: Final = "emergency"
MINUTE_MS: Final = 60_000


@dataclass(frozen=True, slots=True)
class Place:
    """A patient's chart, below ``base``. ``grant``: the emergency access that is open to it, used here or not."""

    patient_id: str
    base: str
    grant: Grant | None
    minutes_left: int

    @property
    def in_emergency(self) -> bool:
        """Whether pages here state emergency treatment as their purpose."""
        return self.base.startswith(f"/{EMERGENCY}/")


async def place_of(to: Visit, patient_id: str) -> Place:
    """Raises Elsewhere where an emergency is over: to the page that opens one."""
    if not patient_id:
        raise nothing_here()
    room = to.request.segments[0]
    grant = await to.services.break_glass.is_open(to.passage.principal, patient_id)
    if room == EMERGENCY and (grant is None or to.passage.purpose is not Purpose.ETREAT):
        raise Elsewhere(redirect(f"/break-glass/{patient_id}"))
    left = 0 if grant is None else max(0, grant.expires_ms - to.services.clock())
    return Place(patient_id, f"/{room}/{patient_id}", grant, -(-left // MINUTE_MS))
