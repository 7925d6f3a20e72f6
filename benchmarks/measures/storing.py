"""What a record costs on the disk, beside the bytes of its plaintext."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from benchmarks.report import Figure
from benchmarks.servers import free_port
from benchmarks.setting import Hospital, build
from benchmarks.stage import Stage

_GROUP = "storage (SQLite)"


def measure(stage: Stage) -> Iterator[Figure]:
    """Of a hospital that was loaded and nothing else."""
    yield from of(build(stage.folder / "storing", stage.scale.growth_patients * 5, free_port()))


def of(hospital: Hospital) -> Iterator[Figure]:
    """Bytes and tags for each resource."""
    sample, path = hospital.sample, Path(unquote(urlsplit(hospital.settings.database).path))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (tags,) = connection.execute("SELECT count(*) FROM tag").fetchone()
    count = sample.resources
    yield Figure(_GROUP, "plaintext JSON", sample.plain_bytes / count, "bytes/resource")
    yield Figure(_GROUP, "database file, all tables", path.stat().st_size / count, "bytes/resource")
    yield Figure(_GROUP, "times the plaintext", path.stat().st_size / sample.plain_bytes, "x")
    yield Figure(_GROUP, "tags", tags / count, "/resource")
