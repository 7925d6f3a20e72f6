"""What one patient may see of an entry that is about several, or that names those who work here."""

from collections.abc import Collection
from dataclasses import replace

from carekeep.audit.entries import Agent, Entry
from carekeep.audit.following import Followed


def for_patient(followed: Followed, patient: str, own: Collection[str] = ()) -> Followed:
    """The entry as the patient may see it: nothing of other patients, and of staff who they are but not from where.

    ``own``: the references ("Type/id") of an entry about several patients that are known to be this patient's; of an
    entry about this patient alone everything is.
    """
    entry = followed.entry
    agent = _narrowed(entry.agent, patient)
    if entry.patients == (patient,):
        return replace(followed, pins=(), entry=replace(entry, agent=agent))
    narrowed = replace(
        entry,
        agent=agent,
        patients=(patient,),
        what=tuple(what for what in entry.what if what.reference in own or what.reference == f"Patient/{patient}"),
        query=None if entry.query is None else _path(entry.query),
        consents=tuple(consent for consent in entry.consents if consent in own),
    )
    return replace(followed, pins=(), entry=narrowed)


def is_shared(entry: Entry) -> bool:
    """Whether an entry is about several patients, so that it does not say by itself what was whose."""
    return len(entry.patients) > 1


def _narrowed(agent: Agent, patient: str) -> Agent:
    own = f"Patient/{patient}"
    if agent.who == own:
        return agent
    bare = replace(agent, session=None, device=None, address=None)
    if bare.on_behalf_of is not None and bare.on_behalf_of.startswith("Patient/") and bare.on_behalf_of != own:
        bare = replace(bare, on_behalf_of=None)
    if agent.who is not None and agent.who.startswith("Patient/"):
        return replace(bare, who=None, account="")
    return bare


def _path(query: str) -> str | None:
    """The type that was searched: what was asked for may name somebody else."""
    type_ = query.partition("?")[0].partition("/")[0]
    return type_ if type_.isalpha() else None
