"""What a thief can count in a database without any key: ``python -m scripts.leaks carekeep-demo/carekeep.db``."""

import sqlite3
import sys
from contextlib import closing

FIGURES: tuple[tuple[str, str], ...] = (
    ("records", "SELECT count(*) FROM record"),
    ("scopes (patients, without names)", "SELECT count(DISTINCT scope) FROM record WHERE scope <> 0"),
    (
        "records of the largest scope",
        "SELECT max(n) FROM (SELECT count(*) AS n FROM record WHERE scope <> 0 GROUP BY scope)",
    ),
    ("tags", "SELECT count(*) FROM tag"),
    ("tags a record", "SELECT round(1.0 * (SELECT count(*) FROM tag) / (SELECT count(*) FROM record), 1)"),
    (
        "tags that two patients' scopes have in common",
        "SELECT count(*) FROM (SELECT tag FROM tag WHERE scope <> 0 GROUP BY tag HAVING count(DISTINCT scope) > 1)",
    ),
    ("tags in scope 0", "SELECT count(DISTINCT tag) FROM tag WHERE scope = 0"),
    (
        "of these, tags of one record only",
        "SELECT count(*) FROM (SELECT tag FROM tag WHERE scope = 0 GROUP BY tag HAVING count(*) = 1)",
    ),
    (
        "records behind the commonest tag in scope 0",
        "SELECT max(n) FROM (SELECT count(*) AS n FROM tag WHERE scope = 0 GROUP BY tag)",
    ),
    ("bytes of sealed records", "SELECT sum(length(sealed)) FROM record_version"),
    ("different lengths of sealed records", "SELECT count(DISTINCT length(sealed)) FROM record_version"),
)


def main(path: str) -> None:
    """Print the figures of one SQLite database."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        for name, sql in FIGURES:
            (value,) = database.execute(sql).fetchone()
            print(f"{name:50} {value:>14,}")


if __name__ == "__main__":
    main(sys.argv[1])
