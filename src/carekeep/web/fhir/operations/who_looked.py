"""``Patient/[id]/$who-looked``: who looked at a record, when, at what and why, in words for the patient."""

from carekeep.access import Action
from carekeep.audit import About, Subject
from carekeep.audit.views import looks
from carekeep.web.fhir.arguments import read_arguments
from carekeep.web.fhir.auditing import EntrySight, directory_of
from carekeep.web.fhir.auditing.told import Period, answer, entries_about, look_row
from carekeep.web.fhir.disclosure import called
from carekeep.web.http import Response
from carekeep.web.passage import Passage


async def who_looked(passage: Passage, type_: str, id_: str) -> Response:
    """``since`` and ``until`` are dates; ``each`` = true tells every access by itself, with its date and time."""
    await passage.authenticate(Action.DISCLOSURE_READ)
    arguments = await read_arguments(passage, "since", "until", "each")
    period, each = Period.of(arguments), arguments.flag("each")
    sight = EntrySight(passage)
    told = await entries_about(passage, sight, Subject(About.PATIENT, id_), period)
    directory = await directory_of(passage.services, told.entries)
    rows = [look_row(look) for look in looks(told.entries, id_, directory, each_alone=each)]
    return await answer(passage, sight, id_, called(f"{type_}/{id_}/$who-looked", arguments.given), rows, cut=told.cut)
