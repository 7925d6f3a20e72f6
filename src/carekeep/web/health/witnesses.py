"""How our log is witnessed, and what is wrong with that."""

from dataclasses import dataclass

from carekeep.audit.witnessing.cosigned import newest_cosigned
from carekeep.audit.witnessing.standings import Standing
from carekeep.audit.witnessing.submitting import witnesses_by_url
from carekeep.web.health.installed import Opened
from carekeep.web.health.verdict import Diagnosis, State

_LATE_MS = 600_000


@dataclass(frozen=True, slots=True)
class Situation:
    """How our log is witnessed: entries in the log, entries of the newest final checkpoint, and each witness."""

    asked: bool
    quorum: str
    entries: int
    final: int
    final_ms: int
    witnesses: tuple[Standing, ...]
    split_views: int


async def situation(opened: Opened) -> Situation:
    """As it is now in the database."""
    witnesses = opened.witnesses
    policy = witnesses.policy
    newest = await newest_cosigned(opened.database)
    urls = () if policy is None else witnesses_by_url(policy)
    return Situation(
        asked=policy is not None,
        quorum="none" if policy is None else policy.quorum,
        entries=await opened.ledger.size(),
        final=newest.size if newest else 0,
        final_ms=newest.signed_ms if newest else 0,
        witnesses=tuple([await witnesses.standings.of(url) for url in urls]),
        split_views=len(await witnesses.split_views.kept()),
    )


async def diagnose_witnesses(opened: Opened) -> list[Diagnosis]:
    """Whether others vouch for the ledger, and none of them contradicts it."""
    found = await situation(opened)
    verdicts = []
    if found.split_views:
        why, fix = "A log that does this lies to somebody.", "carekeep ledger split-views; then docs/witnesses.md."
        verdicts.append(Diagnosis("problem", f"{found.split_views} proofs of split views are kept.", why, fix))
    if not found.asked:
        why, fix = "Who does not trust this server has no proof against it.", "See docs/witnesses.md."
        return [*verdicts, Diagnosis("warning", "Nobody witnesses the ledger.", why, fix)]
    for each in found.witnesses:
        if each.fault:
            why = "Our log is contradicted." if each.alarming else "Checkpoints may not become final without it."
            fix = "See docs/witnesses.md." if each.alarming else "Ask its operator. It is asked again by itself."
            state: State = "problem" if each.alarming else "warning"
            verdicts.append(Diagnosis(state, f"The witness at {each.url}: {each.fault}.", why, fix))
    late = opened.clock() - found.final_ms > _LATE_MS and found.final < found.entries
    if late:
        text = f"Only {found.final:,} of {found.entries:,} entries are final."
        why, fix = "The rest is durable, but no quorum of witnesses speaks for it.", "carekeep ledger witnesses"
        return [*verdicts, Diagnosis("warning", text, why, fix)]
    return verdicts or [Diagnosis("ok", f"Witnesses cosign the ledger: {found.final:,} entries are final.")]
