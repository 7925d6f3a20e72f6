"""Requests of patients to correct their record (45 CFR 164.526): asked, answered within 60 days, and disagreed with.

Invariants: a request is a Task in the patient's compartment, which patients make only here; it is answered once; what
the patient wrote is never changed by an answer.
"""

from carekeep.web.amending.asking import answer_request, ask_for, disagree, requests_of
from carekeep.web.amending.rules import NotAmendable, Wish

__all__ = ["NotAmendable", "Wish", "answer_request", "ask_for", "disagree", "requests_of"]
