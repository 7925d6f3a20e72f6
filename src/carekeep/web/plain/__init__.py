"""FHIR resources in plain words, for pages and papers: names, times, amounts, ranges, statuses, texts.

Invariants: pure functions, no I/O; what is said is plain text, still to be escaped; nothing is claimed that the record
does not say (no range, no verdict). English in the code, other languages in ``languages``.
"""

from carekeep.web.plain.amounts import Amount, amount, number_of, spoken_value
from carekeep.web.plain.moments import Moment, moment, moment_of, span
from carekeep.web.plain.names import Code, Name, name_of, name_of_reference
from carekeep.web.plain.narratives import text_of
from carekeep.web.plain.ranges import Band, Standing, band_of, spoken_band, spoken_standing, standing_of
from carekeep.web.plain.speech import Speech
from carekeep.web.plain.statuses import spoken_status

__all__ = [
    "Amount",
    "Band",
    "Code",
    "Moment",
    "Name",
    "Speech",
    "Standing",
    "amount",
    "band_of",
    "moment",
    "moment_of",
    "name_of",
    "name_of_reference",
    "number_of",
    "span",
    "spoken_band",
    "spoken_standing",
    "spoken_status",
    "spoken_value",
    "standing_of",
    "text_of",
]
