"""Consents that are enforced: FHIR R4 Consent records compiled to rules, and asked at every decision.

What cannot be enforced to the letter is refused when it is written, and never ignored. Between consents a denial wins;
within one, the last exception that fits. What a record does not say counts against reading it. The rules of a patient
are remembered until a Consent changes. Pure but for ``book`` and ``delegates``, which look records up.
"""

from carekeep.access.consents.book import TOPIC, Consents
from carekeep.access.consents.delegates import Delegates
from carekeep.access.consents.evaluating import Question, Said, Verdict, evaluate, said_by
from carekeep.access.consents.reading import ConsentRefused, read_consent
from carekeep.access.consents.rules import ConsentRules, Provision
from carekeep.access.consents.words import Implicit

__all__ = [
    "TOPIC",
    "ConsentRefused",
    "ConsentRules",
    "Consents",
    "Delegates",
    "Implicit",
    "Provision",
    "Question",
    "Said",
    "Verdict",
    "evaluate",
    "read_consent",
    "said_by",
]
