"""Bringing records in from files: Synthea Bundles, single resources, NDJSON folders.

Invariants: what does not validate is refused and reported, never repaired; what is loaded goes the way of every write
(encrypted, tagged, in the ledger); what is there already with equal content is left alone, so that a load that was
interrupted is run again, and goes on where it stopped.
"""

from carekeep.cli.loading.loader import Loader, Report
from carekeep.cli.loading.sources import Source, UnreadableSource, open_sources
from carekeep.web.bulk import Loadable

__all__ = ["Loadable", "Loader", "Report", "Source", "UnreadableSource", "open_sources"]
