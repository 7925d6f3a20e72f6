"""Policies as a privacy officer handles them: bundles that are tested, signed, tried, put in force and taken back.

A bundle is a folder of ``*.cedar`` files with a ``bundle.toml``. What comes with Carekeep always loads with it: a
bundle adds permits and forbids, and takes no forbid away. Nothing is put in force that does not validate, or that
fails the canaries: cases that no policies may answer otherwise. The bundles in force and on trial are rows of the
database, sealed and pinned; a row that cannot be used leaves the old policies in force, and says so.
"""

from carekeep.access.bundles.bundle import Bundle, BundleRefused
from carekeep.access.bundles.canaries import failed_canaries
from carekeep.access.bundles.cases import Case, Result, read_cases, run
from carekeep.access.bundles.folder import PACKS, policies_of, read_bundle, read_case_files
from carekeep.access.bundles.in_force import POLICIES_TOPIC, PolicyKeeper
from carekeep.access.bundles.replaying import Difference, Replay, entries_since
from carekeep.access.bundles.signed import open_signed, sign_bundle
from carekeep.access.bundles.table import PolicyBundles, PolicyRow, Role

__all__ = [
    "PACKS",
    "POLICIES_TOPIC",
    "Bundle",
    "BundleRefused",
    "Case",
    "Difference",
    "PolicyBundles",
    "PolicyKeeper",
    "PolicyRow",
    "Replay",
    "Result",
    "Role",
    "entries_since",
    "failed_canaries",
    "open_signed",
    "policies_of",
    "read_bundle",
    "read_case_files",
    "read_cases",
    "run",
    "sign_bundle",
]
