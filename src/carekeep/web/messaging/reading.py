"""The messages that somebody may read, as threads; in one ledger entry with the names that are shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from carekeep.fhir import parse_query
from carekeep.records import Forgotten, NotFound, Stored
from carekeep.web.booking.offers import name_of
from carekeep.web.fhir.disclosure import Disclosure
from carekeep.web.messaging.sending import mark_received
from carekeep.web.messaging.team import Member, team_of
from carekeep.web.messaging.threads import Thread, threads_of
from carekeep.web.passage import Passage
from carekeep.web.problems import problem

MOST = 500
_PEOPLE = ("Practitioner/", "PractitionerRole/")


@dataclass(frozen=True, slots=True)
class Mail:
    """Threads, the names of who wrote and who is written of, by reference, and the records behind the messages."""

    threads: tuple[Thread, ...]
    names: Mapping[str, str] = field(repr=False)
    records: Mapping[str, Stored] = field(repr=False)
    team: tuple[Member, ...] = ()

    def thread(self, id_: str) -> Thread | None:
        """The thread of this id."""
        return next((thread for thread in self.threads if thread.id == id_), None)

    @property
    def unread(self) -> int:
        """How many messages are new to the reader."""
        return sum(thread.unread for thread in self.threads)


async def read_mail(
    passage: Passage, patients: Iterable[str], me: frozenset[str], asked: str, *, team: bool = False
) -> Mail:
    """All that may be read of these patients' messages. ``me``: the reader's references.

    ``team``: with the care team, where there is one patient. Raises Problem (403).
    """
    sought = frozenset(patients)
    disclosure = Disclosure(passage)
    await disclosure.ask("Communication")
    found: dict[str, Stored] = {}
    async for stored in passage.services.vault.search_all(parse_query("Communication", [], lenient=False), sought):
        if not sought.isdisjoint(stored.patients) and (seen := await disclosure.shown(stored)) is not None:
            found[seen.id] = seen
    newest = sorted(found.values(), key=lambda each: (each.last_updated_ms, each.id))[-MOST:]
    threads = threads_of([each.resource for each in newest], me)
    disclosure.show(*newest)
    names = await _names(passage, disclosure, threads)
    members: tuple[Member, ...] = ()
    if team:
        (patient,) = sought
        members = await team_of(passage, patient, disclosure)
    await disclosure.record(asked)
    return Mail(threads, names, {each.id: each for each in newest}, members)


async def opened(
    passage: Passage, patients: Iterable[str], me: frozenset[str], id_: str, *, team: bool = False
) -> Mail:
    """The mail with a thread that is read now: what is new in it is noted as received. Raises Problem (403, 404)."""
    mail = await read_mail(passage, patients, me, "messages: a thread", team=team)
    thread = mail.thread(id_)
    if thread is None:
        raise problem(404, "not-found", "There is no such message.")
    await mark_received(passage, [mail.records[each.id] for each in thread.messages if each.unread])
    return mail


async def _names(passage: Passage, disclosure: Disclosure, threads: Iterable[Thread]) -> dict[str, str]:
    wanted: dict[str, None] = {}
    for thread in threads:
        wanted[thread.patient] = None
        for message in thread.messages:
            wanted |= dict.fromkeys((message.sender, *message.recipients))
    staff = await disclosure.directory([{"reference": each} for each in wanted if each.startswith(_PEOPLE)])
    shown = list(staff)
    for reference in wanted:
        if reference.startswith("Patient/"):
            try:
                stored = await passage.services.vault.read("Patient", reference.removeprefix("Patient/"))
            except (NotFound, Forgotten):
                continue
            if not stored.deleted and (seen := await disclosure.shown(stored)) is not None:
                shown.append(seen)
    disclosure.show(*shown)
    return {stored.reference: name_of(stored.resource) for stored in shown}
