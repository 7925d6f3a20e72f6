"""Bulk data: ``$export`` (Bulk Data Access 3.0.0) and ``$import``, as jobs beside the requests.

Invariants: an export makes no copy of a record, so that what is forgotten or withdrawn is gone from it too; a file
leaves piece by piece, each decided on and in the ledger before; a job survives the death of its process; when a job is
deleted or its time is over, its key is destroyed; a job is there for the account that asked for it and nobody else.
"""

from carekeep.web.bulk.loading import Batch, Loadable, Refusal, draft_batch
from carekeep.web.bulk.routes import BulkRoutes
from carekeep.web.bulk.running import BulkRunner

__all__ = ["Batch", "BulkRoutes", "BulkRunner", "Loadable", "Refusal", "draft_batch"]
