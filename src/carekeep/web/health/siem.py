"""How far the receivers of the ledger's events are."""

from carekeep.audit.export import SiemSettings, Standing, standing_of
from carekeep.web.health.installed import Opened
from carekeep.web.health.verdict import Diagnosis

_LATE_MS = 600_000


async def diagnose_siem(opened: Opened, settings: SiemSettings) -> list[Diagnosis]:
    """One verdict for each receiver; none where there are none, since nobody must have a SIEM."""
    now = opened.clock()
    return [_diagnosis(await standing_of(each, opened.database, opened.ledger), now) for each in settings.all]


def _diagnosis(standing: Standing, now: int) -> Diagnosis:
    since = standing.waiting_since_ms
    if since is None or now - since < _LATE_MS:
        return Diagnosis("ok", f"The SIEM {standing.name} is {standing.behind:,} entries behind.")
    return Diagnosis(
        "warning",
        f"The SIEM {standing.name} is {standing.behind:,} entries behind, for {waiting(standing, now)}.",
        "Nothing is lost, but whoever watches there does not see what happens here.",
        f"carekeep siem test {standing.name}; then docs/siem.md.",
    )


def waiting(standing: Standing, now: int) -> str:
    """For how long the first entry that was not delivered has waited, in words."""
    if standing.waiting_since_ms is None:
        return "-"
    minutes, seconds = divmod(max(0, now - standing.waiting_since_ms) // 1000, 60)
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
