"""Bringing records in from files: Synthea Bundles, single resources, NDJSON folders.

Invariants: what does not validate is refused and reported, never repaired; what is loaded goes the way of every write
(encrypted, tagged, in the ledger); loading the same files twice makes new versions, not new records, of what has ids.
"""

from carekeep.cli.loading.loader import Loader, Refusal, Report
from carekeep.cli.loading.sources import Loadable, Source, UnreadableSource, open_sources

__all__ = ["Loadable", "Loader", "Refusal", "Report", "Source", "UnreadableSource", "open_sources"]
