"""Whether a medicine and an allergy on record have to do with each other, by code and by the words of both.

This is a warning that costs nothing to give, and no knowledge of pharmacology: it finds an allergy to what is written
in the order, and the classes of the table below. That it finds nothing means nothing.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from carekeep.fhir.documents.words import concept_text

Json = dict[str, Any]
_WORD = re.compile(r"[^\W\d_]{4,}")
# Words that stand in many names and say nothing of what is in them.
_COMMON: Final = frozenset(
    {
        "acid", "allergic", "allergies", "allergy", "antibiotic", "capsule", "class", "containing", "disorder", "drug",
        "drugs", "extended", "hydrochloride", "hypersensitivity", "injection", "intolerance", "medicine", "oral",
        "product", "reaction", "release", "sodium", "solution", "substance", "suspension", "tablet", "tablets",
        "therapy", "with",
    }
)  # fmt: skip
# What an allergy to the first is an allergy to, as far as a warning goes (names of substances by WHO INN).
_CLASSES: Final[dict[str, frozenset[str]]] = {
    "penicillin": frozenset({"amoxicillin", "ampicillin", "flucloxacillin", "piperacillin", "phenoxymethylpenicillin"}),
    "cephalosporin": frozenset({"cefalexin", "cephalexin", "cefazolin", "cefuroxime", "ceftriaxone", "cefixime"}),
    "sulfonamide": frozenset({"sulfamethoxazole", "sulfadiazine", "sulfasalazine"}),
    "salicylate": frozenset({"aspirin", "acetylsalicylic"}),
    "nsaid": frozenset({"ibuprofen", "naproxen", "diclofenac", "ketorolac", "indometacin", "aspirin"}),
}


def conflicts(medicine: str, codes: frozenset[str], allergies: Iterable[Json]) -> tuple[str, ...]:
    """The allergies (by name) that the medicine has to do with. ``codes`` are ``system|code``."""
    wanted = _words(medicine)
    found = []
    for allergy in allergies:
        concept = allergy.get("code", {})
        substances = [concept, *(reaction.get("substance", {}) for reaction in allergy.get("reaction", ()))]
        named = {word for each in substances for word in _meant(_all_text(each))}
        codings = [coding for each in substances for coding in each.get("coding", ())]
        coded = {f"{coding.get('system', '')}|{coding.get('code')}" for coding in codings}
        if coded & codes or named & wanted:
            found.append(concept_text(concept))
    return tuple(dict.fromkeys(found))


def _meant(text: str) -> frozenset[str]:
    """The words of an allergy, and the substances of the classes that it names."""
    words = _words(text)
    for name, members in _CLASSES.items():
        if words & {name, f"{name}s"}:
            words |= members
    return words


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold())) - _COMMON


def _all_text(concept: Json) -> str:
    displays = (str(coding.get("display", "")) for coding in concept.get("coding", ()))
    return " ".join((str(concept.get("text", "")), *displays))
