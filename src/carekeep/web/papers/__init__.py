"""Records on paper: what a person reads, prints and hands on, of what was decided on already.

Invariants: a paper is made of text alone, so nothing in a record becomes markup; a paper of a FHIR document says what
the document's narratives say, no more and no less.
"""

from carekeep.web.papers.chart import chart_paper
from carekeep.web.papers.documents import document_paper
from carekeep.web.papers.paper import Item, Paper, Section
from carekeep.web.papers.pdf import pdf_of

__all__ = ["Item", "Paper", "Section", "chart_paper", "document_paper", "pdf_of"]
