"""``Patient/[id]/$accounting-of-disclosures``: to whom data left the organization (45 CFR 164.528)."""

from carekeep.access import Action
from carekeep.audit import About, Subject
from carekeep.audit.views import account, years_before
from carekeep.web.fhir.arguments import read_arguments
from carekeep.web.fhir.auditing import EntrySight, directory_of
from carekeep.web.fhir.auditing.told import Period, answer, disclosure_row, entries_about, left_out_rows
from carekeep.web.fhir.disclosure import called
from carekeep.web.http import Response
from carekeep.web.passage import Passage


async def accounting_of_disclosures(passage: Passage, type_: str, id_: str) -> Response:
    """The last six years, or ``since`` and ``until``; ``all`` = true with what the rule lets be left out."""
    await passage.authenticate(Action.DISCLOSURE_READ)
    arguments = await read_arguments(passage, "since", "until", "all")
    period = Period.of(arguments, years_before(passage.services.clock()))
    everything = arguments.flag("all")
    sight = EntrySight(passage)
    told = await entries_about(passage, sight, Subject(About.DISCLOSURE, id_), period)
    directory = await directory_of(passage.services, told.entries)
    accounting = account(told.entries, directory, everything=everything)
    rows = [*map(disclosure_row, accounting.disclosures), *left_out_rows(accounting)]
    query = called(f"{type_}/{id_}/$accounting-of-disclosures", arguments.given)
    return await answer(passage, sight, id_, query, rows, cut=told.cut)
