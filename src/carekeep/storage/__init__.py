"""The database: one contract, two implementations (SQLite, PostgreSQL), migrations that only go forward.

Invariants: a unit of work happens whole or not at all, and has reached the disk when ``commit`` returns. Concurrent
units share a transaction and stay independent of each other. The room knows nothing of what the rows mean.
"""

from carekeep.storage.clock import Clock, system_clock
from carekeep.storage.findings import Finding
from carekeep.storage.generations import Generations, bump
from carekeep.storage.interfaces import (
    Change,
    Conflict,
    Database,
    Insert,
    Pin,
    Prepared,
    Row,
    SchemaTooNew,
    Step,
    StorageError,
    Value,
)
from carekeep.storage.lease import Lease
from carekeep.storage.opening import open_database
from carekeep.storage.sqlite_file import sqlite_version

__all__ = [
    "Change",
    "Clock",
    "Conflict",
    "Database",
    "Finding",
    "Generations",
    "Insert",
    "Lease",
    "Pin",
    "Prepared",
    "Row",
    "SchemaTooNew",
    "Step",
    "StorageError",
    "Value",
    "bump",
    "open_database",
    "sqlite_version",
    "system_clock",
]
